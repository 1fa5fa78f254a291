"""Interim looks: what a cut says under its plan, for everyone (open) and for the DSMB (closed, or with masked arms)."""

from analysis.interim.masked import masked_result
from analysis.interim.results import closed_result, open_result

__all__ = ["closed_result", "masked_result", "open_result"]
