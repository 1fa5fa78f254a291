"""What was typed into the form of a QST session, read as a session; what cannot be read is told by its field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone

from outcomes.imports.numbers import number
from outcomes.models import ConditioningStimulus, Device, QSTSession
from outcomes.models.qst import Side
from outcomes.qst import CPM, MODULATION, CpmMethod, modulation_problem, trial_problem
from outcomes.qst.parameters import COLDEST_C, HIGHEST_PRESSURE_KPA, HOTTEST_C
from outcomes.qst_corrections import CORRECTABLE
from outcomes.qst_entries import MISSING_REASONS, POSSIBLE
from outcomes.qst_layout import AREAS, Cell, Row, layout
from outcomes.qst_sessions import ConditioningEntry, SessionEntry, TrialEntry
from studies.errors import InvalidEntries, InvalidEntry
from studies.models import Participant, Visit
from trialsite.desk.fields import DeskForm, MomentField, NumberField

BODY_AREAS = ("hand", "foot", "face", "trunk")
_LIMITS = {
    **dict.fromkeys(("CDT", "WDT", "TSL", "CPT", "HPT"), (COLDEST_C, HOTTEST_C)),
    "PPT": (HIGHEST_PRESSURE_KPA,),
}
_YES_NO = (("yes", "Yes"), ("no", "No"))
_SIDES = (("", "side not told"), *Side.choices)


def _measured(name: str) -> NumberField:
    label, low, high, unit = POSSIBLE[name]
    return NumberField(label=label, limits=(low, high), unit=unit, required=False)


def _choices(label: str, choices: type[Any]) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=[("", "not tested"), *choices.choices], required=False)


def _body_site(label: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"placeholder": "body site, in words"})
    return forms.CharField(label=label, max_length=80, required=False, widget=widget)


class CircumstancesForm(DeskForm):
    """How a session was run. `testers`: usernames with the names people know them by."""

    tested_at = MomentField(label="Tested on")
    tester = forms.ChoiceField(label="Tester")
    tester_masked = forms.ChoiceField(
        label="Tester masked",
        choices=_YES_NO,
        initial="yes",
        help_text="The tester was not at the infusion and does not know how it went.",
    )
    room = forms.CharField(label="Room", max_length=60, required=False)
    room_temperature_c = _measured("room_temperature_c")
    skin_temperature_c = _measured("skin_temperature_c")
    start_temperature_c = _measured("start_temperature_c")
    duration_minutes = _measured("duration_minutes")
    analgesic_last_12h = forms.ChoiceField(
        label="Analgesic in the last 12 hours", choices=[("", "Not asked"), *_YES_NO], required=False
    )
    test_area = forms.ChoiceField(label="Test area", choices=[(a, a) for a in BODY_AREAS], initial="hand")
    test_side = forms.ChoiceField(label="Side of the test area", choices=_SIDES, required=False)
    test_body_site = _body_site("Body site of the test area")
    control_area = forms.ChoiceField(
        label="Control area", choices=[("", "none"), *((a, a) for a in BODY_AREAS)], required=False
    )
    control_side = forms.ChoiceField(label="Side of the control area", choices=_SIDES, required=False)
    control_body_site = _body_site("Body site of the control area")
    cpm_test_stimulus = _choices("Test stimulus", ConditioningStimulus.TestStimulus)
    cpm_timing = _choices("Timing", ConditioningStimulus.Timing)
    cpm_kind = _choices("Conditioning stimulus", ConditioningStimulus.Kind)
    cpm_temperature_c = NumberField(label="Conditioning temperature", limits=(0, 50), unit="°C", required=False)
    cpm_seconds = NumberField(label="Duration of conditioning", limits=(1, 600), unit="seconds", required=False)

    def __init__(self, testers: Mapping[str, str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["tester"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        field.choices = list(testers.items())
        # Three fields stand in one row under one heading: each is named for those who hear the page.
        for name in PLACES:
            self.fields[name].widget.attrs["aria-label"] = self.fields[name].label or name


PLACES = ("test_area", "test_side", "test_body_site", "control_area", "control_side", "control_body_site")


@dataclass(frozen=True)
class Typed:
    """What was typed: the session as far as it can be read, and everything in it that cannot."""

    entry: SessionEntry
    problems: tuple[InvalidEntry, ...]

    def refuse_unreadable(self) -> None:
        """Raise InvalidEntries naming every field that cannot be read."""
        if self.problems:
            raise InvalidEntries(list(self.problems))

    @property
    def circumstances(self) -> dict[str, Any]:
        """Those that a saved session may be corrected in."""
        return {name: getattr(self.entry, name) for name in CORRECTABLE}


def read_session(
    posted: Mapping[str, str], form: CircumstancesForm, *, person: Participant, visit: Visit, saved: QSTSession | None
) -> Typed:
    """Read a form. Of what cannot be read the session has nothing, and `problems` says so."""
    problems = [
        InvalidEntry(message, field=field) for field, messages in form.errors.items() for message in map(str, messages)
    ]
    said = form.cleaned_data
    trials, conditioning = list[TrialEntry](), _conditioning(said, posted)
    saved_cells = (
        {f"{t.area}.{t.parameter}.{t.direction or 'trial'}.{t.trial}" for t in saved.trials.all()} if saved else set()
    )
    reader = _Cells(posted, conditioning.method if conditioning else None, saved_cells)
    for area in AREAS:
        for row in layout(area):
            trials += reader.row(area, row)
    problems += reader.problems
    if any(trial.area == "control" for trial in trials) and not said.get("control_area"):
        problems.append(
            InvalidEntry("Trials of a control area are given: say which area that is.", field="control_area")
        )
    entry = SessionEntry(
        participant=person,
        visit=visit,
        tested_at=_moment(said.get("tested_at"), person),
        tester=said.get("tester", ""),
        tester_masked=said.get("tester_masked") != "no",
        test_area=said.get("test_area", ""),
        analgesic_last_12h={"yes": True, "no": False}.get(said.get("analgesic_last_12h", "")),
        room_temperature_c=_decimal(said.get("room_temperature_c")),
        skin_temperature_c=_decimal(said.get("skin_temperature_c")),
        start_temperature_c=_decimal(said.get("start_temperature_c")),
        duration_minutes=_whole(said.get("duration_minutes")),
        trials=trials,
        devices=_devices(posted, person),
        conditioning=conditioning,
        comments={name.removeprefix("comment."): text for name, text in posted.items() if name.startswith("comment.")},
        **{name: said.get(name, "") for name in _TEXTS},
    )
    return Typed(entry, tuple(problems))


_TEXTS = ("room", "test_side", "test_body_site", "control_area", "control_side", "control_body_site")


class _Cells:
    """Reads the cells of one form and remembers what it could not read."""

    def __init__(self, posted: Mapping[str, str], method: CpmMethod | None, saved: set[str]) -> None:
        self._posted, self._method, self._saved = posted, method, saved
        self.problems: list[InvalidEntry] = []

    def row(self, area: str, row: Row) -> Iterator[TrialEntry]:
        """Every cell of a row that was begun: a number, or the reason why there is none."""
        texts = {cell: self._posted.get(cell.name(area), "").strip() for cell in row.cells}
        reason = self._posted.get(f"missing.{area}.{row.parameter}", "")
        reason = reason if reason in MISSING_REASONS else ""
        was_saved = any(cell.name(area) in self._saved for cell in row.cells)
        if not (any(texts.values()) or reason or was_saved):
            return
        for cell, text in texts.items():
            if not text:
                # The readings of CPM and its train are as many as were taken; none of them is missing.
                if row.parameter not in MODULATION or cell.name(area) in self._saved:
                    yield _trial(area, cell, None, reason or "not_done")
            elif (value := self._value(area, row, cell, text)) is not None:
                yield _trial(area, cell, value, None)

    def _value(self, area: str, row: Row, cell: Cell, text: str) -> float | None:
        try:
            value = number(text.replace(",", "."), ".")
        except ValueError:
            message = f"{row.label} is {text!r}; a number ({row.entered}) is expected. Check what was typed."
            self.problems.append(InvalidEntry(message, field=cell.name(area)))
            return None
        problem = self._impossible(area, cell, value)
        if problem:
            self.problems.append(InvalidEntry(f"{problem} Check it, or leave the field empty.", field=cell.name(area)))
        return None if problem else value

    def _impossible(self, area: str, cell: Cell, value: float) -> str | None:
        if cell.parameter in MODULATION:
            return modulation_problem(_trial(area, cell, value, None), self._method)
        return trial_problem(cell.parameter, value)


def _trial(area: str, cell: Cell, value: float | None, missing: str | None) -> TrialEntry:
    """A trial that stopped at its device's limit is censored: nothing beyond could be measured."""
    cutoff = value is not None and value in _LIMITS.get(cell.parameter, ())
    return TrialEntry(area, cell.parameter, cell.trial, value, cell.direction, missing, cutoff)


