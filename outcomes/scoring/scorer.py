"""An instrument made ready to score: one response at entry, or a million rows at once, by the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from outcomes.scoring.alarms import alarms
from outcomes.scoring.answers import columns_of, invalid, refuse_unknown_items
from outcomes.scoring.compilation import Compilation
from outcomes.scoring.instrument import Change, Instrument, Moment
from outcomes.scoring.outputs import Output, ScoreValue, outputs_of
from outcomes.scoring.steps import Step

if TYPE_CHECKING:
    import pandas as pd

_PLAIN = frozenset({int, float})
# Rows scored at a time: few enough that their columns stay in the processor's cache.
_BLOCK = 32_768


@dataclass(frozen=True, slots=True)
class Scores:
    """What a response gives: a value per score, None where it cannot be known, and the codes of alerts."""

    values: dict[str, ScoreValue]
    alerts: list[str]


# Values of items and scores, by the moment that a change is counted from.
Earlier = Mapping[Moment, Mapping[str, float]]


def _answered(items: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in items.items() if value is not None}


class Scorer:
    """Scores responses to one instrument. Made once for an instrument; keeps nothing of what it scores."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        # What each code counts, or for an item without whole codes nothing: its answers count as they are.
        self._counts = [(name, item.counts) for name, item in instrument.items.items()]
        compilation = Compilation(instrument)
        self._steps: list[Step | None] = []
        self._outputs: dict[str, Output] = {}
        for name, score in instrument.scores.items():
            self._steps.append(compilation.step(score))
            self._outputs.update(outputs_of(name, score, compilation))

    def score(self, items: Mapping[str, float | None]) -> Scores:
        """Score one response.

        items: the code printed on the form per item; None or absent where not answered.
        Raises ValueError naming item, value and what is allowed; nothing is clipped or rounded.
        """
        known = self._counted(items)
        for step in self._steps:
            known.append(step.one(known) if step else None)
        values = {name: output.one(known) for name, output in self._outputs.items()}
        return Scores(values, alarms(self.instrument, items))

    def alarms(self, items: Mapping[str, float | None], earlier: Earlier) -> list[str]:
        """The codes of the alerts that answers raise, those of a change from earlier forms among them.

        items: as for `score`, already known to be allowed; earlier: values of items and scores, by the moment that a
        change is counted from. Where a moment does not tell a value, nothing is said to have changed since.
        """

        def changed(change: Change) -> bool:
            then = earlier.get(change.since, {}).get(change.of)
            now = None if then is None else self._certain(change, items)
            return then is not None and now is not None and change.holds(now, then)

        return alarms(self.instrument, items, changed=changed)

    def _certain(self, change: Change, items: Mapping[str, float | None]) -> float | None:
        """What an item or score is now; of a form with open items the least, or most, that it can still come to."""
        if change.of in self.instrument.items:
            return items.get(change.of)
        known = self.score(items).values[change.of]
        if known is None:
            fall = change.by is not None and change.by < 0
            known = self.score({**self._extreme_answers(fall), **_answered(items)}).values[change.of]
        return known if isinstance(known, int | float) else None

    def _extreme_answers(self, most: bool) -> dict[str, float]:
        """Per item the code that counts least, or most."""
        pick = max if most else min
        return {
            name: pick(item.counts or (item.min, item.max), key=item.counted)
            for name, item in self.instrument.items.items()
        }

    def score_frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Score many responses at once.

        frame: one row per response, one column per item, missing where not answered; columns may be left out.
        Returns one column per score with the index of the frame: float64 for numbers, boolean for yes and no,
        ordered categories for bands, str for profiles, objects for lists.
        Raises ValueError naming item, row, value and what is allowed.
        """
        import pandas as pd  # noqa: PLC0415 - only whoever scores a frame waits for it

        starts = range(0, max(len(frame), 1), _BLOCK)
        return pd.concat([self._score_block(frame.iloc[start : start + _BLOCK]) for start in starts])

    def _score_block(self, frame: pd.DataFrame) -> pd.DataFrame:
        import pandas as pd  # noqa: PLC0415 - as above

        known = columns_of(self.instrument, frame)
        nothing = np.full(len(frame), np.nan)
        for step in self._steps:
            known.append(step.many(known) if step else nothing)
        scores = {name: output.many(known) for name, output in self._outputs.items()}
        return pd.DataFrame(scores, index=frame.index)

    def _counted(self, items: Mapping[str, float | None]) -> list[float | None]:
        """What each answer counts, in the order of the form. Raises ValueError for an answer not allowed."""
        if not items.keys() <= self.instrument.items.keys():
            refuse_unknown_items(self.instrument, items)
        known: list[float | None] = []
        for name, counts in self._counts:
            answer = items.get(name)
            if answer is None:
                known.append(None)
                continue
            # One look into the table of codes both checks and counts; what is not in it is looked at closely.
            counted = counts.get(answer) if type(answer) in _PLAIN else None
            known.append(self._closely(name, answer) if counted is None else counted)
        return known

    def _closely(self, name: str, answer: float) -> float:
        item = self.instrument.items[name]
        if item.problem(answer):
            raise invalid(self.instrument, name, answer)
        return item.counted(float(answer))
