"""Taking a trial's looks: the data that were there, the primary model on them, the rule; until one look stops it.

A look takes place on the day on which its planned information is reached, by the count that the interim analysis
makes of the same data, and sees everything written until that day. A trial that runs out of participants before
has its final look, with all data, at the information that came.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.simulation import monitoring
from analysis.statistics.simulation.draws import Drawn, draw
from analysis.statistics.simulation.models import Values, effects
from analysis.statistics.simulation.trial_model import TrialModel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]
# Trials are drawn and fitted in fixed blocks, so that sharing out work changes not even a last digit.
BLOCK = 50
# What is known of a trial (columns of `simulate`), followed by the same five for each look of the plan.
ENDED = ("ended_at", "rejected", "participants", "information", "estimate", "se")
AT_LOOK = ("z", "bound", "information_at", "participants_at", "unlikely")
_NEVER = np.iinfo(np.int64).max // 2
_DIGITS = 9


@dataclass(frozen=True)
class Information:
    """When trials gain information. available (T, n): the calendar day from which a participant counts, or _NEVER."""

    available: IntArray

    @property
    def total(self) -> IntArray:
        """Units in the end (T,)."""
        return np.asarray((self.available < _NEVER).sum(axis=1))

    def day_of(self, units: int) -> IntArray:
        """The day on which so many units are there (T,), or _NEVER."""
        if units > self.available.shape[1]:
            return np.full(len(self.available), _NEVER)
        return np.partition(self.available, units - 1, axis=1)[:, units - 1]

    def until(self, trials: IntArray, day: IntArray) -> IntArray:
        """Units of some trials, each on a day."""
        available = self.available[trials]
        return np.asarray(((available < _NEVER) & (available <= day[:, None])).sum(axis=1))


def simulate(model: TrialModel, *, seed: int, first: int, count: int) -> FloatArray:
    """Trials first, first + 1, ..., count of them: one row each, columns ENDED and then AT_LOOK for each look.

    The same trial has the same row whatever else is asked for.
    """
    blocks = range(first // BLOCK, -(-(first + count) // BLOCK))
    rows = np.concatenate([_block(model, seed, block * BLOCK) for block in blocks])
    begun = first - first // BLOCK * BLOCK
    return rows[begun : begun + count]


def columns(looks: int) -> list[str]:
    """The names of the columns of `simulate`."""
    return [*ENDED, *(f"{name}_{look}" for look in range(1, looks + 1) for name in AT_LOOK)]


def _block(model: TrialModel, seed: int, first: int) -> FloatArray:
    drawn = draw(model, seed=seed, first=first, count=BLOCK)
    return np.round(_Course(model, drawn).run(), _DIGITS)


class _Course:
    """The looks of T trials, one after the other."""

    def __init__(self, model: TrialModel, drawn: Drawn) -> None:
        self.model, self.drawn = model, drawn
        self.information = Information(_available(model, drawn))
        self.looks = len(model.looks.planned)
        self.found = np.full((len(drawn.arm), len(columns(self.looks))), np.nan)
        # Information units of the looks that gave a z: only these have spent alpha.
        self.came: list[tuple[int, ...]] = [()] * len(drawn.arm)

    def run(self) -> FloatArray:
        """Take the looks; the rows of `simulate`."""
        going = np.arange(len(self.drawn.arm))
        for look in self.model.looks.planned[:-1]:
            day = self.information.day_of(look.information)[going]
            # When all there is comes by then, this is the final look.
            there = self.information.total[going] > look.information
            stopped = self._take(look.number, going[there], day[there])
            going = going[~np.isin(going, going[there][stopped])]
        self._take(self.looks, going, np.full(len(going), _NEVER))
        return self.found

    def _take(self, number: int, trials: IntArray, day: IntArray) -> BoolArray:
        """One look of some of the trials; which of them it ends."""
        if not len(trials):
            return np.zeros(0, dtype=bool)
        drawn = self.drawn.take(trials)
        effect = effects(self.model, seen_until(self.model, drawn, day))
        units = self.information.until(trials, day)
        people = (drawn.day0 <= day[:, None]).sum(axis=1)
        final = number == self.looks
        ended = np.full(len(trials), final) | (units >= self.model.looks.maximum_information)
        limit, unlikely = self._rule(trials, effect.z, units, ended)
        height = np.abs(effect.z) if self.model.looks.sides == 2 else effect.z
        crossed = height >= limit
        place = len(ENDED) + (number - 1) * len(AT_LOOK)
        at_look = [effect.z, limit, units, people, unlikely]
        self.found[trials, place : place + len(AT_LOOK)] = np.column_stack(at_look)
        stops = crossed | final
        rows = np.column_stack([np.full(len(trials), number), crossed, people, units, effect.estimate, effect.se])
        self.found[trials[stops], : len(ENDED)] = rows[stops]
        return np.asarray(stops)

    def _rule(
        self, trials: IntArray, z: FloatArray, units: IntArray, ended: BoolArray
    ) -> tuple[FloatArray, FloatArray]:
        """The bound of each trial, and 1 where conditional power is below the plan's threshold, else 0."""
        limit, unlikely = np.full(len(trials), np.nan), np.full(len(trials), np.nan)
        for place, trial in enumerate(trials):
            if np.isnan(z[place]):
                continue
            came = self.came[trial] = (*self.came[trial], int(units[place]))
            limit[place] = monitoring.bound(self.model.looks, came, bool(ended[place]))
            if not ended[place] and self.model.looks.futility:
                unlikely[place] = monitoring.unlikely(self.model.looks, came, float(z[place]))
        return limit, unlikely


def seen_until(model: TrialModel, drawn: Drawn, day: IntArray) -> Values:
    """What a look on a calendar day (T,) sees: means over windows with as many entries as they need."""
    written = np.where(drawn.day0[..., None] + model.days <= day[:, None, None], drawn.written, np.nan)
    there = np.isfinite(written)
    entries = there.astype(float) @ model.membership
    needed = np.array([window.at_least for window in model.windows])
    sums = np.where(there, written, 0.0) @ model.membership
    means = np.where(entries >= needed, sums / np.maximum(entries, 1.0), np.nan)
    return Values(means[..., 0], means[..., 1:], drawn.arm, drawn.site, drawn.stratum)


def _available(model: TrialModel, drawn: Drawn) -> IntArray:
    """The calendar day from which each participant counts as information (T, n)."""
    there = np.isfinite(drawn.written)
    since = [_since(model, there, window) for window in (0, 1 + model.judged)]
    latest = since[1] if model.endpoint.type == "level" else np.maximum(*since)
    return np.where(latest < _NEVER, drawn.day0 + latest, _NEVER)


def _since(model: TrialModel, there: BoolArray, window: int) -> IntArray:
    """The day since the infusion on which a window has the entries it needs (T, n)."""
    inside = model.membership[:, window] > 0
    entries = np.cumsum(there[..., inside], axis=-1)
    enough = entries >= model.windows[window].at_least
    day = model.days[inside].astype(np.int64)[np.argmax(enough, axis=-1)]
    return np.where(enough.any(axis=-1), day, _NEVER)
