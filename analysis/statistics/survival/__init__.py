"""Time to an event: curves, their comparison, and proportional hazards."""

from analysis.statistics.survival.comparisons import LogRank, logrank
from analysis.statistics.survival.curves import KaplanMeier, kaplan_meier, restricted_mean
from analysis.statistics.survival.hazards import CoxFit, cox

__all__ = ["CoxFit", "KaplanMeier", "LogRank", "cox", "kaplan_meier", "logrank", "restricted_mean"]
