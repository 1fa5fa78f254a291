"""The mixed model for repeated measures as users call it: a fit and its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import log
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.arguments import floats, require_level
from analysis.statistics.columns import column_names
from analysis.statistics.estimate import Estimate
from analysis.statistics.mmrm.design import Columns, Design, build
from analysis.statistics.mmrm.inference import DegreesOfFreedom, Inference, LinearTest
from analysis.statistics.mmrm.likelihood import Model
from analysis.statistics.mmrm.optimiser import ConvergenceError, Covariances, Solution, maximise, require_every_pair
from analysis.statistics.mmrm.patterns import Patterns, summarise
from analysis.statistics.mmrm.structures import STRUCTURES, structure

FloatArray = NDArray[np.float64]
FALLBACKS = ("us", "toeph", "ar1h", "csh", "cs")


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    log_likelihood: restricted unless `reml` was False, constant included; aic, bic count the covariance
    parameters, bic the subjects. covariance: DataFrame visit by visit, or a dict of them by arm;
    covariance_structure: the one fitted; not_converged: structures tried before it, and why each failed.
    coefficients: DataFrame term, estimate, se, df, t, p, lower, upper; subjects_left_out: without any complete
    row; iterations: Newton steps.
    """

    log_likelihood: float
    aic: float
    bic: float
    covariance: pd.DataFrame | dict[Any, pd.DataFrame]
    covariance_structure: str
    observations: int
    subjects: int
    subjects_left_out: int
    iterations: int
    converged: bool
    coefficients: pd.DataFrame
    not_converged: tuple[tuple[str, str], ...]
    _design: Design = field(repr=False)
    _inference: Inference = field(repr=False)

    @property
    def design(self) -> Design:
        """The model of the means and who was in it, for fitting it again to others."""
        return self._design

    @property
    def solution(self) -> Solution:
        """The maximum of the likelihood."""
        return self._inference.solution

    def ls_means(self) -> pd.DataFrame:
        """Adjusted means: arm, visit, estimate, se, df, lower, upper.

        Numeric covariates at their mean over the rows fitted, factors equally weighted.
        """
        return self._by_arm_and_visit(range(len(self._design.arms)), minus_reference=False).drop(columns=["t", "p"])

    def contrasts(self) -> pd.DataFrame:
        """Each arm against the reference at each visit: arm, visit, estimate, se, df, t, p, lower, upper."""
        return self._by_arm_and_visit(range(1, len(self._design.arms)), minus_reference=True)

    def test(self, L: ArrayLike) -> LinearTest:
        """Joint test of L @ coefficients = 0; L (n, terms) in the order of `coefficients`, or one row (terms,).

        Raises ValueError for another shape, values that are not finite, or rows that follow from each other.
        """
        rows = np.atleast_2d(floats("L", L))
        terms = len(self._design.terms)
        if rows.ndim != 2 or rows.shape[1] != terms or not np.isfinite(rows).all():
            raise ValueError(f"L has shape {rows.shape}; allowed are finite rows of {terms}, one per coefficient.")
        return self._inference.test(rows @ self._design.transform)

    def combination(self, weights: Mapping[tuple[int, int], float]) -> Estimate:
        """A weighted sum of differences from the reference, by place of arm (1, ...) and visit (0, ...)."""
        design = self._design
        parts = [weight * (design.row(arm, visit) - design.row(0, visit)) for (arm, visit), weight in weights.items()]
        row = self._inference.table(np.sum(parts, axis=0)[None] @ design.transform).iloc[0]
        names = ("estimate", "se", "lower", "upper", "df", "t", "p")
        return Estimate(*(float(row[name]) for name in names))

    def contrast_covariance(self) -> FloatArray:
        """Covariance of the estimates of `contrasts`, in their order."""
        design = self._design
        rows = np.stack(
            [
                design.row(arm, visit) - design.row(0, visit)
                for arm in range(1, len(design.arms))
                for visit in range(len(design.visits))
            ]
        )
        turned = rows @ design.transform
        return np.asarray(design.scale**2 * turned @ self._inference.variance @ turned.T)

    def _by_arm_and_visit(self, arms: Sequence[int], *, minus_reference: bool) -> pd.DataFrame:
        design = self._design
        places = [(arm, visit) for arm in arms for visit in range(len(design.visits))]
        rows = [design.row(arm, visit) - (design.row(0, visit) if minus_reference else 0.0) for arm, visit in places]
        table = self._inference.table(np.stack(rows) @ design.transform)
        table.insert(0, "arm", [design.arms[arm] for arm, _ in places])
        table.insert(1, "visit", [design.visits[visit] for _, visit in places])
        return table


