"""A participant fills in a form: let in on a device, each answer saved as it comes, sent off once.

The participant acts under a pseudonym. While the form is open its answers are a log that only grows; closing it, by
whichever ending, writes one response with source `participant`, which the database lets nobody edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from outcomes import door_keys
from outcomes.contact_preferences import language_of
from outcomes.earlier_forms import changes_so_far
from outcomes.models import DoorKey, Invitation, OwnAnswer, Response
from outcomes.models.self_completion import OFFSETS
from outcomes.response_entry import ResponseEntry
from outcomes.responses import enter
from outcomes.scoring import Instrument, load_instrument
from outcomes.scoring.alarms import alarms
from outcomes.wording import wording_for
from studies import alerts
from studies.acting import Actor, Program, acting, verb
from studies.consents import require_collection
from studies.errors import AlreadyDone, InvalidEntries, InvalidEntry, TrialError
from studies.models import Participant, SafetyAlert

Ending = Invitation.Ending
# Why a participant leaves a question open; an answer that was taken back is `not_answered`.
REASONS = ("refused", "not_answered")
ALERT_SOURCE = "invitation"
# A device is let in for as long as the form is open, and a little longer, to be told that it is closed.
AFTERWARDS = timedelta(days=2)


class FormClosed(TrialError):
    """The form was sent off, taken back, or its time is over."""

    code = "form_closed"


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """One answer as a device sends it: a value, or why there is none.

    `key` is the device's own; `device_at` and `sent_at` are on its clock (with the offset in minutes from UTC): when
    it was given, and when it was sent. Both empty where no script runs.
    """

    key: UUID
    item: str
    value: float | None = None
    missing_reason: str | None = None
    device_at: datetime | None = None
    sent_at: datetime | None = None
    offset_minutes: int | None = None


def as_participant(participant: Participant) -> Program:
    """Who acts in the trail when a participant fills something in: a pseudonym, no account."""
    return Program(f"participant {participant.identifier}")


def let_in(key: DoorKey, *, at: datetime) -> str | None:
    """Use a link or a code up and let the device in: the secret for its cookie. None when it was used meanwhile."""
    invitation = key.invitation
    with acting(as_participant(invitation.participant), "form opened"), transaction.atomic():
        if not door_keys.use(key, at=at):
            return None
        if invitation.begun_at is None:
            Invitation.objects.filter(pk=invitation.pk).update(
                begun_at=at, language=language_of(invitation.participant)
            )
        expires_at = invitation.expires_at + AFTERWARDS
        return door_keys.issue(invitation, DoorKey.Kind.DEVICE, at=at, expires_at=expires_at)


def code_for_another_device(invitation: Invitation, *, at: datetime) -> str:
    """A code that opens the same form on a second device within half an hour, once."""
    with acting(as_participant(invitation.participant), "code for a second device"), transaction.atomic():
        Invitation.objects.filter(pk=invitation.pk).update(opened_up_at=at)
        return door_keys.issue(invitation, DoorKey.Kind.CODE, at=at, expires_at=at + door_keys.SHORT_LIFE)


def answers_so_far(invitation: Invitation) -> dict[str, OwnAnswer]:
    """The answer that counts for each item: the one given last, whichever came first. Taken back: not among them."""
    latest = {answer.item: answer for answer in invitation.answers.order_by("answered_at", "id")}
    return {item: answer for item, answer in latest.items() if answer.missing_reason != "not_answered"}


def values_of(answers: Mapping[str, OwnAnswer]) -> dict[str, float | None]:
    return {item: answer.value for item, answer in answers.items()}


def is_open(invitation: Invitation, *, at: datetime) -> bool:
    """Whether answers are taken."""
    return invitation.closed_at is None and invitation.opens_at <= at < invitation.expires_at


@verb(because="answer given by the participant")
def save_answers(who: Actor, *, invitation: Invitation, given: Sequence[GivenAnswer], at: datetime) -> list[OwnAnswer]:
    """Save answers as they come from a device, all or none; in the order given.

    A key that was saved before changes nothing and gives what was saved then, also when the form is closed. Answers
    that call for a person raise their alert at once, whether or not the form is ever finished.
    Raises FormClosed, ConsentMissing, InvalidEntries.
    """
    invitation = _locked(invitation)
    keys = [answer.key for answer in given]
    known = {row.key: row for row in invitation.answers.filter(key__in=keys)}
    new = {answer.key: answer for answer in given if answer.key not in known}
    if new:
        _require_open(invitation, at)
        require_collection(invitation.participant, invitation.instrument.key)
        instrument = load_instrument(invitation.instrument.key)
        _check(new.values(), instrument)
        rows = OwnAnswer.objects.bulk_create(_row(answer, invitation, at) for answer in new.values())
        known |= {row.key: row for row in rows}
        _raise_alerts(invitation, instrument, at)
    return [known[key] for key in keys]


def _locked(invitation: Invitation) -> Invitation:
    return (
        Invitation.objects.select_for_update(of=("self",))
        .select_related("participant__site", "participant__protocol_version", "participant__study")
        .select_related("instrument", "visit")
        .get(pk=invitation.pk)
    )


def _require_open(invitation: Invitation, at: datetime) -> None:
    if not is_open(invitation, at=at):
        raise FormClosed("This form is closed. Nothing more is taken.")


def _check(given: Iterable[GivenAnswer], instrument: Instrument) -> None:
    problems = [problem for answer in given for problem in _problems(answer, instrument)]
    if problems:
        raise InvalidEntries(problems)


def _problems(answer: GivenAnswer, instrument: Instrument) -> list[InvalidEntry]:
    item = instrument.items.get(answer.item)
    if item is None:
        return [InvalidEntry(f"There is no question {answer.item} on this form.", field=answer.item)]
    if (answer.value is None) == (answer.missing_reason is None):
        return [InvalidEntry("Give an answer, or say that there is none.", field=answer.item)]
    if answer.value is None and answer.missing_reason not in REASONS:
        return [InvalidEntry(f"{answer.missing_reason!r} is none of {', '.join(REASONS)}.", field=answer.item)]
    if answer.value is not None and (said := item.problem(answer.value)):
        return [InvalidEntry(said, field=answer.item)]
    if answer.device_at is not None and not _is_offset(answer.offset_minutes):
        return [InvalidEntry("The time of the device has no offset from UTC.", field=answer.item)]
    return []


def _is_offset(minutes: int | None) -> bool:
    return minutes is not None and OFFSETS[0] <= minutes <= OFFSETS[1]


def _row(answer: GivenAnswer, invitation: Invitation, at: datetime) -> OwnAnswer:
    return OwnAnswer(
        invitation=invitation,
        participant=invitation.participant,
        key=answer.key,
        item=answer.item,
        value=answer.value,
        missing_reason=answer.missing_reason,
        device_at=answer.device_at,
        device_offset_minutes=answer.offset_minutes if answer.device_at else None,
        answered_at=_answered_at(answer, invitation, at),
        received_at=at,
    )


def _answered_at(answer: GivenAnswer, invitation: Invitation, at: datetime) -> datetime:
    """The receipt less the wait on the device: right even where the device's clock is wrong by years."""
    if answer.device_at is None or answer.sent_at is None:
        return at
    waited = max(answer.sent_at - answer.device_at, timedelta(0))
    earliest = invitation.begun_at or invitation.opens_at
    return min(at, max(at - waited, earliest))


