"""Alerts on a change from an earlier form of the same participant: what was rated then, and which forms it concerns.

A form that is entered late, or corrected, changes what later ones are compared with, so that all forms of the
participant to the instrument are judged anew. An alert that was raised stays: what called for the physician did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from outcomes.models import Invitation, ResponseItem, Score
from outcomes.scoring import Instrument, alerts_of
from outcomes.scoring.instrument import Moment
from studies import alerts
from studies.models import Infusion, Participant, SafetyAlert

Known = tuple[str, int]  # the code of an alert, and the response that it was raised for


@dataclass(slots=True)
class _Form:
    """A saved form: when it was answered, its answers, and those of its values that alerts compare."""

    response: int
    at: datetime
    answers: dict[str, float]
    values: dict[str, float]


def alerts_of_changes(participants: Iterable[Participant], instrument: Instrument) -> list[alerts.NewAlert]:
    """What the saved forms of participants to an instrument call for by their changes, and was not raised before."""
    if not instrument.changes:
        return []
    people = {person.pk: person for person in participants}
    infusions = _infusions(people)
    # Before an infusion there is no baseline yet; only what is compared with the form before can have changed.
    asked = people if any(change.since == "previous" for change in instrument.changes) else infusions
    found = [
        alerts.NewAlert(people[key], code, "response", form.response)
        for key, line in _forms(asked, instrument).items()
        for form in line
        for code in _changed(instrument, form.answers, _earlier(line, form.at, infusions.get(key)))
    ]
    raised = _raised({alert.source_record for alert in found}) if found else set()
    return [alert for alert in found if (alert.code, alert.source_record) not in raised]


def changes_so_far(
    participant: Participant, instrument: Instrument, answers: Mapping[str, float | None], at: datetime
) -> list[str]:
    """The codes of what answers call for by their changes while their form is still open, beside the saved forms."""
    if not instrument.changes:
        return []
    line = _forms([participant.pk], instrument).get(participant.pk, [])
    infusion = _infusions([participant.pk]).get(participant.pk)
    return _changed(instrument, answers, _earlier(line, at, infusion))


def _changed(
    instrument: Instrument, answers: Mapping[str, float | None], earlier: dict[Moment, dict[str, float]]
) -> list[str]:
    """The codes that a change raises; the others are raised as the form is saved."""
    by_change = {alert.code for alert in instrument.alerts if alert.change}
    return [code for code in alerts_of(instrument.key, answers, earlier, instrument.version) if code in by_change]


def _infusions(people: Iterable[int]) -> dict[int, datetime]:
    return dict(Infusion.objects.filter(participant__in=people).values_list("participant_id", "started_at"))


def _earlier(line: Sequence[_Form], at: datetime, infusion: datetime | None) -> dict[Moment, dict[str, float]]:
    """The values of the last forms that tell them, before the infusion and before a moment."""
    previous, baseline = dict[str, float](), dict[str, float]()
    for form in line:
        if form.at < at:
            previous |= form.values
            if infusion is not None and form.at < infusion <= at:
                baseline |= form.values
    return {"baseline": baseline, "previous": previous}


def _forms(people: Iterable[int], instrument: Instrument) -> dict[int, list[_Form]]:
    """The saved forms of this version by participant, in order of answering: item numbers move between versions."""
    wanted = {change.of for change in instrument.changes}
    mine = Q(
        response__participant__in=people,
        response__instrument__key=instrument.key,
        response__instrument__version=instrument.version,
    )
    place = ("response_id", "response__participant_id", "response__completed_at")
    found: dict[int, _Form] = {}
    lines: dict[int, list[_Form]] = defaultdict(list)
    items = ResponseItem.objects.filter(mine, value__isnull=False).order_by("response__completed_at", "response_id")
    for key, person, at, item, value in items.values_list(*place, "item", "value"):
        if key not in found:
            found[key] = _Form(key, at, {}, {})
            lines[person].append(found[key])
        found[key].answers[item] = value or 0.0
        if item in wanted:
            found[key].values[item] = value or 0.0
    scores = Score.objects.filter(response__in=found, name__in=wanted, number__isnull=False)
    for key, name, number in scores.values_list("response_id", "name", "number"):
        found[key].values.setdefault(name, number or 0.0)
    return lines


def _raised(keys: set[int]) -> set[Known]:
    """What was raised for forms before, also while a participant was filling them in."""
    own = dict(Invitation.objects.filter(response__in=keys).values_list("pk", "response_id"))
    found = SafetyAlert.objects.filter(source_kind="response", source_record__in=keys)
    known = set(found.values_list("code", "source_record"))
    while_open = SafetyAlert.objects.filter(source_kind="invitation", source_record__in=own)
    return known | {(code, own[pk] or 0) for code, pk in while_open.values_list("code", "source_record")}
