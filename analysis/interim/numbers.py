"""Numbers as a result holds them: plain, without NaN, and always with the n they rest on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

# Twelve digits: more would only record in which order a library happened to add.
_DIGITS = 12


def plain(value: Any) -> Any:
    """A value as JSON can hold it, alike on every machine: NaN and infinity become None, floats have 12 digits."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
    if isinstance(value, date | pd.Timestamp):
        return None if pd.isna(value) else value.isoformat()[:10]
    return None if value is None or value is pd.NA or value is pd.NaT else str(value)


def summary(values: pd.Series[Any]) -> dict[str, Any]:
    """n, missing, and what describes the rest; null where n is too small for it."""
    known = values.dropna().to_numpy(dtype=float)
    facts: dict[str, Any] = {"n": len(known), "missing": len(values) - len(known)}
    if not len(known):
        return {**facts, **dict.fromkeys(("mean", "sd", "median", "q1", "q3", "min", "max"))}
    q1, median, q3 = np.quantile(known, [0.25, 0.5, 0.75])
    sd = float(known.std(ddof=1)) if len(known) > 1 else None
    return {
        **facts,
        "mean": float(known.mean()),
        "sd": sd,
        "median": median,
        "q1": q1,
        "q3": q3,
        "min": known.min(),
        "max": known.max(),
    }


def share(count: int, n: int) -> dict[str, Any]:
    """A count of n, with its percentage; null of nobody."""
    return {"count": int(count), "n": int(n), "percent": 100 * count / n if n else None}


def not_estimable(why: str) -> dict[str, Any]:
    """What stands in a result in place of a number that the data do not allow."""
    return {"estimable": False, "why": why}


def estimated(compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `compute` returns, marked as estimable; or, where the data do not allow it, why not.

    Statistics refuse data they cannot work with by ValueError (of which LinAlgError is one) or ArithmeticError.
    """
    try:
        return {"estimable": True, **compute()}
    except (ValueError, ArithmeticError) as refusal:
        return not_estimable(str(refusal))


def fields(estimate: Any) -> dict[str, Any]:
    """The fields of an Estimate."""
    names = ("estimate", "se", "lower", "upper", "df", "statistic", "p")
    return {name: getattr(estimate, name, None) for name in names}
