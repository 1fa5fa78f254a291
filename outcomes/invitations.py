"""Asking a participant for a form: which ones may be asked for, from when to when, and how they are opened.

The link and the code exist only in what these verbs return; afterwards nobody can read them, a new one is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from outcomes import door_keys, instrument_versions
from outcomes.contact_preferences import zone_of
from outcomes.diary import day_zero
from outcomes.due import Form, State, forms_of
from outcomes.models import DoorKey, Invitation, Response
from outcomes.scoring import load_instrument
from outcomes.self_completion import close
from studies.acting import verb
from studies.consents import require_collection
from studies.errors import AlreadyDone, InvalidEntry
from studies.models import Participant, User, Visit
from studies.permissions import may_invite, require

# A form of a visit is open until the visit's window closes, and for two days at least.
SHORTEST = timedelta(days=2)
_BY_PARTICIPANTS = ("participant", "staff_or_participant")
_OPEN = (State.DUE, State.OVERDUE)


@dataclass(frozen=True, slots=True)
class Askable:
    """A form that a participant may be asked for now: of a visit, or (visit None) of a diary day."""

    instrument: str
    label: str
    visit: Visit | None = None
    day: date | None = None
    minute: int | None = None
    respondent: str = ""

    @property
    def slug(self) -> str:
        """What names it among those of one participant, in addresses and forms."""
        place = self.visit.code if self.visit else f"{self.day}"
        return "~".join(str(part) for part in (place, self.instrument, self.minute, self.respondent or None) if part)


def askable(participant: Participant, *, now: datetime) -> list[Askable]:
    """What a participant may be asked for now: the diary of today and of days that can still be filled in, the
    newest first, then what is due at visits. What was saved already, or tells the arm, is not among it."""
    return [*_diary_days(participant, now), *_forms(participant, now)]


def _diary_days(participant: Participant, now: datetime) -> Iterator[Askable]:
    diary = participant.protocol_version.definition.diary
    if diary is None:
        return
    instrument = load_instrument(diary.instrument)
    today = now.astimezone(zone_of(participant)).date()
    days = [today - timedelta(days=back) for back in range(diary.backfill_days + 1)]
    saved = set(
        Response.objects.filter(participant=participant, instrument__key=diary.instrument, day__in=days).values_list(
            "day", flat=True
        )
    )
    day0 = day_zero(participant)
    for day in days:
        if day0 is not None and day not in saved and diary.due_on((day - day0).days):
            yield Askable(diary.instrument, f"{instrument.name}, {day:%-d %b %Y}", day=day)


def _forms(participant: Participant, now: datetime) -> Iterator[Askable]:
    for visit, forms in forms_of([participant], now=now):
        for form in forms:
            if form.state in _OPEN and _is_for_the_participant(form):
                asked = form.assessment
                label = f"{visit.code}: {form.label}"
                yield Askable(asked.key, label, visit, minute=asked.minute, respondent=asked.asked_of or "")


def _is_for_the_participant(form: Form) -> bool:
    if form.assessment.kind != "instrument" or form.arm_revealing:
        return False
    by = load_instrument(form.assessment.key).completed_by
    return by in _BY_PARTICIPANTS and form.assessment.asked_of in (None, "participant")


@verb(because="participant asked for a form")
def invite(user: User, *, participant: Participant, form: Askable) -> Invitation:
    """Ask a participant for a form; the same invitation again while it is open.

    Raises NotAllowed, ConsentMissing, InvalidEntry for a form that cannot be asked for now.
    """
    require(may_invite(user, participant.site), "ask participants of this site for forms")
    now = timezone.now()
    if form not in askable(participant, now=now):
        raise InvalidEntry(f"{form.label} cannot be asked for now: it is saved already, or not due.", field="form")
    return ensure(participant, form, now=now)


def ensure(participant: Participant, form: Askable, *, now: datetime) -> Invitation:
    """The open invitation to a form, made where there is none. Raises ConsentMissing."""
    require_collection(participant, form.instrument)
    version = instrument_versions.current([form.instrument])[form.instrument]
    opens_at, expires_at = _span(participant, form, now)
    return Invitation.objects.get_or_create(
        participant=participant,
        instrument=version,
        visit=form.visit,
        day=form.day,
        minute=form.minute,
        respondent=form.respondent,
        closed_at=None,
        defaults={"opens_at": opens_at, "expires_at": expires_at},
    )[0]


def _span(participant: Participant, form: Askable, now: datetime) -> tuple[datetime, datetime]:
    if form.day is not None:
        return diary_span(participant, form.day)
    closes = form.visit.closes_at if form.visit else None
    return now, max(now + SHORTEST, closes or now)


def diary_span(participant: Participant, day: date, zone: ZoneInfo | None = None) -> tuple[datetime, datetime]:
    """From when to when a diary day may be filled in: from its first midnight on the participant's clock until
    the protocol's days for filling in later are over."""
    diary = participant.protocol_version.definition.diary
    later = diary.backfill_days if diary else 0
    clock = zone or zone_of(participant)
    first = datetime.combine(day, time(0), clock)
    return first, datetime.combine(day + timedelta(days=1 + later), time(0), clock)


