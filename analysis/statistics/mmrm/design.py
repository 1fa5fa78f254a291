"""From a table with one row per subject and visit to subjects, terms and the map from terms to visits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.columns import (
    Covariate,
    arm_levels,
    codes,
    complete_rows,
    covariate,
    indicators,
    levels,
    numbers,
    require_full_rank,
)
from analysis.statistics.mmrm.patterns import Patterns, Subjects, summarise

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Columns:
    """Which column of the table plays which part."""

    response: str
    subject: str
    visit: str
    arm: str
    covariates: Sequence[str]
    by_visit: Sequence[str]


@dataclass(frozen=True)
class Design:
    """The model of the means, in standardised covariates and in residuals of least squares.

    terms (p); arms and visits in order; subjects (N) with the response as scaled residual of least squares;
    names (N) of the subjects; expand C (V, k, p); transform (p, p): coefficients as asked for = transform @
    those in standardised covariates; offset (p,): least squares in standardised covariates; scale: of the
    response; mean_row: (p,) of the reference arm at the first visit, covariates at their point.
    """

    columns: Columns
    terms: list[str]
    arms: list[Any]
    visits: list[Any]
    subjects: Subjects
    names: list[Any]
    expand: FloatArray
    transform: FloatArray
    offset: FloatArray
    scale: float
    points: list[Covariate]
    left_out: int

    def row(self, arm: int, visit: int) -> FloatArray:
        """The mean of an arm at a visit as a combination of terms (p,); covariates at their point."""
        values = dict.fromkeys(self.terms, 0.0)
        at = self.columns
        values["intercept"] = 1.0
        if arm:
            values[f"{at.arm}[{self.arms[arm]}]"] = 1.0
        if visit:
            values[f"{at.visit}[{self.visits[visit]}]"] = 1.0
        if arm and visit:
            values[f"{at.arm}[{self.arms[arm]}]:{at.visit}[{self.visits[visit]}]"] = 1.0
        for part in self.points:
            for name, point in zip(part.names, part.point, strict=True):
                values[name] = point
                if visit and part.name in at.by_visit:
                    values[f"{name}:{at.visit}[{self.visits[visit]}]"] = point
        return np.array(list(values.values()))


def build(
    frame: pd.DataFrame, columns: Columns, reference: Any, *, group_by_arm: bool, keep_unobserved: bool = False
) -> Design:
    """Check the table and turn it into a design. Raises ValueError naming what is wrong.

    With `keep_unobserved` rows without a response stay, as visits at which their subject was not observed.
    """
    unknown = [name for name in columns.by_visit if name not in columns.covariates]
    covariates = [*columns.covariates, *unknown]
    keys = [columns.subject, columns.visit, columns.arm]
    rows = complete_rows(frame, columns.response, keys, covariates)
    if keep_unobserved:
        rows = frame.loc[frame[covariates].notna().all(axis=1), rows.columns]
    response = numbers(rows[columns.response], "response")
    arms = arm_levels(rows[columns.arm], reference, columns.arm)
    visits = levels(rows[columns.visit])
    subject, names = pd.factorize(rows[columns.subject])
    visit = codes(rows[columns.visit], visits)
    _require_visits(rows, columns, subject, visit, visits, np.isfinite(response))
    arm = codes(rows[columns.arm], arms)
    arm_of = _constant(arm[:, None].astype(float), subject)
    if arm_of is None:
        raise ValueError(f"{columns.arm} changes within a subject; each subject has one arm.")
    place = arm_of[:, 0].astype(np.intp)
    parts = [covariate(rows[name]) for name in covariates]
    known, where, sizes = _known(parts, subject, visit, indicators(place, len(arms)), len(visits))
    expand, terms = _expand(columns, arms, visits, parts, where, known.shape[1])
    y = np.zeros((len(names), len(visits)))
    observed = np.zeros(y.shape, dtype=bool)
    y[subject, visit] = np.nan_to_num(response)
    observed[subject, visit] = np.isfinite(response)
    raw = Subjects(y, observed, known, place if group_by_arm else np.zeros(len(names), dtype=np.intp))
    offset, residual = _least_squares(raw, expand, terms)
    spread = residual[observed].std()
    if spread <= 1e-12 * max(np.abs(y).max(), np.finfo(float).tiny):
        raise ValueError(f"{columns.response} is fitted without any error; there is no variance to estimate.")
    left_out = int(frame[columns.subject].nunique()) - len(names)
    return Design(
        columns, terms, arms, visits, Subjects(residual / spread, observed, known, raw.group), list(names),
        expand, _transform(terms, sizes), offset, float(spread), parts, left_out,
    )  # fmt: skip


def _require_visits(
    rows: pd.DataFrame,
    columns: Columns,
    subject: IntArray,
    visit: IntArray,
    visits: list[Any],
    observed: NDArray[np.bool_],
) -> None:
    place = subject * len(visits) + visit
    _, first, count = np.unique(place, return_index=True, return_counts=True)
    if (count > 1).any():
        twice = rows.iloc[first[count > 1]][[columns.subject, columns.visit]].head(3).to_numpy().tolist()
        raise ValueError(f"subject and visit occur twice: {twice}; one row per subject and visit is allowed.")
    seen = np.bincount(visit[observed], minlength=len(visits))
    if (seen < 2).any():
        few = [visits[place] for place in np.flatnonzero(seen < 2)]
        raise ValueError(f"visit {few} was seen in fewer than two subjects; leave it out or join it to another.")


def _constant(values: FloatArray, subject: IntArray) -> FloatArray | None:
    """One row per subject if the values never change within one, else None."""
    found = np.empty((int(subject.max()) + 1, values.shape[1]))
    found[subject[::-1]] = values[::-1]
    return found if np.array_equal(found[subject], values) else None


def _known(
    parts: list[Covariate], subject: IntArray, visit: IntArray, arms: FloatArray, visits: int
) -> tuple[FloatArray, dict[str, IntArray], dict[str, tuple[float, float]]]:
    """What is known of each subject (N, k): 1, arm, covariates.

    A covariate that changes over time is known once per visit. Also: for each covariate column its places in k,
    one or one per visit, and for numbers mean and SD, by which they are standardised.
    """
    known = [np.ones((len(arms), 1)), arms]
    where: dict[str, IntArray] = {}
    sizes: dict[str, tuple[float, float]] = {}
    width = 1 + arms.shape[1]
    for part in parts:
        values = part.values
        if not part.is_factor:
            values, sizes[part.name] = _standardised(values)
        once = _constant(values, subject)
        for column, name in enumerate(part.names):
            if once is None:
                table = np.zeros((len(arms), visits))
                table[subject, visit] = values[:, column]
            else:
                table = once[:, [column]]
            known.append(table)
            where[name] = np.arange(width, width + table.shape[1])
            width += table.shape[1]
    return np.column_stack(known), where, sizes


def _standardised(values: FloatArray) -> tuple[FloatArray, tuple[float, float]]:
    mean, sd = float(values.mean()), float(values.std())
    if sd <= 1e-12 * np.abs(values).max():
        # A constant says nothing beside the intercept; the check of the design says so by name.
        return np.zeros_like(values), (mean, 1.0)
    return (values - mean) / sd, (mean, sd)


def _expand(
    columns: Columns,
    arms: list[Any],
    visits: list[Any],
    parts: list[Covariate],
    where: dict[str, IntArray],
    known: int,
) -> tuple[FloatArray, list[str]]:
    """C (V, k, p), and the names of the terms."""
    every = np.arange(len(visits))
    terms: dict[str, tuple[Any, Any]] = {"intercept": (every, 0)}
    labels = [f"{columns.visit}[{visit}]" for visit in visits]
    for place, arm in enumerate(arms[1:], start=1):
        terms[f"{columns.arm}[{arm}]"] = (every, place)
    for visit in every[1:]:
        terms[labels[visit]] = (visit, 0)
    for place, arm in enumerate(arms[1:], start=1):
        for visit in every[1:]:
            terms[f"{columns.arm}[{arm}]:{labels[visit]}"] = (visit, place)
    for name in (name for part in parts for name in part.names):
        terms[name] = (every, where[name])
    for name in (name for part in parts if part.name in columns.by_visit for name in part.names):
        for visit in every[1:]:
            terms[f"{name}:{labels[visit]}"] = (visit, where[name][min(visit, len(where[name]) - 1)])
    expand = np.zeros((len(visits), known, len(terms)))
    for column, (at, value) in enumerate(terms.values()):
        expand[at, value, column] = 1.0
    return expand, list(terms)


def _transform(terms: list[str], sizes: dict[str, tuple[float, float]]) -> FloatArray:
    """Coefficients of standardised covariates to those of the covariates as given."""
    matrix = np.eye(len(terms))
    for name, (mean, sd) in sizes.items():
        for column, term in enumerate(terms):
            if term == name or term.startswith(f"{name}:"):
                base = "intercept" if term == name else term.removeprefix(f"{name}:")
                matrix[column, column] = 1 / sd
                matrix[terms.index(base), column] = -mean / sd
    return matrix


def _least_squares(subjects: Subjects, expand: FloatArray, terms: list[str]) -> tuple[FloatArray, FloatArray]:
    """Ordinary least squares: coefficients (p,) and residuals (N, V), 0 where unobserved."""
    sums: Patterns = summarise(subjects)
    visits, known, count = expand.shape
    per_visit = np.einsum("gv,gjl->vjl", sums.observed.astype(float), sums.uu)
    gram = np.einsum("vjp,vjl,vlq->pq", expand, per_visit, expand, optimize=True)
    require_full_rank(gram, terms)
    flat = expand.reshape(visits * known, count)
    beta = np.linalg.solve(gram, flat.T @ sums.yu.sum(axis=0).ravel())
    fitted = subjects.u @ (flat @ beta).reshape(visits, known).T
    return beta, np.where(subjects.observed, subjects.y - fitted, 0.0)
