"""What any statistic accepts as a number, a list of numbers, a level, a chance generator: said once."""

from math import isfinite
from numbers import Integral, Real
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

FloatArray = NDArray[np.float64]


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is one finite number; text that reads as one is not."""
    return isinstance(value, Real) and isfinite(value)


def floats(name: str, values: ArrayLike) -> FloatArray:
    """An array of numbers of whatever shape, missing as nan. Raises ValueError for anything that is no number."""
    try:
        array = np.asarray(values)
        if array.dtype.kind in "biuf" or (array.dtype.kind == "O" and not _holds_text(array)):
            return array.astype(float)
    except (TypeError, ValueError):
        pass  # answered below, in words
    raise ValueError(
        f"{name} holds {type(values).__name__} that are no numbers, or rows of unequal length; numbers are needed."
    )


def _holds_text(array: NDArray[np.object_]) -> bool:
    return any(isinstance(value, str | bytes) for value in array.ravel())


def require_level(level: float) -> None:
    """Raise ValueError unless level is a confidence level."""
    if not (is_number(level) and 0 < level < 1):
        raise ValueError(f"level is {level!r}; allowed is a confidence level above 0 and below 1, as 0.95.")


def quantile(level: float) -> float:
    """The normal quantile of a two-sided interval; ValueError for a level outside (0, 1)."""
    require_level(level)
    return float(-ndtri((1 - level) / 2))


def error_rate(name: str, value: float) -> float:
    """An error probability between 0 and 0.5, or ValueError."""
    if not (is_number(value) and 0 < value < 0.5):
        raise ValueError(f"{name} is {value!r}; allowed is a probability above 0 and below 0.5.")
    return float(value)


def at_least(name: str, value: int, fewest: int) -> int:
    """A whole number from `fewest` on, or ValueError."""
    if not isinstance(value, Integral) or value < fewest:
        raise ValueError(f"{name} is {value!r}; allowed is a whole number, {fewest} or more.")
    return int(value)


def require_generator(rng: Any) -> None:
    """Raise ValueError unless rng is a numpy Generator: chance comes from nowhere else."""
    if not isinstance(rng, np.random.Generator):
        msg = f"rng is {type(rng).__name__}; allowed is a numpy Generator, as default_rng(seed) gives."
        raise ValueError(msg)  # noqa: TRY004 every refusal is a ValueError
