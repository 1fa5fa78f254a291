"""QST sessions: the trials as measured, the values computed from them, and what is to be asked about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from zoneinfo import ZoneInfo

import orjson
from django.db import connection

from outcomes.models import ConditioningStimulus, Device, DeviceUse, QSTFlag, QSTSession, QSTTrial
from outcomes.qst_devices import calibration_due
from outcomes.qst_entries import (
    MISSING_REASONS,
    ConditioningEntry,
    SessionEntry,
    TrialEntry,
    refuse_impossible,
)
from outcomes.qst_flags import Background, equipment_of, flags_of, testers_at
from outcomes.qst_values import values_of
from studies.acting import Actor, verb
from studies.consents import require_collection
from studies.errors import AlreadyDone, InvalidEntry
from studies.models import Membership, User
from studies.permissions import may_enter_qst, require

__all__ = [
    "MISSING_REASONS",
    "ConditioningEntry",
    "SessionEntry",
    "TrialEntry",
    "entry_of",
    "explain_flag",
    "open_flags",
    "save_session",
    "save_sessions",
    "store_sessions",
]

Flags = list[dict[str, object]]


@verb(because="QST session entered")
def save_session(user: User, *, entry: SessionEntry) -> QSTSession:
    """Save a session with its trials and computed values, and what is to be asked about it.

    Raises NotAllowed, ConsentMissing, AlreadyDone, InvalidEntries naming every trial that cannot be saved.
    """
    return save_sessions(user, entries=[entry])[0]


@verb(because="QST sessions entered")
def save_sessions(user: User, *, entries: Sequence[SessionEntry]) -> list[QSTSession]:
    """Save many sessions, all or none; the checks are those of one."""
    for entry in entries:
        require(may_enter_qst(user, entry.participant.site), f"enter QST at site {entry.participant.site.code}")
    return store_sessions(user, entries=entries)


@verb(because="QST sessions entered")
def store_sessions(actor: Actor, *, entries: Sequence[SessionEntry]) -> list[QSTSession]:
    """The same for whoever has asked for permission before, or needs none: a program that imports."""
    for entry in entries:
        refuse_impossible(entry)
    people = {entry.participant.pk: entry.participant for entry in entries}
    for participant in people.values():
        require_collection(participant, "qst")
    taken = QSTSession.objects.filter(visit__in=[entry.visit for entry in entries]).select_related("visit").first()
    if taken:
        raise AlreadyDone(f"The QST session of visit {taken.visit.code} has already been saved. Open it to correct it.")
    testers, background = testers_at(people.values()), Background(list(people.values()))
    asked = [flags_now(entry, testers, background, {}) for entry in entries]
    sessions = QSTSession.objects.bulk_create([_session(entry, testers) for entry in entries])
    _insert(sessions, entries, asked)
    return sessions


def open_flags(entry: SessionEntry, *, session: QSTSession | None = None) -> Flags:
    """What would be asked about a session if it were saved now; each with the comment that answers it, if any.

    session: the saved one that the entry corrects, with the calibrations that held for it.
    """
    people = [entry.participant]
    return flags_now(entry, testers_at(people), Background(people), due_of(session) if session else {})


_INSERT = """
WITH trial AS (
    INSERT INTO outcomes_qsttrial (session_id, area, parameter, direction, trial, value, missing_reason, cutoff)
    SELECT * FROM jsonb_to_recordset(%s::jsonb)
        AS t(session_id bigint, area text, parameter text, direction text, trial smallint, value float8,
             missing_reason text, cutoff boolean)
)
INSERT INTO outcomes_qstvalue (session_id, participant_id, area, parameter, value, z, missing_reason, reference,
                               reference_sha256, rules_version)
SELECT * FROM jsonb_to_recordset(%s::jsonb)
    AS v(session_id bigint, participant_id bigint, area text, parameter text, value float8, z float8,
         missing_reason text, reference text, reference_sha256 text, rules_version text)
