"""Sufficient statistics of repeated measures, per pattern of observed visits.

With V visits and k values known of a subject (1, arm, covariates), the likelihood of the normal model sees a
subject only through sums over all who were observed at the same visits: of u u', y u' and y y'. An iteration
then costs the same for two hundred subjects and for two hundred thousand.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Subjects:
    """One row a subject: y (N, V) with 0 where unobserved, observed (N, V), u (N, k), and the covariance group."""

    y: FloatArray
    observed: BoolArray
    u: FloatArray
    group: IntArray

    def take(self, rows: IntArray | BoolArray) -> Self:
        """Some of the subjects, in the order given, repeats allowed."""
        return replace(self, y=self.y[rows], observed=self.observed[rows], u=self.u[rows], group=self.group[rows])


@dataclass(frozen=True)
class Patterns:
    """Per pattern g of G: count (G,), observed (G, V), group (G,), and the sums uu (G, k, k), yu (G, V, k), yy
    (G, V, V) over its subjects.
    """

    count: FloatArray
    observed: BoolArray
    group: IntArray
    uu: FloatArray
    yu: FloatArray
    yy: FloatArray

    @property
    def observations(self) -> int:
        """Measurements in all."""
        return int(self.count @ self.observed.sum(axis=1))

    @property
    def pairs_observed(self) -> BoolArray:
        """Observed twice over (G, V, V): both visits of a pair."""
        return np.asarray(self.observed[:, :, None] & self.observed[:, None, :])


def summarise(subjects: Subjects) -> Patterns:
    """The sufficient statistics of some subjects."""
    keys = np.column_stack([subjects.group, np.packbits(subjects.observed, axis=1)])
    _, first, place = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(place.ravel(), kind="stable")
    sizes = np.bincount(place.ravel(), minlength=len(first))
    y, u = subjects.y[order], subjects.u[order]
    members = np.split(np.arange(len(order)), np.cumsum(sizes)[:-1])
    return Patterns(
        count=sizes.astype(float),
        observed=subjects.observed[first],
        group=subjects.group[first],
        uu=np.stack([u[rows].T @ u[rows] for rows in members]),
        yu=np.stack([y[rows].T @ u[rows] for rows in members]),
        yy=np.stack([y[rows].T @ y[rows] for rows in members]),
    )


def without(patterns: Patterns, subject: Subjects) -> Patterns:
    """The sufficient statistics less those of one subject (N = 1), for leaving one out at no cost."""
    same = (patterns.observed == subject.observed[0]).all(axis=1) & (patterns.group == subject.group[0])
    place = int(np.flatnonzero(same)[0])
    if patterns.count[place] == 1:
        keep = np.arange(len(patterns.count)) != place
        return Patterns(*(getattr(patterns, name)[keep] for name in Patterns.__dataclass_fields__))
    y, u = subject.y[0], subject.u[0]
    taken = {"count": 1.0, "uu": np.outer(u, u), "yu": np.outer(y, u), "yy": np.outer(y, y)}
    sums = {name: getattr(patterns, name).copy() for name in taken}
    for name, part in taken.items():
        sums[name][place] -= part
    return replace(patterns, **sums)
