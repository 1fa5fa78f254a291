"""Proportions: one, two, and two within strata."""

from analysis.statistics.proportions.one_sample import Interval, interval
from analysis.statistics.proportions.strata import StratifiedResult, stratified
from analysis.statistics.proportions.two_samples import (
    IndependenceTest,
    NumberNeededToTreat,
    number_needed_to_treat,
    odds_ratio,
    risk_difference,
    risk_ratio,
    test,
)

__all__ = [
    "IndependenceTest",
    "Interval",
    "NumberNeededToTreat",
    "StratifiedResult",
    "interval",
    "number_needed_to_treat",
    "odds_ratio",
    "risk_difference",
    "risk_ratio",
    "stratified",
    "test",
]