def next_diary_day(participant: Participant, *, after: date) -> date | None:
    """The next day of the diary after a day, within the two weeks to come; None when the diary is over or pauses."""
    diary, day0 = participant.protocol_version.definition.diary, day_zero(participant)
    if diary is None or day0 is None:
        return None
    days = (after + timedelta(days=ahead) for ahead in range(1, 15))
    return next((day for day in days if diary.due_on((day - day0).days)), None)


@verb(because="link made for the participant")
def make_link(user: User, *, invitation: Invitation) -> str:
    """A link that opens the form once, on one device; an older link of it opens nothing any more.

    Returns the token, to be put behind the door's address. Raises NotAllowed, AlreadyDone for a form that is closed.
    """
    now = timezone.now()
    _require_open(user, invitation)
    return open_up(invitation, DoorKey.Kind.LINK, at=now, expires_at=invitation.expires_at)


@verb(because="code made for the participant")
def make_code(user: User, *, invitation: Invitation) -> str:
    """A short code that opens the form once, within a day, also on a second device. Raises NotAllowed, AlreadyDone."""
    now = timezone.now()
    _require_open(user, invitation)
    return open_up(invitation, DoorKey.Kind.CODE, at=now, expires_at=now + door_keys.LONG_LIFE)


def open_up(invitation: Invitation, kind: DoorKey.Kind, *, at: datetime, expires_at: datetime) -> str:
    """Make a link or code, in the verb of whoever makes it: that it was made is in the trail, what it is nowhere."""
    Invitation.objects.filter(pk=invitation.pk).update(opened_up_at=at)
    return door_keys.issue(invitation, kind, at=at, expires_at=expires_at)


@verb(because="invitation taken back")
def revoke(user: User, *, invitation: Invitation, reason: str) -> Invitation:
    """Take an invitation back: nothing opens it any more. Answers that were sent already are kept as a partial form.

    Raises NotAllowed, AlreadyDone, InvalidEntry without a reason.
    """
    invitation = _require_open(user, invitation)
    if not reason.strip():
        raise InvalidEntry("Say why the invitation is taken back.", field="reason")
    return close(invitation, Invitation.Ending.REVOKED, at=timezone.now())


def _require_open(user: User, invitation: Invitation) -> Invitation:
    found = (
        Invitation.objects.select_for_update(of=("self",))
        .select_related("participant__site", "participant__protocol_version", "instrument", "visit")
        .get(pk=invitation.pk)
    )
    require(may_invite(user, found.participant.site), "ask participants of this site for forms")
    if found.closed_at is not None:
        raise AlreadyDone(f"This invitation is closed: {found.get_closed_because_display().lower()}.")
    return found
