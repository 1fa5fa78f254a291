"""What is to be asked about a session: from its readings, how it was run, and the session before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from outcomes.arm_revealing import revealing_of
from outcomes.models import Device, QSTSession, Response
from outcomes.qst import MODULATION, Equipment, Flag, SessionConditions, aggregate, condition_flags, reading_flags
from outcomes.qst_values import Trial
from studies.models import Membership, Participant, Record, Role
from studies.models.record import record_kinds
from studies.protocol.arm_revealing import Revealing

SESSION = ""  # the area of a flag that is about the session as a whole
QST_KINDS = {"qstsession", "qsttrial", "qstvalue", "qstflag", "deviceuse", "conditioningstimulus", "response"}
TESTERS = (Role.COORDINATOR, Role.EFFICACY_RATER)


class Conducted(Protocol):
    """A session as it was run."""

    @property
    def participant(self) -> Participant: ...
    @property
    def tested_at(self) -> datetime: ...
    @property
    def tester(self) -> str: ...
    @property
    def tester_masked(self) -> bool: ...
    @property
    def test_area(self) -> str: ...
    @property
    def test_side(self) -> str: ...
    @property
    def room_temperature_c(self) -> Decimal | None: ...
    @property
    def skin_temperature_c(self) -> Decimal | None: ...
    @property
    def start_temperature_c(self) -> Decimal | None: ...
    @property
    def duration_minutes(self) -> int | None: ...
    @property
    def analgesic_last_12h(self) -> bool | None: ...
    @property
    def trials(self) -> Iterable[Trial]: ...


@dataclass(frozen=True, slots=True)
class Previous:
    """What a participant's last session before this one says: who tested, and where."""

    tested_at: datetime
    tester: str
    area: str
    side: str


class Background:
    """What is known of participants besides the session itself, read at once for many."""

    def __init__(self, participants: Sequence[Participant]) -> None:
        keys = {participant.pk for participant in participants}
        self._sessions: dict[int, list[Previous]] = {}
        rows = QSTSession.objects.filter(participant__in=keys).order_by("tested_at")
        for key, at, tester, area, side in rows.values_list(
            "participant_id", "tested_at", "tester", "test_area", "test_side"
        ):
            self._sessions.setdefault(key, []).append(Previous(at, tester, area, side))
        self._at_infusion = people_at_infusion(participants)

    def previous(self, participant: Participant, before: datetime) -> Previous | None:
        """The participant's last session before a moment."""
        earlier = [each for each in self._sessions.get(participant.pk, []) if each.tested_at < before]
        return earlier[-1] if earlier else None

    def was_at_infusion(self, participant: Participant, username: str) -> bool:
        """Whether a person entered what tells the arm of the participant, the infusion itself among it."""
        return (participant.pk, username) in self._at_infusion


def people_at_infusion(participants: Iterable[Participant]) -> set[tuple[int, str]]:
    """Who entered what tells the arm of whom: by the marks of each participant's protocol and the flags of instruments.

    (participant, user name), in one query. Whoever started or ended the infusion has seen it, marked or not.
    """
    by_marks: dict[Revealing, list[int]] = {}
    for participant in participants:
        by_marks.setdefault(revealing_of(participant), []).append(participant.pk)
    rows: list[QuerySet[Any, Any]] = []
    for marks, keys in by_marks.items():
        of_them = Q(("participant__in", keys))
        rows += [model._default_manager.filter(of_them) for model in _marked_kinds(marks)]
        tells = Q(instrument__arm_revealing=True) | Q(instrument__key__in=marks.instruments)
        rows.append(Response.objects.filter(of_them, tells))
    people = [each.order_by().values_list("participant_id", "entered_by") for each in rows]
    return set(people[0].union(*people[1:])) if people else set()


def _marked_kinds(marks: Revealing) -> list[type[Record]]:
    """Kinds of record that tell the arm and belong to a participant; but not QST itself, which everybody tests."""
    kinds = record_kinds()
    marked = {*marks.records, "infusion"} - QST_KINDS
    return [kinds[name] for name in sorted(marked & kinds.keys()) if _is_of_participant(kinds[name])]


def _is_of_participant(model: type[Record]) -> bool:
    return any(field.name == "participant" for field in model._meta.get_fields())


def flags_of(
    session: Conducted, *, equipment: Iterable[Equipment], tester: Membership | None, background: Background
) -> list[tuple[str, Flag]]:
    """All flags of a session, each with the area it belongs to: test, control, or empty for the whole session.

    equipment: the devices used, with the calibration that held then; tester: the membership of the tester, if any.
    """
    conditions = _conditions(session, tuple(equipment), tester, background)
    flags = [(SESSION, flag) for flag in condition_flags(conditions)]
    for area in ("test", "control"):
        readings = [t for t in session.trials if t.area == area and t.parameter not in MODULATION]
        if readings:
            flags += [(area, flag) for flag in reading_flags(readings, aggregate(readings))]
    return flags


def _conditions(
    session: Conducted, equipment: tuple[Equipment, ...], tester: Membership | None, background: Background
) -> SessionConditions:
    zone = ZoneInfo(session.participant.site.time_zone)
    previous = background.previous(session.participant, session.tested_at)
    # A side that one of the two sessions does not tell is no change.
    told = bool(previous and previous.side and session.test_side)
    return SessionConditions(
        tested_on=session.tested_at.astimezone(zone).date(),
        equipment=equipment,
        examiner=session.tester,
        examiner_of_the_team=tester is not None,
        examiner_masked=session.tester_masked,
        examiner_at_infusion=background.was_at_infusion(session.participant, session.tester),
        area=_place(session.test_area, session.test_side if told else ""),
        previous_examiner=previous.tester if previous else None,
        previous_area=_place(previous.area, previous.side if told else "") if previous else None,
        start_temperature_c=_number(session.start_temperature_c),
        skin_temperature_c=_number(session.skin_temperature_c),
        room_temperature_c=_number(session.room_temperature_c),
        duration_minutes=session.duration_minutes,
        analgesic_in_last_12_h=session.analgesic_last_12h,
    )


def _place(area: str, side: str) -> str:
    return f"{side} {area}".strip()


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def equipment_of(devices: Iterable[Device], due: Mapping[int, date | None]) -> list[Equipment]:
    """Devices with the calibration that held when they were used (due: by device key)."""
    return [Equipment(f"{device.get_kind_display()} {device}", due[device.pk]) for device in devices]


def testers_at(participants: Iterable[Participant]) -> dict[tuple[int, str], Membership]:
    """The people who may test at the sites of participants, by site and username."""
    sites = {participant.site_id: participant.study_id for participant in participants}
    rows = Membership.objects.filter(study__in=set(sites.values()), role__in=TESTERS, ended_at__isnull=True)
    return {
        (site, membership.user.username): membership
        for membership in rows.select_related("user").order_by("role")
        for site, study in sites.items()
        if membership.study_id == study and membership.site_id in (None, site)
    }
