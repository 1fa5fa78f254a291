"""A QST session as it is entered: its trials and circumstances, and everything that makes it impossible to save."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import cast

from django.utils import timezone

from outcomes.models import ConditioningStimulus, Device, ImportedFile
from outcomes.qst import MODULATION, PARAMETERS, CpmMethod, modulation_problem, trial_problem
from outcomes.qst.modulation import TestStimulus, Timing
from studies.errors import InvalidEntries, InvalidEntry
from studies.models import Participant, Visit

MISSING_REASONS = {
    "not_done": "Not done",
    "refused": "Refused by the participant",
    "not_tolerated": "Not tolerated",
    "equipment": "Equipment failed",
}
MOST_TRIALS = 20
# Of circumstances: lowest, highest, unit. Beyond these it is a slip of the pen, not a circumstance.
POSSIBLE = {
    "room_temperature_c": ("Room temperature", 5, 45, "°C"),
    "skin_temperature_c": ("Skin temperature", 10, 45, "°C"),
    "start_temperature_c": ("Start temperature of the thermode", 0, 50, "°C"),
    "duration_minutes": ("Duration of the session", 1, 480, "minutes"),
}


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

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.area, self.parameter, self.direction, self.trial

    @property
    def field(self) -> str:
        """The name of its entry in forms and messages."""
        return f"{self.area}.{self.parameter}.{self.direction or 'trial'}.{self.trial}"


@dataclass(frozen=True, slots=True)
class ConditioningEntry:
    """How conditioned pain modulation was tested; the fields are those of `ConditioningStimulus`."""

    test_stimulus: str
    timing: str
    kind: str
    temperature_c: Decimal | None = None
    seconds: int | None = None

    @property
    def method(self) -> CpmMethod | None:
        """What the readings are compared by; None while it is not known."""
        known = (
            self.test_stimulus in ConditioningStimulus.TestStimulus.values
            and self.timing in ConditioningStimulus.Timing.values
        )
        return CpmMethod(cast(TestStimulus, self.test_stimulus), cast(Timing, self.timing)) if known else None


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """One session of the DFNS protocol as it was run.

    comments: answers to what will be asked about it, by area and key of the flag ("test/outlier CPT 2").
    """

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
    room: str = ""
    test_side: str = ""
    test_body_site: str = ""
    control_side: str = ""
    control_body_site: str = ""
    skin_temperature_c: Decimal | None = None
    start_temperature_c: Decimal | None = None
    duration_minutes: int | None = None
    analgesic_last_12h: bool | None = None
    devices: Sequence[Device] = field(default_factory=tuple)
    conditioning: ConditioningEntry | None = None
    comments: Mapping[str, str] = field(default_factory=dict)
    imported_file: ImportedFile | None = None

    @property
    def cpm_method(self) -> CpmMethod | None:
        return self.conditioning.method if self.conditioning else None


def refuse_impossible(entry: SessionEntry) -> None:
    """Raise InvalidEntries naming everything in a session that cannot be saved as it is."""
    if problems := [*_session_problems(entry), *_trial_problems(entry)]:
        raise InvalidEntries(problems)


def _session_problems(entry: SessionEntry) -> Iterator[InvalidEntry]:
    if not entry.test_area:
        yield InvalidEntry("Say which area was tested.", field="test_area")
    if not entry.tester.strip():
        yield InvalidEntry("Say who tested.", field="tester")
    if entry.tested_at > timezone.now():
        yield InvalidEntry("The session lies in the future. Give the time at which it took place.", field="tested_at")
    for name, (label, low, high, unit) in POSSIBLE.items():
        value = getattr(entry, name)
        if value is not None and not low <= value <= high:
            yield InvalidEntry(f"{label} is {value:g} {unit}; allowed is {low} to {high}. Check it.", field=name)
    if any(trial.area == "control" for trial in entry.trials) and not entry.control_area:
        yield InvalidEntry("Trials of a control area are given: say which area that is.", field="control_area")
    for device in entry.devices:
        if device.site_id != entry.participant.site_id:
            yield InvalidEntry(f"{device} belongs to another site. Choose one of this site.", field="devices")
    if entry.conditioning:
        yield from _conditioning_problems(entry.conditioning)


def _conditioning_problems(entry: ConditioningEntry) -> Iterator[InvalidEntry]:
    for name, label, choices in (
        ("test_stimulus", "test stimulus", ConditioningStimulus.TestStimulus),
        ("timing", "timing", ConditioningStimulus.Timing),
        ("kind", "conditioning stimulus", ConditioningStimulus.Kind),
    ):
        if getattr(entry, name) not in choices.values:
            allowed = ", ".join(choices.values)
            yield InvalidEntry(f"Say which {label} CPM was tested with: {allowed}.", field=f"cpm_{name}")
    if entry.temperature_c is not None and not 0 <= entry.temperature_c <= 50:
        message = f"The conditioning stimulus has {entry.temperature_c:g} °C; allowed is 0 to 50 °C."
        yield InvalidEntry(message, field="cpm_temperature_c")
    if entry.seconds is not None and not 1 <= entry.seconds <= 600:
        message = f"Conditioning lasted {entry.seconds} seconds; allowed is 1 to 600."
        yield InvalidEntry(message, field="cpm_seconds")


def _trial_problems(entry: SessionEntry) -> Iterator[InvalidEntry]:
    counts = Counter(trial.key for trial in entry.trials)
    method = entry.cpm_method
    for trial in entry.trials:
        if message := _trial_problem(trial, method):
            yield InvalidEntry(message, field=trial.field)
    for key, count in counts.items():
        if count > 1:
            area, parameter, direction, number = key
            named = " ".join(filter(None, (parameter, direction, f"trial {number}", f"of the {area} area")))
            message = f"{named} is given {count} times. Keep one."
            yield InvalidEntry(message, field=TrialEntry(area, parameter, number, None, direction).field)


def _trial_problem(trial: TrialEntry, method: CpmMethod | None) -> str | None:
    if trial.area not in ("test", "control"):
        return f"The area of a trial is {trial.area!r}; allowed is test or control."
    if not 1 <= trial.trial <= MOST_TRIALS:
        return f"Trial number {trial.trial} of {trial.parameter}: allowed is 1 to {MOST_TRIALS}."
    if (trial.value is None) == (trial.missing_reason is None):
        return "Give a value, or say why there is none."
    if trial.missing_reason is not None and trial.missing_reason not in MISSING_REASONS:
        return f"{trial.missing_reason!r} is no reason for a missing trial; there are {', '.join(MISSING_REASONS)}."
    if trial.parameter in MODULATION:
        if trial.area != "test":
            return f"{trial.parameter} is tested at the test area only."
        return modulation_problem(trial, method)
    if trial.parameter not in PARAMETERS:
        return f"There is no QST parameter {trial.parameter}; there are {', '.join([*PARAMETERS, *MODULATION])}."
    directions = PARAMETERS[trial.parameter].directions
    if trial.direction not in directions:
        allowed = ", ".join(filter(None, directions)) or "none"
        return f"{trial.parameter}: the direction is {trial.direction!r}; allowed is {allowed}."
    return None if trial.value is None else trial_problem(trial.parameter, trial.value)
