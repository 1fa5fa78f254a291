"""Stop and hold rules worked out over the readings of an infusion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from studies.protocol.expression import Expression, Value
from studies.protocol.infusion import Action, DischargeCriterion, Holds, SafetyRule
from studies.protocol.infusion_arithmetic import Segment, held_minutes

_SEVEREST_FIRST: tuple[Action, ...] = ("STOP", "HOLD", "ALERT")


@dataclass(frozen=True, slots=True)
class Reading:
    """One value at a minute from the start of the infusion: a vital sign, a score, or an event (1 or 0)."""

    minute: float
    parameter: str
    value: Value


@dataclass(frozen=True, slots=True)
class FiredRule:
    """A rule that fired: at which minute, what to do, and the readings that made it fire."""

    rule: str
    action: Action
    minute: float
    text: str
    also: str
    readings: tuple[Reading, ...]


def evaluate(
    rules: Sequence[SafetyRule], readings: Sequence[Reading], *, baseline_minute: float = -15
) -> list[FiredRule]:
    """Every firing of every rule.

    rules: of the protocol; readings: all so far, in any order; baseline_minute: the reading there is the
    baseline to which a rule compares. Returns firings by minute, the severest action first.

    A rule fires when its condition has held in so many consecutive readings, each far enough in time from the
    one counted before. A missing value neither counts nor interrupts: a sensor that fell off is no sign of
    recovery. Having fired, a rule fires again only after its condition was once found not to hold.
    """
    moments = _moments(readings)
    baseline = baseline_values(readings, baseline_minute=baseline_minute)
    fired = [firing for rule in rules for firing in _firings(rule, moments, baseline)]
    return sorted(fired, key=lambda firing: (firing.minute, _SEVEREST_FIRST.index(firing.action), firing.rule))


def may_resume(rule: SafetyRule, readings: Sequence[Reading], *, since: float, baseline_minute: float = -15) -> bool:
    """Whether an infusion that a rule held at minute `since` may go on: what the last readings after it say.

    A rule that stops never lets it go on.
    """
    if rule.resume_when is None:
        return False
    baseline = baseline_values(readings, baseline_minute=baseline_minute)
    later = {minute: values for minute, values in _moments(readings).items() if minute > since}
    truths = [truth for _, truth, _ in _truths(rule.resume_when, later, baseline) if truth is not None]
    last = truths[-rule.resume_consecutive :]
    return len(last) == rule.resume_consecutive and all(last)


def held_too_long(segments: Sequence[Segment], holds: Holds) -> bool:
    """Whether an infusion was held for so long in total that it must stop."""
    return held_minutes(segments) > Decimal(holds.stop_after_minutes)


def discharge_state(
    criteria: Sequence[DischargeCriterion], values: Mapping[str, Value]
) -> list[tuple[DischargeCriterion, bool | None]]:
    """Each criterion of discharge with whether it is met: True, False, or None for not yet known."""
    return [(criterion, criterion.when.truth(values)) for criterion in criteria]


def may_leave(criteria: Sequence[DischargeCriterion], values: Mapping[str, Value]) -> bool:
    """Whether every criterion of discharge is known to be met."""
    return all(truth for _, truth in discharge_state(criteria, values))


def baseline_values(readings: Sequence[Reading], *, baseline_minute: float = -15) -> dict[str, Value]:
    """The baseline of each parameter, named as rules name it (baseline_sbp)."""
    at = _moments(readings).get(baseline_minute, {})
    return {f"baseline_{name}": reading.value for name, reading in at.items()}


def _moments(readings: Sequence[Reading]) -> dict[float, dict[str, Reading]]:
    """Readings by minute, in the order of time, and by parameter."""
    ordered = sorted(readings, key=lambda reading: reading.minute)
    return {
        minute: {reading.parameter: reading for reading in group}
        for minute, group in groupby(ordered, key=lambda reading: reading.minute)
    }


def _truths(
    condition: Expression, moments: Mapping[float, Mapping[str, Reading]], baseline: Mapping[str, Value]
) -> Iterator[tuple[float, bool | None, tuple[Reading, ...]]]:
    """At each minute with a reading that the condition names: whether it holds, and these readings."""
    for minute, at in moments.items():
        own = tuple(at[name] for name in sorted(condition.names) if name in at)
        if own:
            values = {**baseline, **{name: reading.value for name, reading in at.items()}}
            yield minute, condition.truth(values), own


def _firings(
    rule: SafetyRule, moments: Mapping[float, Mapping[str, Reading]], baseline: Mapping[str, Value]
) -> Iterator[FiredRule]:
    counted: list[tuple[float, tuple[Reading, ...]]] = []
    for minute, truth, own in _truths(rule.when, moments, baseline):
        if truth is False:
            counted = []
        if truth is not True or len(counted) == rule.consecutive:
            continue
        if not counted or minute - counted[-1][0] >= rule.minutes_apart:
            counted.append((minute, own))
        if len(counted) == rule.consecutive:
            evidence = tuple(reading for _, readings in counted for reading in readings)
            yield FiredRule(rule.id, rule.action, minute, rule.text, rule.also, evidence)