def _raise_alerts(invitation: Invitation, instrument: Instrument, at: datetime) -> None:
    """Alerts of what was answered. That something is open is an alert only when the form is closed."""
    by_answers = instrument.model_copy(update={"alerts": tuple(a for a in instrument.alerts if not a.any_missing)})
    answers = values_of(answers_so_far(invitation))
    codes = alarms(by_answers, answers) + changes_so_far(invitation.participant, instrument, answers, at)
    if codes:
        new = [alerts.NewAlert(invitation.participant, code, ALERT_SOURCE, invitation.pk) for code in codes]
        alerts.raise_alerts(new, at=at)


@verb(because="form sent off by the participant")
def submit(
    who: Actor,
    *,
    invitation: Invitation,
    at: datetime,
    device_at: datetime | None = None,
    offset_minutes: int | None = None,
    language: str = "",
) -> Invitation:
    """Send the form off: it is closed, and saved as a response. A second time changes nothing.

    at: the server's clock; device_at with its offset: the device's. Raises FormClosed; InvalidEntry for an empty form.
    """
    invitation = _locked(invitation)
    if invitation.submitted_at is not None:
        return invitation
    _require_open(invitation, at)
    require_collection(invitation.participant, invitation.instrument.key)
    if not answers_so_far(invitation):
        raise InvalidEntry("Answer at least one question before you send the form.")
    invitation.submitted_at = at
    if device_at is not None and _is_offset(offset_minutes):
        invitation.submitted_device_at, invitation.submitted_offset_minutes = device_at, offset_minutes
    invitation.language = language or invitation.language
    return close(invitation, Ending.SUBMITTED, at=at)