"""


def _insert(sessions: Sequence[QSTSession], entries: Sequence[SessionEntry], asked: Sequence[Flags]) -> None:
    """The trials and values of many sessions in one statement: a session has some 170 trials."""
    pairs = list(zip(sessions, entries, strict=True))
    trials = [{"session_id": session.pk, **trial_row(trial)} for session, entry in pairs for trial in entry.trials]
    values = [
        {"session_id": session.pk, "participant_id": entry.participant.pk, **value}
        for session, entry in pairs
        for value in values_of(entry)
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [orjson.dumps(trials).decode(), orjson.dumps(values).decode()])
    uses = [use for session, entry in pairs for use in uses_of(session, entry.devices)]
    conditioning = [_conditioning(session, entry.conditioning) for session, entry in pairs if entry.conditioning]
    flags = [
        QSTFlag(**keys_of(session), **flag) for session, each in zip(sessions, asked, strict=True) for flag in each
    ]
    # Most sessions of a night's import have none of these: a statement each only where there is something to say.
    if uses:
        DeviceUse.objects.bulk_create(uses)
    if conditioning:
        ConditioningStimulus.objects.bulk_create(conditioning)
    if flags:
        QSTFlag.objects.bulk_create(flags)


@verb(because="question about a QST session answered")
def explain_flag(user: User, *, flag: QSTFlag, comment: str) -> QSTFlag:
    """Answer what is asked about a session. Raises NotAllowed, InvalidEntry."""
    require(may_enter_qst(user, flag.session.participant.site), "answer questions about QST here")
    if not comment.strip():
        raise InvalidEntry("Say what was found: the value is right and why, or what was done.", field="comment")
    flag.comment = comment.strip()
    flag.save(update_fields=["comment"])
    return flag


def entry_of(session: QSTSession, trials: Sequence[TrialEntry] | None = None) -> SessionEntry:
    """A saved session as it would be entered; with other trials than its own, if they are given."""
    conditioning = ConditioningStimulus.objects.filter(session=session).first()
    return SessionEntry(
        **{name: getattr(session, name) for name in _SAVED_AS_ENTERED},
        trials=[as_entry(trial) for trial in session.trials.all()] if trials is None else trials,
        devices=[use.device for use in devices_of(session)],
        conditioning=_conditioning_entry(conditioning) if conditioning else None,
    )


def tested_on(session: QSTSession | SessionEntry) -> date:
    return session.tested_at.astimezone(ZoneInfo(session.participant.site.time_zone)).date()


def devices_of(session: QSTSession) -> Iterable[DeviceUse]:
    """The devices of a saved session, those that were named by mistake left out."""
    return DeviceUse.objects.filter(session=session, standing=True).select_related("device").order_by("pk")


def due_of(session: QSTSession) -> dict[int, date | None]:
    return {use.device_id: use.calibration_due_on for use in devices_of(session)}


def flags_now(
    entry: SessionEntry,
    testers: Mapping[tuple[int, str], Membership],
    background: Background,
    due: Mapping[int, date | None],
) -> Flags:
    """due: of devices whose calibration was kept with a saved session; of others that of the day is looked up."""
    tester = testers.get((entry.participant.site_id, entry.tester))
    on = tested_on(entry)
    held = {d.pk: due[d.pk] if d.pk in due else calibration_due(d, on=on) for d in entry.devices}
    equipment = equipment_of(entry.devices, held)
    return [
        {
            "area": area,
            "key": flag.key[:200],
            "code": flag.code,
            "parameter": flag.parameter,
            "message": flag.message[:300],
            "comment": entry.comments.get(f"{area}/{flag.key}", "").strip()[:300],
        }
        for area, flag in flags_of(entry, equipment=equipment, tester=tester, background=background)
    ]


_SAVED_AS_ENTERED = tuple(
    name for name in SessionEntry.__dataclass_fields__ if name not in ("trials", "devices", "conditioning", "comments")
)


def _session(entry: SessionEntry, testers: Mapping[tuple[int, str], Membership]) -> QSTSession:
    membership = testers.get((entry.participant.site_id, entry.tester))
    return QSTSession(tester_membership=membership, **{name: getattr(entry, name) for name in _SAVED_AS_ENTERED})


def keys_of(session: QSTSession) -> dict[str, int]:
    return {"session_id": session.pk, "participant_id": session.participant_id}


def uses_of(session: QSTSession, devices: Iterable[Device]) -> list[DeviceUse]:
    on = tested_on(session)
    return [
        DeviceUse(**keys_of(session), device=device, calibration_due_on=calibration_due(device, on=on))
        for device in devices
    ]


CONDITIONING = tuple(ConditioningEntry.__dataclass_fields__)


def _conditioning(session: QSTSession, entry: ConditioningEntry) -> ConditioningStimulus:
    return ConditioningStimulus(**keys_of(session), **{name: getattr(entry, name) for name in CONDITIONING})


def _conditioning_entry(saved: ConditioningStimulus) -> ConditioningEntry:
    return ConditioningEntry(**{name: getattr(saved, name) for name in CONDITIONING})


_TRIAL = tuple(TrialEntry.__dataclass_fields__)


def trial_row(trial: TrialEntry) -> dict[str, object]:
    return {name: getattr(trial, name) for name in _TRIAL}


def as_entry(trial: QSTTrial) -> TrialEntry:
    return TrialEntry(**{name: getattr(trial, name) for name in _TRIAL})