def fit(
    frame: pd.DataFrame,
    *,
    response: str,
    subject: str,
    visit: str,
    arm: str,
    reference: Any,
    covariates: Sequence[str] = (),
    covariates_by_visit: Sequence[str] = (),
    covariance: str = "us",
    df: DegreesOfFreedom = "satterthwaite",
    reml: bool = True,
    covariance_by_arm: bool = False,
    level: float = 0.95,
) -> Fit:
    """Mixed model for repeated measures: one row per subject and visit.

    Means: intercept, arm, visit, arm by visit, every covariate, and the visit interaction of those in
    `covariates_by_visit`; strings and categories are factors, numbers numeric; levels sorted unless an ordered
    categorical. Errors: normal, correlated within a subject as `covariance` says: us, or toep, ar1, cs, ad with
    one variance, with an h with one per visit; one matrix, or one per arm. Rows with a missing response or
    covariate are left out; a visit without any row left is not in the model, nor in its tables.

    Raises ValueError naming the argument: one arm only, a singular design, a subject and visit twice, a visit
    seen in fewer than two subjects, an infinite value; ConvergenceError (a ValueError) when the covariance
    cannot be fitted. References: Mallinckrodt et al. (2008), Drug Inf J 42:303; the modules of this package.
    """
    require_level(level)
    if df not in get_args(DegreesOfFreedom):
        raise ValueError(f"df is {df!r}; allowed are satterthwaite, kenward_roger, residual.")
    if df == "kenward_roger" and not reml:
        raise ValueError("df kenward_roger corrects a REML fit; with reml=False choose satterthwaite or residual.")
    if not isinstance(reml, bool | np.bool_):
        msg = f"reml is {reml!r}; allowed are True and False."
        raise ValueError(msg)  # noqa: TRY004 every refusal is a ValueError
    if covariance not in STRUCTURES:
        raise ValueError(f"covariance is {covariance!r}; allowed are {', '.join(STRUCTURES)}.")
    columns = Columns(
        response,
        subject,
        visit,
        arm,
        column_names("covariates", covariates),
        column_names("covariates_by_visit", covariates_by_visit),
    )
    design = build(frame, columns, reference, group_by_arm=covariance_by_arm)
    groups = len(design.arms) if covariance_by_arm else 1
    covariances = Covariances(covariance, structure(covariance, len(design.visits)), groups)
    return fit_design(design, covariances, df=df, reml=reml, level=level)


def fit_design(design: Design, covariances: Covariances, *, df: DegreesOfFreedom, reml: bool, level: float) -> Fit:
    """Fit a design that is checked already, with any covariance structure. Raises ConvergenceError."""
    patterns = summarise(design.subjects)
    if covariances.name == "us":
        require_every_pair(patterns, covariances.name)
    solution = maximise(Model(patterns, design.expand, reml), covariances, starting_values(patterns, covariances))
    return _result(design, solution, df, level)


def fit_first_converging(frame: pd.DataFrame, *, covariances: Sequence[str] = FALLBACKS, **options: Any) -> Fit:
    """The first structure of a pre-specified list that can be fitted; options as for `fit`.

    `covariance_structure` of the result says which was used, `not_converged` why those before it were not.
    Raises ConvergenceError when none can, ValueError for everything a list cannot help.
    """
    listed = isinstance(covariances, Sequence) and all(isinstance(name, str) for name in covariances)
    if not listed or not covariances:
        raise ValueError(f"covariances is {covariances!r}; allowed is a list, one or more of {', '.join(STRUCTURES)}.")
    failed: list[tuple[str, str]] = []
    for name in dict.fromkeys(covariances):
        try:
            return replace(fit(frame, covariance=name, **options), not_converged=tuple(failed))
        except ConvergenceError as error:
            failed.append((name, str(error)))
    reasons = " ".join(f"{name}: {reason}" for name, reason in failed)
    raise ConvergenceError(f"None of the covariances {list(covariances)} could be fitted. {reasons}")


def starting_values(patterns: Patterns, covariances: Covariances) -> FloatArray:
    """Moments of the residuals of least squares over all pairs of visits, made positive definite (q,)."""
    pairs = np.einsum("g,gab->ab", patterns.count, patterns.pairs_observed.astype(float))
    moments = patterns.yy.sum(axis=0) / np.maximum(pairs, 1.0)
    sd = np.sqrt(np.maximum(np.diag(moments), 1e-3 * np.diag(moments).max()))
    correlations = moments / np.outer(sd, sd)
    np.fill_diagonal(correlations, 1.0)
    values, axes = np.linalg.eigh(correlations)
    repaired = (axes * np.maximum(values, 0.05)) @ axes.T
    scale = sd / np.sqrt(np.diag(repaired))
    return np.tile(covariances.structure.start(repaired * np.outer(scale, scale)), covariances.groups)


def _result(design: Design, solution: Solution, df: DegreesOfFreedom, level: float) -> Fit:
    patterns, state = solution.state.model.patterns, solution.state
    observations, terms = patterns.observations, len(design.terms)
    beta = design.offset + design.scale * state.beta
    # The deviance was that of the scaled residuals in standardised covariates.
    deviance = state.deviance + 2 * (observations - terms * state.model.reml) * log(design.scale)
    if state.model.reml:
        deviance -= 2 * float(np.linalg.slogdet(design.transform)[1])
    inference = Inference(solution, beta, df, float(observations - terms), level, design.scale)
    table = inference.table(design.transform)
    table.insert(0, "term", design.terms)
    parameters = len(solution.theta)
    return Fit(
        log_likelihood=-deviance / 2,
        aic=deviance + 2 * parameters,
        bic=deviance + parameters * log(len(design.names)),
        covariance=_matrices(design, state.sigma),
        covariance_structure=solution.covariances.name,
        observations=observations,
        subjects=len(design.names),
        subjects_left_out=design.left_out,
        iterations=solution.iterations,
        converged=True,
        coefficients=table,
        not_converged=(),
        _design=design,
        _inference=inference,
    )


def _matrices(design: Design, sigma: FloatArray) -> pd.DataFrame | dict[Any, pd.DataFrame]:
    tables = [pd.DataFrame(part * design.scale**2, design.visits, design.visits) for part in sigma]
    return tables[0] if len(tables) == 1 else dict(zip(design.arms, tables, strict=True))
