"""Simulating a study's design on the workers: ordered once, shared out in chunks, gathered to one result.

    order -> chunks (rows of trials) -> result.json -> page, CSV, API

The blinded workers do it: it needs the protocol file and a seed, never a participant and never a real arm.
"""
