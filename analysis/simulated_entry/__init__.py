"""Entering a simulated trial through the verbs that people use, so that constraints, audit and blind hold.

What depends on the arm is drawn in a process of the unblinded side; what is entered goes in as `app`.
Works only in a database created as a demonstration, and marks every row as simulated.
"""
