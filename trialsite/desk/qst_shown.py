"""What the page of a QST session shows beside the entries: computed values, questions, findings, the profile.

The page and its computing as one goes show the same: both come from here, and from the functions that are used when
the session is saved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.template.loader import render_to_string

from outcomes.models import QSTSession
from outcomes.qst import ABNORMAL_Z, PARAMETERS
from outcomes.qst_findings import AreaMeaning, Meaning, SideFinding, meaning_of
from outcomes.qst_layout import AREAS, Cell, Row, layout
from outcomes.qst_profiles import AreaProfile, latest_of, profiles_of, profiles_of_values
from outcomes.qst_sessions import SessionEntry, open_flags
from outcomes.qst_values import values_of
from studies.models import Participant
from trialsite.desk.z_profile import z_profile

# What the page of a session shows is made of.
QST_KINDS = ("qstsession", "qsttrial", "qstvalue")
# Flags that state a fact and ask nothing: a reading at the device's limit is censored, and that is that.
INFORMS = frozenset({"cutoff"})
# Where a question about the session as a whole stands in the form.
_PLACES = {
    "thermode_start": "start_temperature_c",
    "skin_temperature": "skin_temperature_c",
    "room_temperature": "room_temperature_c",
    "session_length": "duration_minutes",
    "area_changed": "test_area",
    "examiner_not_masked": "tester_masked",
    "examiner_at_infusion": "tester_masked",
    "analgesic": "analgesic_last_12h",
    "calibration_due": "devices",
    "calibration_unknown": "devices",
}
AREA_WORDS = {"test": "Test area", "control": "Control area"}
MODULATION_WORDS = {
    "composite": ("QST composite (mean z of CPT, HPT, MPT, MPS, WUR, PPT)", ""),
    "composite_sensitivity": ("QST composite, sensitivity set (PPT, WUR, MPS)", ""),
    "cpm_before": ("Test stimulus before conditioning", ""),
    "cpm_conditioned": ("Test stimulus, conditioned", ""),
    "cpm_effect": ("CPM effect (negative: inhibition)", ""),
    "cpm_percent": ("CPM effect, of the reading before", "%"),
    "ts_last_minus_first": ("Temporal summation, last minus first", ""),
    "ts_highest_minus_first": ("Temporal summation, highest minus first", ""),
}


@dataclass(frozen=True)
class Question:
    """A flag in the form: where it stands, its name there, what it says, and the answer so far."""

    place: str
    name: str
    message: str
    comment: str
    informs: bool

    def html(self, *, open_fault: bool = False) -> str:
        return render_to_string("desk/qst_flag.html", {"question": self, "fault": open_fault})


@dataclass(frozen=True)
class Seen:
    """A session as far as it is typed: its values, what is asked about it, and what it means."""

    values: Sequence[Mapping[str, Any]]
    questions: Sequence[Question]
    meaning: Meaning
    entry: SessionEntry

    @property
    def unanswered(self) -> list[Question]:
        return [q for q in self.questions if not q.informs and not q.comment]

    @property
    def outputs(self) -> dict[str, str]:
        """The value of each parameter as it stands beside its readings, by area and parameter."""
        found = {f"{row['area']}.{row['parameter']}": _said(row) for row in self.values if row["area"] in AREA_WORDS}
        cpm = [_named(row) for row in self.values if row["parameter"] in ("cpm_effect", "cpm_percent")]
        train = [_named(row) for row in self.values if row["parameter"].startswith("ts_")]
        return found | {"test.CPM": " · ".join(cpm), "test.TS": " · ".join(train)}

    def computed(self, saved: QSTSession | None = None) -> str:
        """The findings, the profile and the numbers as a part of the page; with the baseline once it is saved."""
        if not self.values:
            return ""
        profiles = profiles_of(saved) if saved else profiles_of_values(self.values)
        about = f"{self.entry.participant.identifier}, visit {self.entry.visit.code}"
        shown = {
            "areas": [_area_shown(area) for area in self.meaning.areas],
            "sides": [_side_shown(side) for side in self.meaning.sides],
            "asked": self.questions if saved else (),
            **drawn(profiles, about),
            "others": [_named_row(row) for row in self.values if row["parameter"] in MODULATION_WORDS],
            "reference": next((row["reference"] for row in self.values if row["reference"]), ""),
        }
        return render_to_string("desk/qst_computed.html", shown)


def drawn(profiles: Sequence[AreaProfile], about: str) -> dict[str, Any]:
    """The figure of some profiles, and its numbers as a table: the test area first."""
    order = ("test", "control", "baseline")
    columns = sorted(profiles, key=lambda profile: order.index(profile.role))
    rows = [_profile_row(code, columns) for code in PARAMETERS]
    return {"figure": z_profile(profiles, about=about), "columns": columns, "rows": rows}


def see(entry: SessionEntry, saved: QSTSession | None = None) -> Seen:
    """Compute what is typed, by the functions that are used when it is saved."""
    values = values_of(entry)
    meaning = meaning_of(entry.participant, values, entry.trials, place=(entry.test_area, entry.control_area))
    questions = [_question(flag) for flag in open_flags(entry, session=saved)]
    return Seen(values, questions, meaning, entry)


def _area_shown(area: AreaMeaning) -> dict[str, Any]:
    findings = [{**asdict(finding), "z": _z(finding.z)} for finding in area.findings]
    profile = area.profile.code if area.profile else ""
    return {"label": AREA_WORDS[area.area], "profile": profile, "findings": findings}


def _side_shown(side: SideFinding) -> dict[str, Any]:
    difference = f"{side.difference:+.3f}".replace("-", "−")
    return {"parameter": side.parameter, "difference": difference, "dz": _z(side.dz), "abnormal": side.abnormal}


def _z(value: float | None) -> str | None:
    return None if value is None else signed(value)


def _question(flag: Mapping[str, Any]) -> Question:
    place = f"{flag['area']}.{flag['parameter']}" if flag["area"] else _PLACES.get(flag["code"], "tester")
    name = f"{flag['area']}/{flag['key']}"
    return Question(place, name, flag["message"], flag["comment"], flag["code"] in INFORMS)


def _said(row: Mapping[str, Any]) -> str:
    """A value with its unit and z; or why there is none."""
    if row["value"] is None:
        return "" if row["missing_reason"] == "not done" else str(row["missing_reason"])
    known = PARAMETERS.get(row["parameter"])
    text = f"{number_text(row['value'])} {known.unit if known else ''}".rstrip()
    if row["parameter"] in ("CDT", "WDT"):
        text += " from 32 °C"
    return text if row["z"] is None else f"{text}, z {signed(row['z'])}"


def _named(row: Mapping[str, Any]) -> str:
    label, unit = MODULATION_WORDS[row["parameter"]]
    value = str(row["missing_reason"]) if row["value"] is None else number_text(row["value"])
    return f"{label}: {value} {unit}".rstrip()


def _named_row(row: Mapping[str, Any]) -> dict[str, str]:
    label, unit = MODULATION_WORDS[row["parameter"]]
    value = "" if row["value"] is None else f"{number_text(row['value'])} {unit}".rstrip()
    return {"label": label, "value": value, "missing": row["missing_reason"] or ""}


def _profile_row(code: str, profiles: Iterable[AreaProfile]) -> dict[str, Any]:
    known = PARAMETERS[code]
    cells = []
    for profile in profiles:
        if code in profile.signs:
            cells.append({"text": number_text(profile.signs[code]), "kind": ""})
        else:
            z = profile.z.get(code)
            kind = "" if z is None or abs(z) <= ABNORMAL_Z else "gain" if z > 0 else "loss"
            cells.append({"text": "" if z is None else signed(z), "kind": kind})
    return {"code": code, "name": known.name, "unit": "" if known.gain_sign else known.unit, "cells": cells}


def number_text(value: float) -> str:
    """Four significant digits, and a true minus sign."""
    return f"{value:.4g}".replace("-", "−")


def signed(z: float) -> str:
    return f"{z:+.2f}".replace("-", "−")


def latest_profile(participant: Participant) -> dict[str, Any] | None:
    """The profile of a participant's last session, for the page of the participant; None before there is one."""
    session = latest_of(participant)
    if session is None:
        return None
    about = f"{participant.identifier}, visit {session.visit.code}"
    return {"session": session, **drawn(profiles_of(session), about)}


