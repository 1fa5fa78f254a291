"""All dimensions and days in one model, so that effects on different dimensions can be compared."""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.arguments import require_level
from analysis.statistics.columns import codes, complete_rows, levels
from analysis.statistics.estimate import Estimate
from analysis.statistics.mmrm.design import Columns, Design, build
from analysis.statistics.mmrm.fits import Fit, fit_design
from analysis.statistics.mmrm.inference import DegreesOfFreedom
from analysis.statistics.mmrm.kronecker import AutoregressiveAroundLevel, FirstVarianceOne, Kronecker
from analysis.statistics.mmrm.optimiser import ConvergenceError, Covariances
from analysis.statistics.mmrm.structures import Structure, Unstructured

FloatArray = NDArray[np.float64]
JointCovariance = Literal["us", "un_un", "un_ar1_re"]


@dataclass(frozen=True)
class JointModel:
    """curves: DataFrame dimension, day, estimate (active minus reference, SDs of baseline), se, df, t, p, lower, upper;
    curve_covariance: of their estimates, in that order; covariance_used: the structure fitted; not_converged: those
    tried before it, with the reason; strata_of_participants (N, 2): arm and stratum of each participant, coded.
    """

    curves: pd.DataFrame
    curve_covariance: FloatArray
    covariance_used: str
    not_converged: tuple[tuple[str, str], ...]
    fit: Fit = field(repr=False)
    strata_of_participants: NDArray[np.intp] = field(repr=False)

    def level_contrast(self, day: float, *, first: Any = "S", second: Any = "Q") -> Estimate:
        """C(day): effect on the first dimension minus effect on the second, at one day."""
        return self._contrast(self.weights(day, first=first, second=second))

    def change_contrast(self, from_day: float, to_day: float, *, first: Any = "S", second: Any = "Q") -> Estimate:
        """C(to_day) - C(from_day): above 0 when the first dimension outlasts the second."""
        later = self.weights(to_day, first=first, second=second)
        return self._contrast(later - self.weights(from_day, first=first, second=second))

    def weights(self, day: float, *, first: Any = "S", second: Any = "Q") -> FloatArray:
        """The level contrast as weights of the rows of `curves` (cells,)."""
        weights = np.zeros(len(self.curves))
        weights[self._cell(first, day)] += 1.0
        weights[self._cell(second, day)] -= 1.0
        return weights

    def _contrast(self, weights: FloatArray) -> Estimate:
        return self.fit.combination({(1, int(cell)): float(weights[cell]) for cell in np.flatnonzero(weights)})

    def _cell(self, dimension: Any, day: float) -> int:
        cells = list(zip(self.curves["dimension"], self.curves["day"], strict=True))
        if (dimension, day) not in cells:
            raise ValueError(f"dimension {dimension!r} at day {day!r} is not in the model; it holds {cells}.")
        return cells.index((dimension, day))


def joint_model(
    frame: pd.DataFrame,
    *,
    covariance: JointCovariance = "us",
    reference: Any = "MDZ",
    df: DegreesOfFreedom = "kenward_roger",
    level: float = 0.95,
) -> JointModel:
    """Arm differences of improvement for every dimension and day, from one mixed model of them all.

    frame: one row per subject, dimension and day, columns subject, arm (two), dimension, day, improvement, baseline
    (of that dimension), strata. Means: dimension by day by arm, dimension by day by baseline, strata. Within a
    subject: "us", every cell its own; "un_un", unstructured between dimensions times unstructured between days;
    "un_ar1_re", the latter autoregressive around a random level. A structure that cannot be fitted gives way to the
    next of these, and the result says so. Raises ValueError naming what is wrong, ConvergenceError if none can.
    References: Galecki (1994), Commun Stat Theory Methods 23:3105 (products of covariances); Kenward & Roger (1997),
    Biometrics 53:983; Fai & Cornelius (1996), J Stat Comput Simul 54:363 (Satterthwaite).
    """
    require_level(level)
    order = get_args(JointCovariance)
    if covariance not in order or df not in get_args(DegreesOfFreedom):
        raise ValueError(
            f"covariance {covariance!r}, df {df!r}; allowed are {', '.join(order)} and "
            f"{', '.join(get_args(DegreesOfFreedom))}."
        )
    design, cells = _design(frame, reference)
    failed: list[tuple[str, str]] = []
    for name in order[order.index(covariance) :]:
        try:
            structure = _structure(name, cells)
            fit = fit_design(design, Covariances(name, structure, 1), df=df, reml=True, level=level)
        except ConvergenceError as error:
            failed.append((name, str(error)))
        else:
            curves = fit.contrasts().drop(columns=["arm", "visit"])
            curves.insert(0, "dimension", [dimension for dimension, _ in cells])
            curves.insert(1, "day", [day for _, day in cells])
            return JointModel(curves, fit.contrast_covariance(), name, tuple(failed), fit, _strata_codes(frame, design))
    raise ConvergenceError(f"No covariance could be fitted to {len(cells)} cells: {failed}. Leave out a day.")


def _design(frame: pd.DataFrame, reference: Any) -> tuple[Design, list[tuple[Any, Any]]]:
    names = ["subject", "arm", "dimension", "day"]
    rows = complete_rows(frame, "improvement", names, ["baseline", "strata"])
    cells = [
        (dimension, day)
        for dimension in levels(rows["dimension"])
        for day in levels(rows.loc[rows["dimension"] == dimension, "day"])
    ]
    labels = [f"{dimension} day {day}" for dimension, day in cells]
    label_of = dict(zip(cells, labels, strict=True))
    pairs = zip(rows["dimension"], rows["day"], strict=True)
    cell = pd.Categorical([label_of[pair] for pair in pairs], labels, ordered=True)
    columns = Columns("improvement", "subject", "cell", "arm", ("baseline", *_strata(rows)), ("baseline",))
    design = build(rows.assign(cell=cell), columns, reference, group_by_arm=False)
    if len(design.arms) != 2:
        raise ValueError(f"arm holds {design.arms}; a contrast of dimensions compares two arms.")
    return design, cells


def _strata(rows: pd.DataFrame) -> tuple[str, ...]:
    """Nothing to adjust for where all are in one stratum."""
    return ("strata",) if rows["strata"].nunique() > 1 else ()


def _strata_codes(frame: pd.DataFrame, design: Design) -> NDArray[np.intp]:
    about = frame.dropna(subset=["strata"]).drop_duplicates("subject").set_index("subject").loc[design.names]
    return np.column_stack([codes(about[name], levels(about[name])) for name in ("arm", "strata")])


def _structure(name: str, cells: list[tuple[Any, Any]]) -> Structure:
    if name == "us":
        return Unstructured(len(cells))
    by_dimension: dict[Any, list[Any]] = {}
    for dimension, day in cells:
        by_dimension.setdefault(dimension, []).append(day)
    days = next(iter(by_dimension.values()))
    if any(other != days for other in by_dimension.values()):
        raise ConvergenceError(f"{name} needs the same days in every dimension; they are {by_dimension}.")
    if name == "un_ar1_re" and len(days) < 3:
        raise ConvergenceError(f"{name} needs three days or more; there are {days}.")
    times = FirstVarianceOne(len(days)) if name == "un_un" else AutoregressiveAroundLevel(len(days))
    return Kronecker(Unstructured(len(by_dimension)), times, len(days))
