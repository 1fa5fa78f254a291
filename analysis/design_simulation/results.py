"""The result of a simulation: one JSON document, the same bytes for the same order however it was computed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.canonical import canonical_json
from analysis.code_version import code_version
from analysis.interim.numbers import plain
from analysis.statistics import simulation as statistics
from studies.protocol import ProtocolDefinition

FloatArray = NDArray[np.float64]
Result = Mapping[str, Any]
_RATES = ("rejected", "power", "type_i_error")
_MEANS = ("expected_participants", "expected_information", "mean_estimate")
_AT_LOOK = ("reached", "stops", "stopped", "ends", "unlikely")
COLUMNS = (
    "study",
    "plan_version",
    "seed",
    "trials",
    "scenario",
    "true_effect",
    "look",
    "planned_information",
    "measure",
    "estimate",
    "monte_carlo_error",
    "lower",
    "upper",
)


def result_bytes(
    protocol: ProtocolDefinition,
    models: Sequence[statistics.TrialModel],
    rows: Sequence[FloatArray],
    *,
    seed: int,
) -> bytes:
    """Canonical JSON of the operating characteristics. models and rows: one per scenario, rows of `simulate`."""
    return canonical_json(result_of(statistics.gathered(protocol, models, rows, seed=seed), protocol))


def result_of(found: statistics.OperatingCharacteristics, protocol: ProtocolDefinition) -> dict[str, Any]:
    """The operating characteristics as JSON can hold them, with what they depend on."""
    looks = protocol.analysis.looks
    about = {
        "kind": "design simulation",
        "study": found.study,
        "title": protocol.study.title,
        "protocol_version": protocol.study.version,
        "protocol_sha256": found.protocol_sha256,
        "plan_version": found.plan_version,
        "primary_endpoint": protocol.analysis.primary_endpoint.label,
        "model": protocol.analysis.primary_model.method,
        "alpha": looks.alpha if looks else None,
        "sides": looks.sides if looks else None,
        "planned_power": looks.power if looks else None,
        "threshold": looks.futility.conditional_power_below if looks and looks.futility else None,
        "seed": found.seed,
        "trials": found.trials,
        "code_version": code_version(),
        "numpy": np.__version__,
    }
    cleaned: dict[str, Any] = plain({**about, "scenarios": [asdict(each) for each in found.scenarios]})
    return cleaned


def result_csv(result: Result) -> str:
    """One row for each number: overall measures without a look, then each look's."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for scenario in result["scenarios"]:
        about = {name: result[name] for name in COLUMNS[:4]}
        about |= {"scenario": scenario["scenario"], "true_effect": scenario["effect"]}
        writer.writerows({**about, **_number(name, scenario[name])} for name in (*_RATES, *_MEANS) if scenario[name])
        for look in scenario["looks"]:
            at = {"look": look["number"], "planned_information": look["planned_information"]}
            writer.writerows({**about, **at, **_number(name, look[name])} for name in _AT_LOOK if look[name])
    return out.getvalue()


def _number(name: str, estimate: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "measure": name,
        "estimate": estimate["estimate"],
        "monte_carlo_error": estimate["se"],
        "lower": estimate["lower"],
        "upper": estimate["upper"],
    }
