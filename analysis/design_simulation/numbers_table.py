"""The result of a simulation as CSV: one row for each number."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

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
