"""QST sessions: the trials as measured, and the values computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import orjson
from django.db import connection

from outcomes.models import QSTSession, QSTTrial, QSTValue
from outcomes.qst import PARAMETERS, trial_problem
from outcomes.qst_values import values_of
from studies.acting import verb
from studies.consents import require_collection
from studies.errors import AlreadyDone, InvalidEntries, InvalidEntry
from studies.models import Participant, User, Visit
from studies.permissions import may_enter_qst, require

MISSING_REASONS = ("not_done", "refused", "not_tolerated", "equipment")


@dataclass(frozen=True, slots=True)
class TrialEntry:
    """One stimulus: a value in the parameter's unit, or the reason why there is none."""

    area: str
    parameter: str
    trial: int
    value: float | None
    direction: str = ""
    missing_reason: str | None = None
    cutoff: bool = False


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """One session of the DFNS protocol as it was run."""

    participant: Participant
    visit: Visit
    tested_at: datetime
    tester: str
    test_area: str
    trials: Sequence[TrialEntry] = field(default_factory=tuple)
    control_area: str = ""
    tester_masked: bool = True
    room_temperature_c: Decimal | None = None
    device: str = ""


@verb(because="QST session entered")
def save_session(user: User, *, entry: SessionEntry) -> QSTSession:
    """Save a session with its trials and computed values.

    Raises NotAllowed, ConsentMissing, AlreadyDone, InvalidEntries naming every trial that cannot be saved.
    """
    return save_sessions(user, entries=[entry])[0]


@verb(because="QST sessions entered")
def save_sessions(user: User, *, entries: Sequence[SessionEntry]) -> list[QSTSession]:
    """Save many sessions, all or none; the checks are those of one."""
    for entry in entries:
        require(may_enter_qst(user, entry.participant.site), f"enter QST at site {entry.participant.site.code}")
        _check(entry)
    for participant in {entry.participant.pk: entry.participant for entry in entries}.values():
        require_collection(participant, "qst")
    taken = QSTSession.objects.filter(visit__in=[entry.visit for entry in entries]).select_related("visit").first()
    if taken:
        raise AlreadyDone(f"The QST session of visit {taken.visit.code} has already been saved. Open it to correct it.")
    sessions = QSTSession.objects.bulk_create([_session(entry) for entry in entries])
    _insert(sessions, entries)
    return sessions


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


def _insert(sessions: Sequence[QSTSession], entries: Sequence[SessionEntry]) -> None:
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


@verb(because="QST session corrected")
def correct_session(user: User, *, session: QSTSession, trials: Sequence[TrialEntry], reason: str) -> QSTSession:
    """Change trials of a saved session and compute its values anew. Raises NotAllowed, InvalidEntry, InvalidEntries."""
    require(may_enter_qst(user, session.participant.site), "correct QST here")
    if not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")
    saved = {(t.area, t.parameter, t.direction, t.trial): t for t in session.trials.select_for_update()}
    given = {(t.area, t.parameter, t.direction, t.trial): t for t in trials}
    entry = _entry_of(session, [given.get(key) or _as_entry(trial) for key, trial in saved.items()])
    new = [t for key, t in given.items() if key not in saved]
    entry = _entry_of(session, [*entry.trials, *new])
    _check(entry)
    QSTTrial.objects.bulk_create([QSTTrial(session=session, **_trial(t)) for t in new])
    for key, trial in given.items():
        if key in saved:
            for name in ("value", "missing_reason", "cutoff"):
                setattr(saved[key], name, getattr(trial, name))
    QSTTrial.objects.bulk_update([saved[key] for key in given if key in saved], ["value", "missing_reason", "cutoff"])
    QSTValue.objects.bulk_create(
        [QSTValue(session=session, participant=session.participant, **value) for value in values_of(entry)],
        update_conflicts=True,
        unique_fields=["session", "area", "parameter"],
        update_fields=["value", "z", "missing_reason", "reference", "reference_sha256"],
    )
    return session


def _check(entry: SessionEntry) -> None:
    problems = [
        InvalidEntry(message, field=f"{trial.area}.{trial.parameter}.{trial.direction or 'trial'}.{trial.trial}")
        for trial in entry.trials
        if (message := _trial_problem(trial))
    ]
    if not entry.test_area:
        problems.append(InvalidEntry("Say which area was tested.", field="test_area"))
    if problems:
        raise InvalidEntries(problems)


def _trial_problem(trial: TrialEntry) -> str | None:
    if (trial.value is None) == (trial.missing_reason is None):
        return "Give a value, or say why there is none."
    if trial.value is None:
        if trial.missing_reason not in MISSING_REASONS:
            return f"{trial.missing_reason!r} is no reason for a missing trial."
        return None
    if trial.parameter not in PARAMETERS:
        return f"There is no QST parameter {trial.parameter}; there are {', '.join(PARAMETERS)}."
    return trial_problem(trial.parameter, trial.value)


def _session(entry: SessionEntry) -> QSTSession:
    return QSTSession(
        participant=entry.participant,
        visit=entry.visit,
        tested_at=entry.tested_at,
        tester=entry.tester,
        tester_masked=entry.tester_masked,
        test_area=entry.test_area,
        control_area=entry.control_area,
        room_temperature_c=entry.room_temperature_c,
        device=entry.device,
    )


def _trial(trial: TrialEntry) -> dict[str, object]:
    return {name: getattr(trial, name) for name in TrialEntry.__dataclass_fields__}


def _as_entry(trial: QSTTrial) -> TrialEntry:
    return TrialEntry(**{name: getattr(trial, name) for name in TrialEntry.__dataclass_fields__})


def _entry_of(session: QSTSession, trials: Sequence[TrialEntry]) -> SessionEntry:
    return SessionEntry(
        participant=session.participant,
        visit=session.visit,
        tested_at=session.tested_at,
        tester=session.tester,
        test_area=session.test_area,
        control_area=session.control_area,
        trials=trials,
    )
