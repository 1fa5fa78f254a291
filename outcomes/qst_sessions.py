"""QST sessions: the trials as measured, the values computed from them, and what is to be asked about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import orjson
from django.db import connection

from outcomes.models import ConditioningStimulus, DeviceUse, QSTFlag, QSTSession, QSTTrial, QSTValue
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
    "CORRECTABLE",
    "MISSING_REASONS",
    "ConditioningEntry",
    "SessionEntry",
    "TrialEntry",
    "correct_session",
    "entry_of",
    "explain_flag",
    "open_flags",
    "save_session",
    "save_sessions",
    "store_correction",
    "store_sessions",
]

Flags = list[dict[str, object]]
Key = tuple[str, str, str, int]
Saved = dict[Key, QSTTrial]


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
    asked = [_flags(entry, testers, background) for entry in entries]
    sessions = QSTSession.objects.bulk_create([_session(entry, testers) for entry in entries])
    _insert(sessions, entries, asked)
    return sessions


def open_flags(entry: SessionEntry, *, session: QSTSession | None = None) -> Flags:
    """What would be asked about a session if it were saved now; each with the comment that answers it, if any.

    session: the saved one that the entry corrects, with the calibrations that held for it.
    """
    people = [entry.participant]
    due = {use.device_id: use.calibration_due_on for use in session.device_uses.all()} if session else None
    return _flags(entry, testers_at(people), Background(people), due)


_INSERT = """
WITH trial AS (
    INSERT INTO outcomes_qsttrial (session_id, area, parameter, direction, trial, value, missing_reason, cutoff)
    SELECT * FROM jsonb_to_recordset(%s::jsonb)
        AS t(session_id bigint, area text, parameter text, direction text, trial smallint, value float8,
             missing_reason text, cutoff boolean)
)
INSERT INTO outcomes_qstvalue (session_id, participant_id, area, parameter, value, z, missing_reason, reference,
                               reference_sha256)
SELECT * FROM jsonb_to_recordset(%s::jsonb)
    AS v(session_id bigint, participant_id bigint, area text, parameter text, value float8, z float8,
         missing_reason text, reference text, reference_sha256 text)
