"""Causal mediation with linear models: how much of an effect goes through what was measured on the way.

Every effect rests on there being no unmeasured cause of both mediator and outcome; `sensitivity` says how much of
one it would take. Language for reports: "consistent with", not "caused". References: Baron & Kenny (1986); Imai,
Keele & Yamamoto (2010), Stat Sci 25:51; VanderWeele (2015).
"""

from analysis.statistics.mediation.interventional import InterventionalEffects, interventional
from analysis.statistics.mediation.sensitivity import Sensitivity, sensitivity
from analysis.statistics.mediation.single import Mediation, mediate
from analysis.statistics.mediation.two_paths import TwoPaths, parallel

__all__ = [
    "InterventionalEffects",
    "Mediation",
    "Sensitivity",
    "TwoPaths",
    "interventional",
    "mediate",
    "parallel",
    "sensitivity",
]