def close(invitation: Invitation, ending: Ending, *, at: datetime) -> Invitation:
    """Close an invitation that is locked, in the verb of whoever closes it: its answers become a response.

    An abandoned form with answers is kept as partial; without any, nothing is saved. What the site entered meanwhile
    stays; the answers as they came stay too.
    """
    invitation.closed_at, invitation.closed_because = at, ending
    answers = answers_so_far(invitation)
    if answers:
        try:
            with transaction.atomic(), acting(as_participant(invitation.participant)):
                invitation.response = _respond(invitation, answers)
        except AlreadyDone:
            invitation.closed_because = Ending.ENTERED
    invitation.save()
    return invitation


def _respond(invitation: Invitation, answers: Mapping[str, OwnAnswer]) -> Response:
    raised = SafetyAlert.objects.filter(source_kind=ALERT_SOURCE, source_record=invitation.pk)
    finished = invitation.closed_because == Ending.SUBMITTED
    who = as_participant(invitation.participant)
    told = raised.values_list("code", flat=True)
    return enter(who, [_entry(invitation, answers)], told=set(told), finished=finished)[0]


def _entry(invitation: Invitation, answers: Mapping[str, OwnAnswer]) -> ResponseEntry:
    language = invitation.language or language_of(invitation.participant)
    wording = wording_for(invitation.instrument, language)
    return ResponseEntry(
        participant=invitation.participant,
        instrument=invitation.instrument.key,
        items=values_of(answers),
        missing={item: answer.missing_reason for item, answer in answers.items() if answer.missing_reason},
        completed_at=max(answer.answered_at for answer in answers.values()),
        visit=invitation.visit,
        day=invitation.day,
        minute=invitation.minute,
        respondent=invitation.respondent,
        source=Response.Source.PARTICIPANT,
        language=wording.language if wording.licensed else language,
        wording_version=wording.version,
    )


CLOSING = Program("closing forms")


def close_expired(*, at: datetime) -> int:
    """Close the forms whose time is over, each in a transaction of its own; how many. Safe to run twice."""
    over = Invitation.objects.filter(closed_at__isnull=True, expires_at__lte=at).values_list("pk", flat=True)
    return sum(_close_expired(CLOSING, pk=pk, at=at) for pk in list(over))


@verb(because="form not finished in time")
def _close_expired(who: Actor, *, pk: int, at: datetime) -> bool:
    invitation = _locked(Invitation(pk=pk))
    if invitation.closed_at is not None or invitation.expires_at > at:
        return False
    close(invitation, Ending.EXPIRED, at=at)
    return True
