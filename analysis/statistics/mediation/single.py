"""One mediator: direct, indirect and total effect, with or without an interaction of treatment and mediator."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.arguments import require_level
from analysis.statistics.estimate import Estimate
from analysis.statistics.mediation.intervals import Interval, from_draws
from analysis.statistics.mediation.regressions import (
    Participants,
    Regression,
    normal_estimate,
    participants,
    products,
    regress,
    require_draws,
    resampled,
    solved,
)

FloatArray = NDArray[np.float64]
Method = Literal["product", "quasi_bayes", "bootstrap"]


@dataclass(frozen=True)
class Mediation:
    """Effects in units of the outcome.

    a: treatment on mediator; b: mediator on outcome, in the control arm where there is an `interaction`; indirect,
    direct: averages over both arms, which differ only with an interaction, then in `indirect_by_arm` and
    `direct_by_arm` (control, treated); total: indirect + direct; proportion: indirect / total, with an interval without
    ends, no se and no p where that of the total includes 0: any share may then be. sobel_se, aroian_se, goodman_se: of
    a times b (Goodman's is nan where its variance is negative).
    """

    a: Estimate
    b: Estimate
    indirect: Estimate
    direct: Estimate
    total: Estimate
    proportion: Estimate
    interaction: Estimate | None
    indirect_by_arm: dict[str, Estimate] | None
    direct_by_arm: dict[str, Estimate] | None
    sobel_se: float
    aroian_se: float
    goodman_se: float
    observations: int
    rows_left_out: int


@dataclass(frozen=True)
class _Models:
    """The two regressions. Places in the outcome's: 1, treatment, covariates, mediator, interaction (if any)."""

    data: Participants
    mediator: Regression
    outcome: Regression
    interaction: bool

    @property
    def b(self) -> int:
        """Place of the mediator."""
        return int(self.data.before.shape[1])

    @property
    def control(self) -> FloatArray:
        """The mean row of the control arm in the mediator's model."""
        row = self.data.before.mean(axis=0)
        row[1] = 0.0
        return np.asarray(row)


def mediate(
    frame: pd.DataFrame,
    *,
    treatment: str,
    mediator: str,
    outcome: str,
    covariates: Sequence[str] = (),
    interaction: bool = False,
    method: Method = "product",
    draws: int = 5000,
    rng: np.random.Generator | None = None,
    interval: Interval = "percentile",
    reference: Any = None,
    level: float = 0.95,
) -> Mediation:
    """One mediator between treatment (0 or 1, or two arms with `reference`) and outcome, one row a participant.

    Linear models of the mediator on treatment and covariates, and of the outcome on these and the mediator.
    Intervals: "product": normal, by the delta method (Sobel 1982), t for single coefficients; "quasi_bayes":
    percentiles of `draws` from the normal distributions of the coefficients (Imai, Keele & Tingley 2010, Psychol
    Methods 15:309); "bootstrap": participants resampled, percentile or bca `interval`. Estimates are the same in
    all. Rows with a missing value are left out. Raises ValueError naming the argument.
    """
    require_level(level)
    _require_method(method, draws, rng, interval)
    data = participants(
        frame, treatment=treatment, mediators=[mediator], outcome=outcome, covariates=covariates, reference=reference
    )
    models = _models(data, interaction=interaction)
    effects = _effects(_point(models), interaction=interaction)
    estimates = _estimates(models, effects, method, draws, rng, interval, level)
    total = estimates["total"]
    a, b = models.mediator.estimate(1, level), models.outcome.estimate(models.b, level)
    by_arm = interaction or None
    return Mediation(
        a=a,
        b=b,
        indirect=estimates["indirect"],
        direct=estimates["direct"],
        total=total,
        proportion=_share(estimates["proportion"], total),
        interaction=models.outcome.estimate(models.b + 1, level) if interaction else None,
        indirect_by_arm=by_arm and {arm: estimates[f"indirect_{arm}"] for arm in ("control", "treated")},
        direct_by_arm=by_arm and {arm: estimates[f"direct_{arm}"] for arm in ("control", "treated")},
        **_product_errors(a, b),
        observations=len(data.outcome),
        rows_left_out=data.left_out,
    )


def _share(proportion: Estimate, total: Estimate) -> Estimate:
    """A ratio whose denominator may be 0 has no bounded interval (Fieller 1954, JRSS B 16:175)."""
    if total.lower > 0 or total.upper < 0:
        return proportion
    return Estimate(proportion.estimate, nan, -inf, inf)


def _require_method(method: str, draws: int, rng: np.random.Generator | None, interval: str) -> None:
    if method not in get_args(Method):
        raise ValueError(f"method is {method!r}; allowed are {', '.join(get_args(Method))}.")
    if interval not in get_args(Interval):
        raise ValueError(f"interval is {interval!r}; allowed are {', '.join(get_args(Interval))}.")
    if method != "product":
        require_draws(f"method {method}", draws, rng, interval)


def _product_errors(a: Estimate, b: Estimate) -> dict[str, float]:
    """Sobel (1982), Aroian (1947), Goodman (1960)."""
    first = (a.estimate * b.se) ** 2 + (b.estimate * a.se) ** 2
    second = (a.se * b.se) ** 2
    goodman = sqrt(first - second) if first >= second else nan
    return {"sobel_se": sqrt(first), "aroian_se": sqrt(first + second), "goodman_se": goodman}


def _models(data: Participants, *, interaction: bool) -> _Models:
    mediator = data.mediators[:, 0]
    columns = [data.before, mediator, *([data.treatment * mediator] if interaction else [])]
    return _Models(
        data,
        regress(mediator, data.before, "the mediator", data.names),
        regress(data.outcome, np.column_stack(columns), "the outcome", data.names),
        interaction,
    )


def _point(models: _Models) -> FloatArray:
    """a, b, interaction, c', mean mediator in control: (5, 1)."""
    outcome = models.outcome.beta
    extra = outcome[models.b + 1] if models.interaction else 0.0
    control = models.control @ models.mediator.beta
    return np.array([[models.mediator.beta[1]], [outcome[models.b]], [extra], [outcome[1]], [control]])


def _effects(parts: FloatArray, *, interaction: bool) -> dict[str, FloatArray]:
    """Effects from a, b, interaction g, c', mean mediator in control, for many draws at once.

    Imai, Keele & Yamamoto (2010), section 3: in arm t indirect a (b + g t), direct c' + g E[M(t)].
    """
    a, b, g, direct, control = parts
    found = {
        "indirect_control": a * b,
        "indirect_treated": a * (b + g),
        "direct_control": direct + g * control,
        "direct_treated": direct + g * (control + a),
    }
    found["indirect"] = (found["indirect_control"] + found["indirect_treated"]) / 2
    found["direct"] = (found["direct_control"] + found["direct_treated"]) / 2
    found["total"] = found["direct_control"] + found["indirect_treated"]
    # Dividing by a total of 0 says nothing; the result bounds no proportion whose total may be 0.
    with np.errstate(divide="ignore", invalid="ignore"):
        found["proportion"] = found["indirect"] / found["total"]
    return found if interaction else {name: found[name] for name in ("indirect", "direct", "total", "proportion")}


def _estimates(
    models: _Models,
    effects: dict[str, FloatArray],
    method: Method,
    draws: int,
    rng: np.random.Generator | None,
    interval: Interval,
    level: float,
) -> dict[str, Estimate]:
    value = {name: float(each[0]) for name, each in effects.items()}
    if rng is None or method == "product":
        return _by_delta(models, value, level)
    if method == "quasi_bayes":
        drawn = _effects(_from_normals(models, draws, rng), interaction=models.interaction)
        return {name: from_draws(value[name], drawn[name], level) for name in value}
    rows = _rows(models)
    drawn = _effects(_from_sums(models, resampled(rows, draws, rng)), interaction=models.interaction)
    if interval == "percentile":
        return {name: from_draws(value[name], drawn[name], level) for name in value}
    left = _effects(_from_sums(models, rows.sum(axis=0) - rows), interaction=models.interaction)
    return {name: from_draws(value[name], drawn[name], level, left[name]) for name in value}


def _by_delta(models: _Models, value: dict[str, float], level: float) -> dict[str, Estimate]:
    slopes = _slopes(models)
    found = {}
    for name, point in value.items():
        first, second = slopes[name]
        variance = first @ models.mediator.variance @ first + second @ models.outcome.variance @ second
        found[name] = normal_estimate(point, sqrt(variance), level)
    if not models.interaction:
        found["direct"] = models.outcome.estimate(1, level)
        found["total"] = regress(
            models.data.outcome, models.data.before, "the total effect", models.data.names
        ).estimate(1, level)
    return found


def _slopes(models: _Models) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Derivatives of the effects in the coefficients of the mediator's and of the outcome's model."""
    a, b, g, _, control = _point(models)[:, 0]
    on_a = np.eye(len(models.mediator.beta))[1]
    unit = np.eye(len(models.outcome.beta))
    on_b, on_direct = unit[models.b], unit[1]
    on_g = unit[models.b + 1] if models.interaction else np.zeros(len(unit))
    found = {
        "indirect_control": (b * on_a, a * on_b),
        "indirect_treated": ((b + g) * on_a, a * (on_b + on_g)),
        "direct_control": (g * models.control, on_direct + control * on_g),
        "direct_treated": (g * (models.control + on_a), on_direct + (control + a) * on_g),
    }
    found["indirect"] = _mix(found["indirect_control"], found["indirect_treated"], 0.5, 0.5)
    found["direct"] = _mix(found["direct_control"], found["direct_treated"], 0.5, 0.5)
    found["total"] = _mix(found["direct_control"], found["indirect_treated"], 1.0, 1.0)
    effects = _effects(_point(models), interaction=True)
    indirect, total = float(effects["indirect"][0]), float(effects["total"][0])
    found["proportion"] = _mix(found["indirect"], found["total"], 1 / total, -indirect / total**2)
    return found


def _mix(
    first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray], one: float, other: float
) -> tuple[FloatArray, FloatArray]:
    return one * first[0] + other * second[0], one * first[1] + other * second[1]


def _from_normals(models: _Models, draws: int, rng: np.random.Generator) -> FloatArray:
    mediator = rng.multivariate_normal(models.mediator.beta, models.mediator.variance, draws, method="cholesky")
    outcome = rng.multivariate_normal(models.outcome.beta, models.outcome.variance, draws, method="cholesky")
    extra = outcome[:, models.b + 1] if models.interaction else np.zeros(draws)
    return np.stack([mediator[:, 1], outcome[:, models.b], extra, outcome[:, 1], mediator @ models.control])


def _rows(models: _Models) -> FloatArray:
    """Products of 1, treatment, covariates, mediator, interaction, outcome (n, q, q)."""
    data = models.data
    mediator = data.mediators[:, 0]
    extra = [data.treatment * mediator] if models.interaction else []
    return products(np.column_stack([data.before, mediator, *extra, data.outcome]))


def _from_sums(models: _Models, sums: FloatArray) -> FloatArray:
    last = sums.shape[1] - 1
    before = range(models.b)
    mediator, outcome = solved(sums, before, models.b), solved(sums, range(last), last)
    extra = outcome[:, models.b + 1] if models.interaction else np.zeros(len(sums))
    means = sums[:, 0, : models.b] / sums[:, :1, 0]
    control = (mediator * means).sum(axis=1) - mediator[:, 1] * means[:, 1]
    return np.stack([mediator[:, 1], outcome[:, models.b], extra, outcome[:, 1], control])
