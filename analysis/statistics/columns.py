"""From the columns of a trial's table to levels, codes and numbers: what every model of an arm begins with."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import qr

FloatArray = NDArray[np.float64]
# Least share of a column that must not follow from the others; R's lm uses the same on its QR.
_INDEPENDENT = 1e-7


@dataclass(frozen=True)
class Covariate:
    """A covariate as columns of a design: names (C), values (n, C) and the point (C,) where means are taken.

    A number is one column and its point is its mean over the rows; a factor is one indicator per level but
    the first, and its point weighs all levels equally.
    """

    name: str
    names: tuple[str, ...]
    values: FloatArray
    point: FloatArray
    is_factor: bool


def require_columns(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise ValueError unless frame is a table with rows and every column named."""
    if not isinstance(frame, pd.DataFrame) or frame.empty:
        raise ValueError("frame has no rows; a table with one row per measurement is needed.")
    if strange := [column for column in columns if not isinstance(column, Hashable)]:
        raise ValueError(f"{strange} is no column's name; the table has {list(frame.columns)}.")
    absent = [column for column in columns if column not in frame.columns]
    if absent:
        raise ValueError(f"frame has no column {absent}; it has {list(frame.columns)}.")


def column_names(argument: str, columns: Sequence[str] | None) -> tuple[str, ...]:
    """Names of columns; one alone may be given as it is, None is none. Raises ValueError for anything else."""
    if columns is None:
        return ()
    if isinstance(columns, str):
        return (columns,)
    if not isinstance(columns, Iterable) or not all(isinstance(column, Hashable) for column in columns):
        msg = f"{argument} is {columns!r}; allowed are names of columns, as ['baseline', 'site']."
        raise ValueError(msg)
    return tuple(columns)


def numbers(values: pd.Series, argument: str) -> FloatArray:
    """A column as floats, missing as nan, yes and no as 1 and 0. Raises ValueError for text and infinite values."""
    if not pd.api.types.is_numeric_dtype(values):
        raise ValueError(f"{argument} is column {values.name!r} of type {values.dtype}; numbers are needed.")
    found = values.to_numpy(dtype=float, na_value=np.nan)
    if np.isinf(found).any():
        raise ValueError(f"{argument}: column {values.name!r} holds an infinite value; give a number or missing.")
    return found


def levels(values: pd.Series) -> list[Any]:
    """The levels that occur: in the order of an ordered categorical, else sorted.

    Raises ValueError for levels of different kinds, which have no order.
    """
    if isinstance(values.dtype, pd.CategoricalDtype) and values.dtype.ordered:
        return [level for level in values.cat.categories.tolist() if (values == level).any()]
    found = values.dropna().unique().tolist()
    try:
        return sorted(found)
    except TypeError:
        kinds = sorted({type(level).__name__ for level in found})
        raise ValueError(f"Column {values.name!r} holds values of different kinds, {kinds}; one is allowed.") from None


def codes(values: pd.Series, known: Sequence[Any]) -> NDArray[np.intp]:
    """The place of each value among the known levels."""
    return np.asarray(pd.Index(known).get_indexer(pd.Index(values)), dtype=np.intp)


def arm_levels(values: pd.Series, reference: Any, argument: str = "arm") -> list[Any]:
    """The arms that occur, the reference first. Raises ValueError for one arm only or an unknown reference."""
    found = levels(values)
    if reference not in found:
        raise ValueError(f"reference is {reference!r}; the column {argument} holds {found} in the rows used.")
    if len(found) < 2:
        raise ValueError(f"{argument} holds one arm only, {found}; two or more are needed for a comparison.")
    return [reference, *(arm for arm in found if arm != reference)]


def indicators(place: NDArray[np.intp], count: int) -> FloatArray:
    """One indicator column per level but the first: treatment contrasts."""
    return np.asarray(place[:, None] == np.arange(1, count), dtype=float)


def covariate(values: pd.Series) -> Covariate:
    """A column of complete rows as a covariate: strings, categories and yes/no are factors, numbers numeric.

    Raises ValueError for a factor with one level and for infinite values.
    """
    name = str(values.name)
    if is_numeric(values):
        column = numbers(values, "covariates")
        return Covariate(name, (name,), column[:, None], np.array([column.mean()]), False)
    found = levels(values)
    if len(found) < 2:
        raise ValueError(f"covariates: {name!r} has one level only, {found}, in the rows used; leave it out.")
    names = tuple(f"{name}[{level}]" for level in found[1:])
    point = np.full(len(names), 1 / len(found))
    return Covariate(name, names, indicators(codes(values, found), len(found)), point, True)


def is_numeric(values: pd.Series) -> bool:
    """Whether a covariate counts as a number; yes/no is a factor."""
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def complete_rows(frame: pd.DataFrame, response: str, keys: Sequence[str], covariates: Sequence[str]) -> pd.DataFrame:
    """The rows with a response and every covariate.

    Raises ValueError if a key (subject, visit, arm) is missing, a column is named twice, a value is infinite,
    or no row is left.
    """
    named = [*keys, response, *covariates]
    require_columns(frame, named)
    if len(set(named)) < len(named):
        raise ValueError(f"A column is named twice among {named}; each may have one part in the model.")
    if "intercept" in named:
        raise ValueError("A column is named 'intercept', as the model's first term is; rename the column.")
    for key in keys:
        if frame[key].isna().any():
            raise ValueError(f"Column {key!r} is missing in {int(frame[key].isna().sum())} rows; fill or remove them.")
    observed = np.isfinite(numbers(frame[response], "response"))
    for name in covariates:
        if is_numeric(frame[name]):
            numbers(frame[name], "covariates")
        observed &= frame[name].notna().to_numpy()
    if not observed.any():
        raise ValueError(f"No row holds a value of {response!r} and of every covariate; there is nothing to fit.")
    return frame.loc[observed, named]


def require_full_rank(gram: FloatArray, terms: Sequence[str]) -> None:
    """Raise ValueError naming the terms that follow from others, given the cross-products X'X (P, P)."""
    scale = np.sqrt(np.diag(gram))
    empty = [term for term, size in zip(terms, scale, strict=True) if size == 0]
    if not empty:
        # Cross-products square the share that is left of a column.
        _, triangle, order = qr(gram / np.outer(scale, scale), pivoting=True)
        lost = np.abs(np.diag(triangle)) < _INDEPENDENT**1.5
        empty = [terms[place] for place in order[lost]]
    if empty:
        raise ValueError(
            f"The design is singular: {empty} cannot be told from the other terms. Leave out a covariate, join "
            "levels or visits without observations in an arm, or leave out the arm."
        )
