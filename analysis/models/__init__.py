"""Records of understanding: cuts, plans, looks, jobs."""

from analysis.models.cuts import DataCut
from analysis.models.jobs import Job
from analysis.models.looks import Look, OpenReport, Plan

__all__ = ["DataCut", "Job", "Look", "OpenReport", "Plan"]
