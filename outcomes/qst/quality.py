"""What a session's readings and circumstances leave to be asked. A flag never deletes or changes a value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from statistics import median

from outcomes.qst.aggregation import ParameterValue
from outcomes.qst.parameters import BASELINE_C, COLDEST_C, HIGHEST_PRESSURE_KPA, HOTTEST_C
from outcomes.qst.readings import AnyReading

_FARTHEST_FROM_MEDIAN_C = {"CDT": 3.0, "WDT": 3.0, "TSL": 3.0, "CPT": 5.0, "HPT": 5.0}
_RANGES = (
    ("start_temperature_c", "thermode_start", "The thermode started at", 31.5, 32.5, "°C"),
    ("skin_temperature_c", "skin_temperature", "Skin temperature is", 28, 36, "°C"),
    ("room_temperature_c", "room_temperature", "Room temperature is", 20, 24, "°C"),
    ("duration_minutes", "session_length", "The session took", 20, 45, "minutes"),
)


@dataclass(frozen=True, slots=True)
class Equipment:
    """A device as it was used: what people call it, and until when its calibration held; None where nobody knows."""

    name: str
    calibration_due_on: date | None = None


@dataclass(frozen=True, slots=True)
class SessionConditions:
    """The circumstances of a session; None where they were not recorded. previous_*: of the participant's last one."""

    tested_on: date | None = None
    equipment: tuple[Equipment, ...] = ()
    examiner: str | None = None
    examiner_of_the_team: bool | None = None
    examiner_certified: bool | None = None
    examiner_masked: bool | None = None
    examiner_at_infusion: bool = False
    area: str | None = None
    previous_examiner: str | None = None
    previous_area: str | None = None
    start_temperature_c: float | None = None
    skin_temperature_c: float | None = None
    room_temperature_c: float | None = None
    duration_minutes: float | None = None
    analgesic_in_last_12_h: bool | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """A question to the site: a stable code, a sentence, and the parameter, trial or device that it is about.

    direction: that of the trial; for the order of thresholds the two that stand the wrong way round.
    """

    code: str
    message: str
    parameter: str = ""
    direction: str = ""
    trial: int = 0
    device: str = ""

    @property
    def key(self) -> str:
        """What tells it from every other flag of the same area."""
        return " ".join(filter(None, (self.code, self.parameter, self.direction, str(self.trial or ""), self.device)))


def quality_flags(
    readings: Iterable[AnyReading], values: Mapping[str, ParameterValue], conditions: SessionConditions
) -> list[Flag]:
    """Everything to be asked about a session of one area.

    readings: its trials; values: as `aggregate` gives them; conditions: how it was run.
    """
    return [*reading_flags(readings, values), *condition_flags(conditions)]


def reading_flags(readings: Iterable[AnyReading], values: Mapping[str, ParameterValue]) -> list[Flag]:
    """What is to be asked about the readings of one area and the values they give."""
    given = [reading for reading in readings if reading.value is not None]
    return [*_limits_reached(given), *_outliers(given), *_order_of_thresholds(values)]


def condition_flags(conditions: SessionConditions) -> list[Flag]:
    """What is to be asked about how a session was run, once for all its areas."""
    return [
        *_out_of_range(conditions),
        *_changed(conditions),
        *_circumstances(conditions),
        *_calibration(conditions),
    ]


def _limits_reached(readings: Iterable[AnyReading]) -> Iterator[Flag]:
    limits = dict.fromkeys(_FARTHEST_FROM_MEDIAN_C, (COLDEST_C, HOTTEST_C)) | {"PPT": (HIGHEST_PRESSURE_KPA,)}
    for reading in readings:
        where = f"{reading.parameter} trial {reading.trial}"
        at_limit = reading.value in limits.get(reading.parameter, ())
        if at_limit and reading.cutoff:
            message = f"{where} reached the device's limit: its value is censored."
            yield Flag("cutoff", message, reading.parameter, reading.direction, reading.trial)
        elif at_limit or reading.cutoff:
            message = f"{where} is {reading.value:g}, {'not ' if at_limit else ''}marked as the device's limit."
            message += " Check the mark."
            yield Flag("cutoff_mark", message, reading.parameter, reading.direction, reading.trial)