@dataclass(frozen=True)
class Line:
    """The cells of one direction, with what was typed and what is wrong."""

    direction: str
    cells: list[tuple[Cell, str, str, str]]


@dataclass(frozen=True)
class Block:
    """The cells of one parameter in one area, what they give, and what is asked about them."""

    area: str
    row: Row
    lines: list[Line]
    missing: str
    output: str
    questions: list[Question] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"{self.area}.{self.row.parameter}"

    @property
    def may_be_left_out(self) -> bool:
        """Whether a reason is asked for where there is no reading: CPM and its train are done or not."""
        return self.row.parameter in PARAMETERS

    @property
    def faults(self) -> list[tuple[Cell, str, str, str]]:
        return [cell for line in self.lines for cell in line.cells if cell[3]]


def blocks_of(typed: Mapping[str, str], errors: Mapping[str, str], seen: Seen | None) -> list[tuple[str, list[Block]]]:
    """The form's blocks by area, in the order of testing."""
    outputs = seen.outputs if seen else {}
    questions = seen.questions if seen else ()
    return [
        (AREA_WORDS[area], [_block(area, row, typed, errors, outputs, questions) for row in layout(area)])
        for area in AREAS
    ]


def _block(
    area: str,
    row: Row,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    outputs: Mapping[str, str],
    questions: Iterable[Question],
) -> Block:
    place = f"{area}.{row.parameter}"
    lines: dict[str, Line] = {}
    for cell in row.cells:
        name = cell.name(area)
        line = lines.setdefault(cell.direction, Line(_direction(row, cell), []))
        line.cells.append((cell, name, typed.get(name, ""), errors.get(name, "")))
    return Block(
        area,
        row,
        list(lines.values()),
        typed.get(f"missing.{place}", ""),
        outputs.get(place, ""),
        [question for question in questions if question.place == place],
    )


def _direction(row: Row, cell: Cell) -> str:
    return f"{cell.direction} mN" if row.parameter == "MPS" else cell.direction
