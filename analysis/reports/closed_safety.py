"""The infusion day in the closed report: dissociation, rules that fired, vital signs, delivery, alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.reports.blocks import Block, Paragraph, row, table
from analysis.reports.shared_tables import counts, group_head
from analysis.reports.wording import lower_first, median_range, words

Result = Mapping[str, Any]
_VITAL_SIGNS = {
    "sbp": "systolic pressure (mmHg)",
    "dbp": "diastolic pressure (mmHg)",
    "hr": "heart rate (/min)",
    "rr": "breathing rate (/min)",
    "spo2": "oxygen saturation (%)",
    "temperature": "temperature (°C)",
    "moaas": "MOAA/S",
    "rass": "RASS",
}
_ACTIONS = {"ALERT": "Physician alerted", "HOLD": "Infusion held", "STOP": "Infusion stopped"}


def infusion_day_blocks(found: Result) -> list[Block]:
    """Tables by arm as treated. These reveal the arm and stand in no other report."""
    groups = found["groups"]
    rows = [
        row("Peak dissociation (CADSS total)", *(median_range(cell) for cell in found["dissociation_peak"])),
        row("Volume delivered, % of plan", *(median_range(cell, 1) for cell in found["delivered_percent"])),
    ]
    rows += [
        row(_named(each), *(median_range(cell) for cell in each["cells"]))
        for each in found["vital_signs"]
        if any(cell["n"] for cell in each["cells"])
    ]
    note = "As treated. Median (smallest to largest) of each person's extreme after the infusion started."
    blocks: list[Block] = [table("Infusion day", group_head("", groups), rows, note=note)]
    actions = [row(_ACTIONS[each["action"]], *counts(each["cells"], groups)) for each in found["actions"]]
    blocks.append(table("Safety rules: participants", group_head("", groups), actions))
    rules = [row(_rule(each), *counts(each["cells"], groups)) for each in found["rules"]]
    blocks.append(
        table("Safety rules that fired", group_head("Rule", groups), rules)
        if rules
        else Paragraph("No safety rule has fired.", "note")
    )
    alerts = [row(words(each["code"]), *counts(each["cells"], groups)) for each in found["alerts"]]
    if alerts:
        blocks.append(table("Alerts to the physician", group_head("Alert", groups), alerts, note="Up to the cut."))
    return blocks


def _rule(fired: Result) -> str:
    """S12, infusion held: MOAA/S of 3 or less."""
    done = _ACTIONS.get(fired["action"].split(" ")[0].upper(), words(fired["action"]))
    text = fired.get("text", "")
    return f"{fired['rule']}, {lower_first(done)}" + (f": {text}" if text else "")


def _named(sign: Result) -> str:
    """Lowest oxygen saturation (%)."""
    return f"{sign['extreme'].capitalize()} {_VITAL_SIGNS.get(sign['parameter'], sign['parameter'])}"