def _outliers(readings: Iterable[AnyReading]) -> Iterator[Flag]:
    groups: dict[tuple[str, str], list[AnyReading]] = defaultdict(list)
    for reading in readings:
        if reading.parameter in _FARTHEST_FROM_MEDIAN_C:
            groups[reading.parameter, reading.direction].append(reading)
    for (code, _), group in groups.items():
        middle = median(float(r.value) for r in group if r.value is not None)
        for reading in group:
            away = abs((reading.value or 0.0) - middle)
            if away > _FARTHEST_FROM_MEDIAN_C[code]:
                message = f"{code} trial {reading.trial} lies {away:.1f} °C from the median of its trials."
                yield Flag("outlier", message, code, reading.direction, reading.trial)


def _order_of_thresholds(values: Mapping[str, ParameterValue]) -> Iterator[Flag]:
    """From cold to hot: cold pain, cold detection, baseline, warm detection, heat pain."""
    there = {code: value.value for code, value in values.items() if value.value is not None}
    celsius = [("baseline", BASELINE_C)]
    if "CDT" in there:
        celsius.insert(0, ("CDT", BASELINE_C + there["CDT"]))
    if "CPT" in there:
        celsius.insert(0, ("CPT", there["CPT"]))
    if "WDT" in there:
        celsius.append(("WDT", BASELINE_C + there["WDT"]))
    if "HPT" in there:
        celsius.append(("HPT", there["HPT"]))
    for (lower, low), (upper, high) in pairwise(celsius):
        if low >= high:
            message = f"{lower} ({low:.1f} °C) must lie below {upper} ({high:.1f} °C). Check the readings."
            pair = f"{lower}<{upper}"
            yield Flag("threshold_order", message, lower if lower != "baseline" else upper, pair)


def _out_of_range(conditions: SessionConditions) -> Iterator[Flag]:
    for name, code, says, low, high, unit in _RANGES:
        value = getattr(conditions, name)
        if value is not None and not low <= value <= high:
            yield Flag(code, f"{says} {value:g} {unit}; it should be {low:g} to {high:g}.")


def _changed(conditions: SessionConditions) -> Iterator[Flag]:
    for name, now, before in (
        ("examiner", conditions.examiner, conditions.previous_examiner),
        ("area", conditions.area, conditions.previous_area),
    ):
        if now and before and now != before:
            yield Flag(f"{name}_changed", f"The {name} is {now}; in the last session it was {before}.")


def _circumstances(conditions: SessionConditions) -> Iterator[Flag]:
    if conditions.examiner_of_the_team is False:
        yield Flag("examiner_unknown", f"{conditions.examiner} does not belong to the site's testers.")
    if conditions.examiner_certified is False:
        yield Flag("examiner_not_certified", "The examiner is not certified for the protocol.")
    if conditions.examiner_masked is False:
        yield Flag("examiner_not_masked", "The examiner knew of the treatment or the visit.")
    if conditions.examiner_at_infusion:
        yield Flag("examiner_at_infusion", "The examiner entered data of this participant's infusion.")
    if conditions.analgesic_in_last_12_h:
        yield Flag("analgesic", "An analgesic was taken in the last 12 hours.")


def _calibration(conditions: SessionConditions) -> Iterator[Flag]:
    for device in conditions.equipment:
        due = device.calibration_due_on
        if due is None:
            yield Flag("calibration_unknown", f"{device.name} has no date of calibration.", device=device.name)
        elif conditions.tested_on is not None and due < conditions.tested_on:
            message = f"{device.name} was due for calibration on {due:%-d %b %Y}."
            yield Flag("calibration_due", message, device=device.name)