"""


def _insert(sessions: Sequence[QSTSession], entries: Sequence[SessionEntry], asked: Sequence[Flags]) -> None:
    """The trials and values of many sessions in one statement: a session has some 170 trials."""
    pairs = list(zip(sessions, entries, strict=True))
    trials = [{"session_id": session.pk, **_trial(trial)} for session, entry in pairs for trial in entry.trials]
    values = [
        {"session_id": session.pk, "participant_id": entry.participant.pk, **value}
        for session, entry in pairs
        for value in values_of(entry)
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [orjson.dumps(trials).decode(), orjson.dumps(values).decode()])
    uses = [use for session, entry in pairs for use in _uses(session, entry)]
    conditioning = [_conditioning(session, entry.conditioning) for session, entry in pairs if entry.conditioning]
    flags = [QSTFlag(**_of(session), **flag) for session, each in zip(sessions, asked, strict=True) for flag in each]
    # Most sessions of a night's import have none of these: a statement each only where there is something to say.
    if uses:
        DeviceUse.objects.bulk_create(uses)
    if conditioning:
        ConditioningStimulus.objects.bulk_create(conditioning)
    if flags:
        QSTFlag.objects.bulk_create(flags)


@verb(because="QST session corrected")
def correct_session(
    user: User,
    *,
    session: QSTSession,
    trials: Sequence[TrialEntry],
    reason: str,
    comments: Mapping[str, str] | None = None,
    circumstances: Mapping[str, Any] | None = None,
    conditioning: ConditioningEntry | None = None,
) -> QSTSession:
    """Change a saved session and compute its values anew; answer what is asked about it then.

    circumstances: new values by name, of those in CORRECTABLE. Devices stay as they were used.
    Raises NotAllowed, InvalidEntry, InvalidEntries.
    """
    require(may_enter_qst(user, session.participant.site), "correct QST here")
    _correct_circumstances(session, circumstances or {}, conditioning)
    return store_correction(user, session=session, trials=trials, reason=reason, comments=comments)


CORRECTABLE = (
    "tested_at",
    "tester",
    "tester_masked",
    "test_area",
    "test_side",
    "test_body_site",
    "control_area",
    "control_side",
    "control_body_site",
    "room",
    "room_temperature_c",
    "skin_temperature_c",
    "start_temperature_c",
    "duration_minutes",
    "analgesic_last_12h",
)


def _correct_circumstances(
    session: QSTSession, circumstances: Mapping[str, Any], conditioning: ConditioningEntry | None
) -> None:
    """Set them, after a look at whether they are possible: the database would refuse the rest without a field."""
    refuse_impossible(replace(entry_of(session, ()), **circumstances, conditioning=conditioning))
    changed = [name for name in CORRECTABLE if name in circumstances]
    for name in changed:
        setattr(session, name, circumstances[name])
    if "tester" in changed:
        testers = testers_at([session.participant])
        session.tester_membership = testers.get((session.participant.site_id, session.tester))
        changed.append("tester_membership")
    if changed:
        session.save(update_fields=changed)
    if conditioning:
        ConditioningStimulus.objects.update_or_create(
            session=session, defaults={**_of(session), **{n: getattr(conditioning, n) for n in _CONDITIONING}}
        )


@verb(because="QST session corrected")
def store_correction(
    actor: Actor,
    *,
    session: QSTSession,
    trials: Sequence[TrialEntry],
    reason: str,
    comments: Mapping[str, str] | None = None,
) -> QSTSession:
    """The same of trials alone for whoever has asked for permission before, or needs none: a program that imports."""
    if not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")
    saved: Saved = {_as_entry(trial).key: trial for trial in session.trials.select_for_update()}
    given = {trial.key: trial for trial in trials}
    kept = [given.get(key) or _as_entry(trial) for key, trial in saved.items()]
    entry = entry_of(session, [*kept, *(t for key, t in given.items() if key not in saved)])
    refuse_impossible(entry)
    _replace_trials(session, saved, given)
    QSTValue.objects.bulk_create(
        [QSTValue(session=session, participant=session.participant, **value) for value in values_of(entry)],
        update_conflicts=True,
        unique_fields=["session", "area", "parameter"],
        update_fields=["value", "z", "missing_reason", "reference", "reference_sha256"],
    )
    _replace_flags(session, replace(entry, comments=comments or {}))
    return session


def _replace_trials(session: QSTSession, saved: Saved, given: Mapping[Key, TrialEntry]) -> None:
    QSTTrial.objects.bulk_create([QSTTrial(session=session, **_trial(t)) for k, t in given.items() if k not in saved])
    names = ["value", "missing_reason", "cutoff"]
    for key, trial in given.items():
        if key in saved:
            for name in names:
                setattr(saved[key], name, getattr(trial, name))
    QSTTrial.objects.bulk_update([saved[key] for key in given if key in saved], names)


def _replace_flags(session: QSTSession, entry: SessionEntry) -> None:
    """What no longer holds stays, marked so; what holds keeps its answer unless a new one is given."""
    people = [session.participant]
    due = {use.device_id: use.calibration_due_on for use in session.device_uses.all()}
    found = {(f["area"], f["key"]): f for f in _flags(entry, testers_at(people), Background(people), due)}
    for flag in session.flags.all():
        now = found.pop((flag.area, flag.key), None)
        before = (flag.standing, flag.message, flag.comment)
        flag.standing = now is not None
        if now is not None:
            flag.message, flag.comment = str(now["message"]), str(now["comment"]) or flag.comment
        if before != (flag.standing, flag.message, flag.comment):
            flag.save(update_fields=["standing", "message", "comment"])
    QSTFlag.objects.bulk_create([QSTFlag(**_of(session), **flag) for flag in found.values()])


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
        trials=[_as_entry(trial) for trial in session.trials.all()] if trials is None else trials,
        devices=[use.device for use in session.device_uses.select_related("device")],
        conditioning=_conditioning_entry(conditioning) if conditioning else None,
    )


def _flags(
    entry: SessionEntry,
    testers: Mapping[tuple[int, str], Membership],
    background: Background,
    due: Mapping[int, date | None] | None = None,
) -> Flags:
    tester = testers.get((entry.participant.site_id, entry.tester))
    equipment = equipment_of(entry.devices, due)
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


def _of(session: QSTSession) -> dict[str, int]:
    return {"session_id": session.pk, "participant_id": session.participant_id}


def _uses(session: QSTSession, entry: SessionEntry) -> Iterable[DeviceUse]:
    return (
        DeviceUse(**_of(session), device=device, calibration_due_on=device.calibration_due_on)
        for device in entry.devices
    )


_CONDITIONING = tuple(ConditioningEntry.__dataclass_fields__)


def _conditioning(session: QSTSession, entry: ConditioningEntry) -> ConditioningStimulus:
    return ConditioningStimulus(**_of(session), **{name: getattr(entry, name) for name in _CONDITIONING})


def _conditioning_entry(saved: ConditioningStimulus) -> ConditioningEntry:
    return ConditioningEntry(**{name: getattr(saved, name) for name in _CONDITIONING})


_TRIAL = tuple(TrialEntry.__dataclass_fields__)


def _trial(trial: TrialEntry) -> dict[str, object]:
    return {name: getattr(trial, name) for name in _TRIAL}


def _as_entry(trial: QSTTrial) -> TrialEntry:
    return TrialEntry(**{name: getattr(trial, name) for name in _TRIAL})
