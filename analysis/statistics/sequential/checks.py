"""What a group-sequential calculation accepts, said once."""

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.arguments import floats, is_number

FloatArray = NDArray[np.float64]


def finite(name: str, value: float) -> float:
    """A finite number, or ValueError."""
    if not is_number(value):
        msg = f"{name} is {value}; allowed is a finite number."
        raise ValueError(msg)
    return float(value)


def positive(name: str, value: float) -> float:
    """A finite number above 0, or ValueError."""
    if not (is_number(value) and value > 0):
        msg = f"{name} is {value}; allowed is a finite number above 0."
        raise ValueError(msg)
    return float(value)


def numbers(name: str, values: ArrayLike, *, at_most: int | None = None) -> FloatArray:
    """A non-empty list of finite numbers, at most one per planned look, or ValueError."""
    array = np.atleast_1d(floats(name, values))
    if array.ndim != 1 or array.size == 0 or not np.all(np.isfinite(array)):
        msg = f"{name} is {values!r}; allowed is a non-empty list of finite numbers."
        raise ValueError(msg)
    if at_most is not None and array.size > at_most:
        msg = f"{name} holds {array.size} looks, {at_most} are planned; see design.update."
        raise ValueError(msg)
    return array


def increasing(name: str, values: ArrayLike) -> FloatArray:
    """Strictly increasing numbers above 0, or ValueError."""
    array = numbers(name, values)
    if array[0] <= 0 or np.any(np.diff(array) <= 0):
        msg = f"{name} is {array.tolist()}; allowed are strictly increasing numbers above 0."
        raise ValueError(msg)
    return array


def timing_of(values: ArrayLike) -> FloatArray:
    """Information fractions, strictly increasing in (0, 1], the last 1, or ValueError."""
    array = increasing("timing", values)
    if array[-1] != 1:
        msg = f"timing is {array.tolist()}; the last information fraction must be 1."
        raise ValueError(msg)
    return array


def look_number(look: int, looks: int) -> int:
    """A look from 1 to the planned number, or ValueError."""
    if not isinstance(look, Real) or not 1 <= look <= looks or look != int(look):
        msg = f"look is {look}; allowed is 1 to {looks}. Call design.update for unplanned looks."
        raise ValueError(msg)
    return int(look)
