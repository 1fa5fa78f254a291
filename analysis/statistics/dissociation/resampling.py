"""Checks of the joint model that do not rest on it: participants drawn again, and signs flipped.

The inference of record is the model's (Kenward-Roger or Satterthwaite); these belong to the final analysis.
"""

from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import LinAlgError

from analysis.statistics.arguments import at_least, require_generator, require_level
from analysis.statistics.columns import arm_levels, complete_rows, covariate, numbers, require_full_rank
from analysis.statistics.dissociation.joint import JointModel
from analysis.statistics.estimate import Estimate
from analysis.statistics.mediation.intervals import Interval, from_draws
from analysis.statistics.mmrm.likelihood import Model
from analysis.statistics.mmrm.optimiser import ConvergenceError, maximise
from analysis.statistics.mmrm.patterns import Patterns, summarise, without

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
FEWEST_DRAWS = 100
# A resample whose model cannot be fitted is drawn again, so often at most.
_REDRAWS = 20
# The step after this leaves estimates within 1e-4 of their standard errors of the maximum, mostly far nearer.
_CLOSE_ENOUGH = 1e-8


@dataclass(frozen=True)
class ResampledCurves:
    """curves (draws, cells): the arm differences of every resample, in the order of `JointModel.curves`; left_out
    (participants, cells): those without each participant, for BCa; drawn_again: resamples whose model could not be
    fitted and that were replaced.
    """

    model: JointModel = field(repr=False)
    curves: FloatArray = field(repr=False)
    left_out: FloatArray | None = field(repr=False)
    drawn_again: int

    def level_contrast(self, day: float, *, first: Any = "S", second: Any = "Q", level: float = 0.95) -> Estimate:
        """As `JointModel.level_contrast`, with the interval of the resamples."""
        return self._interval(self.model.weights(day, first=first, second=second), level)

    def change_contrast(
        self, from_day: float, to_day: float, *, first: Any = "S", second: Any = "Q", level: float = 0.95
    ) -> Estimate:
        """As `JointModel.change_contrast`, with the interval of the resamples."""
        later = self.model.weights(to_day, first=first, second=second)
        return self._interval(later - self.model.weights(from_day, first=first, second=second), level)

    def _interval(self, weights: FloatArray, level: float) -> Estimate:
        require_level(level)
        value = float(weights @ self.model.curves["estimate"].to_numpy(dtype=float))
        left = None if self.left_out is None else self.left_out @ weights
        return from_draws(value, self.curves @ weights, level, left)


@dataclass(frozen=True)
class SignFlip:
    """p: two-sided, (1 + resamples at least as extreme) / (1 + draws); statistic: t of the arm; participants: those
    with both dimensions at the days asked for.
    """

    p: float
    statistic: float
    estimate: float
    participants: int
    draws: int


def bootstrap(
    model: JointModel, *, rng: np.random.Generator, draws: int = 2000, interval: Interval = "percentile"
) -> ResampledCurves:
    """The joint model fitted again to participants drawn with replacement within arm and stratum.

    All draws keep the covariance structure that `model` used and start from its estimates. interval "bca" also
    leaves out one participant at a time (Efron 1987, JASA 82:171). Costs one fit a draw: minutes for 2,000. Raises
    ValueError for fewer than 100 draws or another interval, ConvergenceError when resamples can hardly be fitted.
    Reference: Davison & Hinkley (1997), Bootstrap Methods and their Application, sections 3.2 (several samples) and
    5.3 (BCa).
    """
    if not isinstance(model, JointModel):
        msg = f"model is {type(model).__name__}; allowed is what joint_model(...) gives."
        raise ValueError(msg)  # noqa: TRY004 every refusal is a ValueError
    require_generator(rng)
    at_least("draws", draws, FEWEST_DRAWS)
    if interval not in get_args(Interval):
        raise ValueError(f"interval is {interval!r}; allowed are {', '.join(get_args(Interval))}.")
    refit = _Refit.of(model)
    groups = _groups(model)
    found, again = [], 0
    for _ in range(draws):
        curve, failures = refit.drawn(groups, rng)
        found.append(curve)
        again += failures
    left = refit.leaving_one_out() if interval == "bca" else None
    return ResampledCurves(model, np.stack(found), left, again)


def sign_flip(
    frame: pd.DataFrame,
    *,
    day: float,
    from_day: float | None = None,
    first: Any = "S",
    second: Any = "Q",
    reference: Any = "MDZ",
    rng: np.random.Generator,
    draws: int = 2000,
) -> SignFlip:
    """Test that the arms differ as much on one dimension as on the other, by flipping signs of residuals.

    D is a participant's improvement on the first dimension minus the second at `day` (less the same at `from_day`,
    where given: the change contrast). D is regressed on both baselines and strata, the signs of its residuals are
    flipped at random, and the t of the arm is worked out anew each time: with errors symmetric around 0 each
    flip is as likely, whatever their variances in the arms (Freedman & Lane 1983, J Bus Econ Stat 1:292; Winkler et
    al. 2014, NeuroImage 92:381). frame as for `joint_model`; participants without a value on both dimensions are
    left out. Raises ValueError naming what is wrong.
    """
    require_generator(rng)
    at_least("draws", draws, FEWEST_DRAWS)
    days = [day] if from_day is None else [day, from_day]
    difference, nuisance, arm = _differences(frame, days, (first, second), reference)
    basis, _ = np.linalg.qr(nuisance)
    residual, moved = (each - basis @ (basis.T @ each) for each in (difference, arm))
    df = len(residual) - nuisance.shape[1] - 1
    if df < 1 or moved @ moved < 1e-9 * (arm @ arm):
        raise ValueError(
            f"{len(residual)} participants have {first!r} and {second!r} at days {days}; they cannot tell the arms "
            "from baselines and strata. Join strata, or choose days that more have."
        )
    if np.abs(residual).max() <= 1e-12 * np.abs(difference).max() or not difference.any():
        raise ValueError(
            f"improvement on {first!r} and {second!r} differs by the same amount in everybody: there is no spread to "
            "test with. Choose other dimensions or days."
        )
    flipped = residual * rng.choice([-1.0, 1.0], (draws, len(residual)))
    values = np.vstack([residual, flipped])
    t = _arm_t(values - values @ basis @ basis.T, moved, df)
    beyond = int((np.abs(t[1:]) >= abs(t[0]) * (1 - 1e-12)).sum())
    effect = float(residual @ moved / (moved @ moved))
    return SignFlip((1 + beyond) / (1 + draws), float(t[0]), effect, len(residual), draws)


