"""An instrument as one value: what its file says, complete and without contradictions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from outcomes.scoring.consistency import mistakes_in_alerts, mistakes_in_examples, mistakes_in_scores
from outcomes.scoring.items import Dimension, Direction, ItemId, Items
from outcomes.scoring.score_rules import ScoreRule, Table, ValueSetTable
from studies.protocol.section import Key, Section, Text, Version
from studies.protocol.yaml_document import Mistake, Mistakes, load_document

AlertCode = Literal[
    "SUICIDALITY_ALERT_24H", "SUICIDE_ITEM_MISSING", "CSSRS_INCONSISTENT", "INFUSION_HOLD_S16", "URINARY_ALERT"
]
Moment = Literal["baseline", "previous"]

# Below any step of a score.
_FRACTION = 1e-9
_OPPOSITE: dict[Direction, Direction] = {"worse": "better", "better": "worse", "neither": "neither"}


class Licence(Section):
    """Who may use the wording.

    PD: public domain or free; FP: free with permission or registration; CR: copyrighted.
    No wording is in the file, whatever the class: item numbers and neutral labels only.
    """

    kind: Literal["PD", "FP", "CR"] = Field(alias="class")
    source: Text


class Source(Section):
    """Where a statement of the file comes from, and how sure that is.

    checked: seen in the source named; remembered: from the literature, to be verified before clinical use;
    decision: set for this system, no publication says so.
    """

    says: Text
    cite: Text
    evidence: Literal["checked", "remembered", "decision"]


class ImportantDifference(Section):
    """The smallest change of a score that matters to patients; of a range, `change` is its lower end."""

    score: Key
    change: Annotated[float, Field(gt=0)]
    up_to: float | None = None
    unit: Literal["points", "percent"] = "points"
    meaning: Literal["minimal", "moderate"] = "minimal"
    cite: Text


class Change(Section):
    """How an item (as printed) or a score differs from an earlier form of the same participant and version.

    by: at least so much more, negative: less; reaches: at least this now, and less then. since: `baseline`, the last
    form before the infusion that tells it; `previous`, the last before this one. An open form counts as the least
    that it can still come to (where a fall is asked for, the most): what is certain calls already.
    """

    of: ItemId
    by: float | None = None
    reaches: float | None = None
    since: Moment

    @model_validator(mode="after")
    def _one_kind(self) -> Change:
        if (self.by is None) == (self.reaches is None) or self.by == 0:
            raise ValueError("Give by (how much more, negative: less) or reaches (a level), exactly one of them.")
        return self

    def holds(self, now: float, then: float) -> bool:
        """Whether it is so; a prorated score is a fraction, whose last digit does not decide."""
        if self.reaches is not None:
            return then < self.reaches - _FRACTION and now >= self.reaches - _FRACTION
        by = self.by or 0.0
        return now - then >= by - _FRACTION if by > 0 else now - then <= by + _FRACTION


class Alert(Section):
    """When an answer calls for a person, also on a form that was not finished. All that is given must hold.

    any_at_least, all_at_most: a code per item; any_missing: items that were asked and are open; change: against an
    earlier form.
    """

    code: AlertCode
    any_at_least: dict[ItemId, float] = {}
    all_at_most: dict[ItemId, float] = {}
    any_missing: tuple[ItemId, ...] = ()
    # Left out of the file's hash where it is not given: files that say nothing of it have not changed.
    change: Change | None = Field(default=None, exclude_if=lambda change: change is None)

    @model_validator(mode="after")
    def _has_a_condition(self) -> Alert:
        if not (self.any_at_least or self.all_at_most or self.any_missing or self.change):
            raise ValueError("Give any_at_least, all_at_most, any_missing or change.")
        return self


class Example(Section):
    """A worked example: answers, and the scores and alerts they give. Scores not named are not checked.

    earlier: values of items and scores at the moments that the alerts compare with.
    """

    says: Text
    items: dict[ItemId, float | None]
    scores: dict[Key, bool | float | str | list[float | None] | None]
    alerts: tuple[AlertCode, ...] = ()
    earlier: dict[Moment, dict[ItemId, float]] = Field(default={}, exclude_if=lambda earlier: not earlier)


class Instrument(Section):
    """One version of an instrument. Item numbers move between versions, so the version is part of the key.

    `items` and `scores` are in the order of the form and of computation. Dimension: S sensory-discriminative,
    A affective-motivational, C cognitive-evaluative, M mood, F function, X safety and other. `languages`: of the
    wording whose scores, bands and cut-offs these are.
    """

    key: Key
    version: Version
    scoring_version: Version
    name: Text
    dimension: Dimension
    higher_is: Direction
    completed_by: Literal["participant", "clinician", "staff_or_participant"] = "participant"
    recall: Text
    languages: Annotated[tuple[Text, ...], Field(min_length=1)] = ("en",)
    licence: Licence
    arm_revealing: bool = False
    items: Items
    tables: dict[Key, Table] = {}
    value_sets: dict[Key, ValueSetTable] = {}
    scores: Annotated[dict[Key, ScoreRule], Field(min_length=1)]
    alerts: tuple[Alert, ...] = ()
    important_differences: tuple[ImportantDifference, ...] = ()
    interpretation: tuple[Text, ...] = ()
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    examples: Annotated[tuple[Example, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _sections_agree(self) -> Instrument:
        mistakes = list(self.mistakes_between({name: getattr(self, name) for name in type(self).model_fields}))
        if mistakes:
            raise Mistakes(mistakes)
        return self

    @classmethod
    def mistakes_between(cls, sections: Mapping[str, Any]) -> Iterator[Mistake]:
        """Contradictions between the sections given; one that could not be read is left out."""
        yield from mistakes_in_scores(sections)
        yield from mistakes_in_alerts(sections)
        yield from mistakes_in_examples(sections)

    @cached_property
    def sha256(self) -> str:
        """The hash of the content without comments and layout, 64 hexadecimal digits."""
        content = json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()

    def dimension_of_item(self, item: str) -> Dimension:
        """The dimension of pain that an item speaks of."""
        return self.items[item].dimension or self.dimension

    def direction_of_item(self, item: str) -> Direction:
        """Whether a higher code of an item, as printed, is worse or better."""
        printed = self.items[item]
        if printed.higher_is or printed.counted(printed.max) > printed.counted(printed.min):
            return printed.higher_is or self.higher_is
        return _OPPOSITE[self.higher_is]

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """What its alerts compare with earlier forms."""
        return tuple(alert.change for alert in self.alerts if alert.change)

    def reported_scores(self) -> dict[str, ScoreRule]:
        """The scores that are stored, without the steps on the way to them; bands come besides."""
        return {name: score for name, score in self.scores.items() if score.reported}

    def open_items(self, answers: Mapping[str, float | None]) -> list[str]:
        """The items that were asked and are open; a form without any is complete.

        Left out: optional items, those that the form skips, and those whose alternative was answered.
        """
        return [name for name in self.items if self.is_open(name, answers)]

    def is_open(self, name: str, answers: Mapping[str, float | None]) -> bool:
        """Whether an item was asked and is not answered."""
        item = self.items[name]
        if answers.get(name) is not None or not item.required:
            return False
        if item.asked_when is not None and not item.asked_when.holds(answers):
            return False
        return not any(answers.get(other) is not None for other in self._alternatives[name])

    @cached_property
    def _alternatives(self) -> dict[str, tuple[str, ...]]:
        return {name: tuple(self._alternatives_of(name)) for name in self.items}

    def _alternatives_of(self, name: str) -> Iterable[str]:
        for other, item in self.items.items():
            if item.alternative_to == name or self.items[name].alternative_to == other:
                yield other


def read_instrument(text: str, *, source: str) -> Instrument:
    """Read an instrument file. source: its name, for messages.

    Raises DocumentInvalid with the path and line of every mistake.
    """
    return load_document(text, Instrument, source=source)
