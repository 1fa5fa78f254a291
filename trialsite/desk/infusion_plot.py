"""Dose and vital signs of infusion day as one drawing: a panel each, over the minutes from the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.safestring import SafeString

from studies.models import Infusion
from trialsite.desk.course_plot import Mark, Series, drawing
from trialsite.templatetags.desk import in_unit

AXIS = "Minutes from the start"


def infusion_plot(table: Sequence[Mapping[str, Any]], infusion: Infusion | None) -> SafeString:
    """The readings that have a unit, each in its panel, below the volume that ran in; empty before two of a kind.

    table: rows of ReadingsSheet. infusion: None where the dose is not to be seen, or has not ended yet.
    """
    vitals = [_vital(row) for row in table if row["parameter"].unit]
    shown = [line for line in vitals if len(line.marks) > 1]
    return drawing([*_dose(infusion), *shown] if shown else [], AXIS)


def _vital(row: Mapping[str, Any]) -> Series:
    parameter = row["parameter"]
    unit = in_unit(parameter.unit)
    read = [cell for cell in row["cells"] if cell is not None and cell.value is not None]
    marks = [
        Mark(
            f"{cell.minute} min",
            cell.minute,
            float(cell.value),
            f"{cell.minute} min: {cell.value.normalize():f} {unit}",
        )
        for cell in read
    ]
    return Series("S", f"{parameter.label}, {unit}", marks)


def _dose(infusion: Infusion | None) -> list[Series]:
    """The volume given, from the start to the end."""
    if infusion is None or infusion.ended_at is None or infusion.delivered_volume_ml is None:
        return []
    minutes = (infusion.ended_at - infusion.started_at).total_seconds() / 60
    given = float(infusion.delivered_volume_ml)
    marks = [Mark("start", 0, 0, "0 min: 0 mL"), Mark("end", minutes, given, f"{minutes:.0f} min: {given:g} mL")]
    return [Series("A", "Volume given, mL", marks)]
