"""Answers as they come in: checked against the items, turned into what they count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from outcomes.scoring.instrument import Instrument
from outcomes.scoring.items import Item
from outcomes.scoring.steps import Column

if TYPE_CHECKING:
    import pandas as pd


class AnswersInvalid(ValueError):
    """Answers that cannot be scored as they are. Nothing is clipped, rounded or guessed."""


def refuse_unknown_items(instrument: Instrument, names: Iterable[object]) -> None:
    """Raise AnswersInvalid for names that are no items of the instrument."""
    unknown = [str(name) for name in names if name not in instrument.items]
    if unknown:
        there = ", ".join(instrument.items)
        raise AnswersInvalid(f"{instrument.key} has no item {', '.join(unknown)}; its items are {there}.")


def invalid(instrument: Instrument, name: str, value: object, row: object = None) -> AnswersInvalid:
    """The error for one answer, naming the instrument, the item, the value and what is allowed."""
    problem = instrument.items[name].problem(value) or f"{value!r} is not a number."
    where = "" if row is None else f" in row {row!r}"
    return AnswersInvalid(f"{instrument.key} item {name}{where}: {problem}")


def columns_of(instrument: Instrument, frame: pd.DataFrame) -> list[Column]:
    """Per item what its answers count, NaN where not answered; an absent column is not answered.

    Raises AnswersInvalid for an unknown column and for the first answer that is not allowed.
    """
    refuse_unknown_items(instrument, frame.columns)
    open_column = np.full(len(frame), np.nan)
    return [_counted(instrument, name, frame[name]) if name in frame else open_column for name in instrument.items]


def _counted(instrument: Instrument, name: str, answers: pd.Series) -> Column:
    codes = _numbers(instrument, name, answers)
    item = instrument.items[name]
    wrong = ~(np.isnan(codes) | _allowed(item, codes))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise invalid(instrument, name, answers.iloc[first], answers.index[first])
    if not (item.recode or item.reverse):
        return codes
    table = np.array([item.counts.get(code, np.nan) for code in np.arange(item.min, item.max + 1)])
    there = ~np.isnan(codes)
    place = np.where(there, codes - item.min, 0).astype(np.intp)
    return np.where(there, table[place], np.nan)


def _numbers(instrument: Instrument, name: str, answers: pd.Series) -> Column:
    """The column as numbers. Raises AnswersInvalid for text and for truth values, as for one response."""
    if answers.dtype.kind not in "iuf":
        for row, value in answers[answers.notna()].items():
            if instrument.items[name].problem(value):
                raise invalid(instrument, name, value, row)
    return answers.to_numpy(dtype=np.float64, na_value=np.nan)


def _allowed(item: Item, codes: Column) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    inside: np.ndarray[tuple[int], np.dtype[np.bool_]] = (codes >= item.min) & (codes <= item.max)
    if item.integer:
        inside &= np.floor(codes) == codes
    if item.step > 1:
        inside &= (codes - item.min) % item.step == 0
    return inside
