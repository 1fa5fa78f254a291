"""Records of understanding: cuts, plans, looks, recommendations, design simulations, jobs."""

from analysis.models.cuts import DataCut
from analysis.models.design_simulations import DesignResult, DesignSimulation, SimulationChunk
from analysis.models.jobs import Job
from analysis.models.looks import Look, OpenReport, Plan, Recommendation

__all__ = [
    "DataCut",
    "DesignResult",
    "DesignSimulation",
    "Job",
    "Look",
    "OpenReport",
    "Plan",
    "Recommendation",
    "SimulationChunk",
]
