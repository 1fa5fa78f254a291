"""Corrections of saved QST sessions: trials, how they were run, with which devices; computed and asked about anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from outcomes.models import ConditioningStimulus, Device, DeviceUse, QSTFlag, QSTSession, QSTTrial, QSTValue
from outcomes.qst_devices import calibration_due
from outcomes.qst_entries import ConditioningEntry, SessionEntry, TrialEntry, refuse_impossible
from outcomes.qst_flags import Background, testers_at
from outcomes.qst_sessions import (
    CONDITIONING,
    as_entry,
    due_of,
    entry_of,
    flags_now,
    keys_of,
    tested_on,
    trial_row,
    uses_of,
)
from outcomes.qst_values import values_of
from studies.acting import Actor, verb
from studies.errors import InvalidEntry
from studies.models import User
from studies.permissions import may_enter_qst, require

Key = tuple[str, str, str, int]
Saved = dict[Key, QSTTrial]


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
    devices: Sequence[Device] | None = None,
) -> QSTSession:
    """Change a saved session and compute its values anew; answer what is asked about it then.

    circumstances: new values by name, of those in CORRECTABLE. devices: all that were used, where that changes; each
    with the calibration that held on the day of the test. Raises NotAllowed, InvalidEntry, InvalidEntries.
    """
    require(may_enter_qst(user, session.participant.site), "correct QST here")
    if not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")
    unknown = set(circumstances or ()) - set(CORRECTABLE)
    if unknown:
        raise InvalidEntry(f"{sorted(unknown)[0]} is not corrected here; there is {', '.join(CORRECTABLE)}.")
    _correct_circumstances(session, circumstances or {}, conditioning, devices)
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
    session: QSTSession,
    circumstances: Mapping[str, Any],
    conditioning: ConditioningEntry | None,
    devices: Sequence[Device] | None,
) -> None:
    """Set them, after a look at whether they are possible: the database would refuse the rest without a field."""
    before = entry_of(session, ())
    used = list(before.devices if devices is None else devices)
    refuse_impossible(replace(before, **circumstances, conditioning=conditioning, devices=used))
    changed = [name for name in CORRECTABLE if name in circumstances]
    for name in changed:
        setattr(session, name, circumstances[name])
    if "tester" in changed:
        testers = testers_at([session.participant])
        session.tester_membership = testers.get((session.participant.site_id, session.tester))
        changed.append("tester_membership")
    if changed:
        session.save(update_fields=changed)
    _correct_devices(session, used, moved=tested_on(session) != tested_on(before))
    if conditioning:
        ConditioningStimulus.objects.update_or_create(
            session=session, defaults={**keys_of(session), **{n: getattr(conditioning, n) for n in CONDITIONING}}
        )


def _correct_devices(session: QSTSession, devices: Sequence[Device], *, moved: bool) -> None:
    """What was used, and no other; moved: the test was on another day, for which another calibration may have held."""
    wanted = {device.pk: device for device in devices}
    for use in DeviceUse.objects.filter(session=session).select_related("device"):
        before = (use.standing, use.calibration_due_on)
        use.standing = wanted.pop(use.device_id, None) is not None
        if use.standing and (moved or not before[0]):
            use.calibration_due_on = calibration_due(use.device, on=tested_on(session))
        if before != (use.standing, use.calibration_due_on):
            use.save(update_fields=["standing", "calibration_due_on"])
    DeviceUse.objects.bulk_create(uses_of(session, wanted.values()))


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
    saved: Saved = {as_entry(trial).key: trial for trial in session.trials.select_for_update()}
    given = {trial.key: trial for trial in trials}
    kept = [given.get(key) or as_entry(trial) for key, trial in saved.items()]
    entry = entry_of(session, [*kept, *(t for key, t in given.items() if key not in saved)])
    refuse_impossible(entry)
    _replace_trials(session, saved, given)
    replace_values(session, values_of(entry))
    _replaceflags_now(session, replace(entry, comments=comments or {}))
    return session


def replace_values(session: QSTSession, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the values of a session anew, keeping the rows that have not changed; the trail has old and new."""
    QSTValue.objects.bulk_create(
        [QSTValue(session=session, participant_id=session.participant_id, **value) for value in rows],
        update_conflicts=True,
        unique_fields=["session", "area", "parameter"],
        update_fields=["value", "z", "missing_reason", "reference", "reference_sha256", "rules_version"],
    )


def _replace_trials(session: QSTSession, saved: Saved, given: Mapping[Key, TrialEntry]) -> None:
    QSTTrial.objects.bulk_create(
        [QSTTrial(session=session, **trial_row(t)) for k, t in given.items() if k not in saved]
    )
    names = ["value", "missing_reason", "cutoff"]
    for key, trial in given.items():
        if key in saved:
            for name in names:
                setattr(saved[key], name, getattr(trial, name))
    QSTTrial.objects.bulk_update([saved[key] for key in given if key in saved], names)


def _replaceflags_now(session: QSTSession, entry: SessionEntry) -> None:
    """What no longer holds stays, marked so; what holds keeps its answer unless a new one is given."""
    people = [session.participant]
    asked = flags_now(entry, testers_at(people), Background(people), due_of(session))
    found = {(f["area"], f["key"]): f for f in asked}
    for flag in session.flags.all():
        now = found.pop((flag.area, flag.key), None)
        before = (flag.standing, flag.message, flag.comment)
        flag.standing = now is not None
        if now is not None:
            flag.message, flag.comment = str(now["message"]), str(now["comment"]) or flag.comment
        if before != (flag.standing, flag.message, flag.comment):
            flag.save(update_fields=["standing", "message", "comment"])
    QSTFlag.objects.bulk_create([QSTFlag(**keys_of(session), **flag) for flag in found.values()])
