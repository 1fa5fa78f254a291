"""The answer most statistics give: an estimate with its uncertainty."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate, its standard error and its two-sided interval, all on the same scale.

    For a ratio, `estimate`, `lower` and `upper` are on the ratio scale and `se` on the log scale; the function
    that returns it says so. `lower` and `upper` may be infinite; `se` is nan where the method has none.
    `df` are the degrees of freedom of `statistic` (None for a normal or an exact reference distribution),
    `p` the two-sided p-value of no effect; both are None where the method gives no test.
    """

    estimate: float
    se: float
    lower: float
    upper: float
    df: float | None = None
    statistic: float | None = None
    p: float | None = None
