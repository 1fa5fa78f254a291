"""Simulating a design: the trial that a protocol describes, again and again, through the statistics of its looks."""

from analysis.statistics.simulation.canonical import SimulatedProperties, simulated_properties
from analysis.statistics.simulation.characteristics import (
    Characteristics,
    LookCharacteristics,
    OperatingCharacteristics,
    characteristics,
    gathered,
    operating_characteristics,
    require_size,
)
from analysis.statistics.simulation.looks import BLOCK, columns, simulate
from analysis.statistics.simulation.scenarios import Scenario, known_scenarios, scenario, several
from analysis.statistics.simulation.trial_model import TrialModel, trial_model

__all__ = [
    "BLOCK",
    "Characteristics",
    "LookCharacteristics",
    "OperatingCharacteristics",
    "Scenario",
    "SimulatedProperties",
    "TrialModel",
    "characteristics",
    "columns",
    "gathered",
    "known_scenarios",
    "operating_characteristics",
    "require_size",
    "scenario",
    "several",
    "simulate",
    "simulated_properties",
    "trial_model",
]
