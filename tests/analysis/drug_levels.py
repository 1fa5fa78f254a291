"""Drug levels of the made-up KALM trial: curves of one arm whose exposure carries the relief, or does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tests.analysis.kalm_cut import KalmTrial

MINUTES = (-15, 15, 40, 60, 120, 240)
# Level at the peak (ng/mL), hours of rise and half-life.
CURVES = {"ketamine": (200.0, 0.6, 2.5), "norketamine": (80.0, 1.5, 5.0), "hydroxynorketamine": (25.0, 3.0, 9.0)}
LLOQ = 1.0


def levels_of_trial(trial: KalmTrial, *, arm: str = "KET", seed: int = 5) -> pd.DataFrame:
    """As `cuts.levels_of` gives them, for everybody of one arm; the others have none."""
    rng = np.random.default_rng(seed)
    rows = []
    for key in trial.arms.index[trial.arms == arm]:
        for analyte, (peak, rise, half_life) in CURVES.items():
            height = peak * np.exp(rng.normal(0, 0.3))
            rows += [_sample(int(key), analyte, minute, height, rise, half_life, rng) for minute in MINUTES]
    return pd.DataFrame(rows, columns=["participant_id", "analyte", "nominal_minute", "actual_minute", "value", "lloq"])


def _sample(
    key: int, analyte: str, minute: int, height: float, rise: float, half_life: float, rng: np.random.Generator
) -> dict[str, Any]:
    actual = minute if minute < 0 else minute + float(rng.uniform(0, 3))
    hours = max(actual, 0) / 60
    level = (
        height * (hours / rise if hours < rise else 2 ** (-(hours - rise) / half_life)) * np.exp(rng.normal(0, 0.05))
    )
    value = round(float(level), 1)
    return {
        "participant_id": key,
        "analyte": analyte,
        "nominal_minute": minute,
        "actual_minute": round(actual, 1),
        "value": value if value >= LLOQ else np.nan,
        "lloq": LLOQ,
    }
