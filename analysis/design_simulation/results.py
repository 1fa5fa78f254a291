"""The result of a simulation: one JSON document, the same bytes for the same order however it was computed."""

from __future__ import annotations

from collections.abc import Sequence
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