def _conditioning(said: Mapping[str, Any], posted: Mapping[str, str]) -> ConditioningEntry | None:
    """How CPM was tested; nothing where neither that nor a reading of it was typed."""
    stimulus, timing, kind = (said.get(f"cpm_{name}", "") for name in ("test_stimulus", "timing", "kind"))
    begun = any(text.strip() for name, text in posted.items() if name.startswith(f"test.{CPM}."))
    if not (stimulus or timing or kind or begun):
        return None
    temperature, seconds = _decimal(said.get("cpm_temperature_c")), _whole(said.get("cpm_seconds"))
    return ConditioningEntry(stimulus, timing, kind, temperature, seconds)


def _devices(posted: Mapping[str, str], person: Participant) -> list[Device]:
    keys = [name.removeprefix("device.") for name in posted if name.startswith("device.")]
    return list(Device.objects.filter(site=person.site_id, pk__in=[key for key in keys if key.isdecimal()]))


def _moment(typed: datetime | None, person: Participant) -> datetime:
    """On the site's clock; now, where nothing can be read, so that a preview can be computed."""
    if typed is None:
        return timezone.now()
    return typed.replace(tzinfo=ZoneInfo(person.site.time_zone))


def _decimal(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(round(value, 1)))


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def typed_of(session: QSTSession) -> dict[str, str]:
    """A saved session as it would stand in the form."""
    zone = ZoneInfo(session.participant.site.time_zone)
    typed = {
        "tested_at": f"{session.tested_at.astimezone(zone):%Y-%m-%dT%H:%M}",
        "tester_masked": "yes" if session.tester_masked else "no",
        "analgesic_last_12h": {True: "yes", False: "no", None: ""}[session.analgesic_last_12h],
    }
    plain = (*_TEXTS, "tester", "test_area", *POSSIBLE)
    typed |= {name: "" if (v := getattr(session, name)) is None else f"{v}" for name in plain}
    typed |= {f"device.{use.device_id}": "on" for use in session.device_uses.all() if use.standing}
    typed |= {f"comment.{flag.area}/{flag.key}": flag.comment for flag in session.flags.all() if flag.comment}
    for trial in session.trials.all():
        name = Cell(trial.parameter, trial.direction, trial.trial).name(trial.area)
        typed[name] = "" if trial.value is None else f"{trial.value:.10g}"
        if trial.missing_reason and trial.missing_reason != "not_done":
            typed[f"missing.{trial.area}.{trial.parameter}"] = trial.missing_reason
    conditioning = getattr(session, "conditioning", None)
    if conditioning:
        for name in ConditioningEntry.__dataclass_fields__:
            value = getattr(conditioning, name)
            typed[f"cpm_{name}"] = "" if value is None else str(value)
    return typed
