"""Interim looks: what a cut says under its plan, for everyone (open) and for the DSMB (closed)."""

from analysis.interim.results import closed_result, open_result

__all__ = ["closed_result", "open_result"]