def _arm_t(values: FloatArray, moved: FloatArray, df: int) -> FloatArray:
    """t of the arm for rows of values, both cleared of everything else."""
    spread = moved @ moved
    slope = values @ moved / spread
    rest = (values**2).sum(axis=1) - slope**2 * spread
    return np.asarray(slope / np.sqrt(np.maximum(rest, np.finfo(float).tiny) / df / spread))


def _differences(
    frame: pd.DataFrame, days: list[float], dimensions: tuple[Any, Any], reference: Any
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """D (n,), what it is adjusted for (n, c), and 1 in the arm that is not the reference (n,)."""
    keys = ["subject", "arm", "dimension", "day"]
    rows = complete_rows(frame, "improvement", keys, ["baseline", "strata"])
    if rows.duplicated(["subject", "dimension", "day"]).any():
        raise ValueError("subject, dimension and day occur twice; one row each is allowed.")
    for name in ("arm", "strata"):
        if (rows.groupby("subject", observed=True)[name].nunique() > 1).any():
            raise ValueError(f"{name} changes within a subject; one for each subject is allowed.")
    rows = rows.assign(baseline=numbers(rows["baseline"], "baseline"))
    rows = rows[rows["day"].isin(days) & rows["dimension"].isin(dimensions)]
    wide = rows.pivot(index=["subject", "arm", "strata"], columns=["dimension", "day"], values="improvement")
    asked = [(dimension, day) for day in days for dimension in dimensions]
    held: list[Any] = wide.columns.tolist()
    if absent := [cell for cell in asked if cell not in held]:
        raise ValueError(f"dimension and day {absent} are not in the table; it holds {held}.")
    wide = wide[asked].dropna()
    signs = np.array([1.0, -1.0, -1.0, 1.0])[: len(asked)]
    about = wide.index.to_frame(index=False)
    arms = arm_levels(about["arm"], reference)
    if len(arms) != 2:
        raise ValueError(f"arm holds {arms}; a contrast of dimensions compares two arms.")
    start = rows.groupby(["subject", "dimension"], observed=True)["baseline"].first().unstack()
    baselines = start.loc[about["subject"], list(dimensions)].to_numpy(dtype=float)
    columns = [np.ones(len(about)), baselines - baselines.mean(axis=0)]
    names = ["intercept", *(f"baseline of {dimension}" for dimension in dimensions)]
    if about["strata"].nunique() > 1:
        strata = covariate(about["strata"])
        columns.append(strata.values)
        names.extend(strata.names)
    nuisance = np.column_stack(columns)
    require_full_rank(nuisance.T @ nuisance, names)
    return wide.to_numpy(dtype=float) @ signs, nuisance, (about["arm"] != reference).to_numpy(dtype=float)


def _groups(model: JointModel) -> list[IntArray]:
    """Places of the participants of each arm and stratum."""
    _, place = np.unique(model.strata_of_participants, axis=0, return_inverse=True)
    return [np.flatnonzero(place.ravel() == number) for number in range(int(place.max()) + 1)]


@dataclass(frozen=True)
class _Refit:
    """The fitted model, ready to be fitted to other participants; rows (cells, terms) of the arm differences."""

    model: JointModel
    rows: FloatArray

    @classmethod
    def of(cls, model: JointModel) -> "_Refit":
        design = model.fit.design
        visits = range(len(design.visits))
        rows = np.stack([design.row(1, visit) - design.row(0, visit) for visit in visits])
        return cls(model, rows @ design.transform)

    def curve(self, patterns: Patterns) -> FloatArray:
        """Arm differences (cells,) of the model fitted to these participants."""
        design, near = self.model.fit.design, self.model.fit.solution
        model = Model(patterns, design.expand, True)
        solution = maximise(model, near.covariances, near.theta, decrement_at_end=_CLOSE_ENOUGH)
        return np.asarray(self.rows @ (design.offset + design.scale * solution.state.beta))

    def drawn(self, groups: list[IntArray], rng: np.random.Generator) -> tuple[FloatArray, int]:
        """One resample's curve, and how many had to be given up before it."""
        subjects = self.model.fit.design.subjects
        for failures in range(_REDRAWS):
            rows = np.concatenate([rng.choice(own, own.size) for own in groups])
            try:
                return self.curve(summarise(subjects.take(rows))), failures
            except (ConvergenceError, LinAlgError):
                continue
        raise ConvergenceError(
            f"{_REDRAWS} resamples in a row could not be fitted with {self.model.covariance_used!r}. Fit the joint "
            "model with a covariance of fewer parameters (un_un, un_ar1_re)."
        )

    def leaving_one_out(self) -> FloatArray:
        """Curves (participants, cells) without each participant."""
        subjects = self.model.fit.design.subjects
        whole = summarise(subjects)
        places = range(len(subjects.y))
        return np.stack([self.curve(without(whole, subjects.take(np.array([place])))) for place in places])
