"""What stands beside the contents: how current the data are, what could not be estimated, what is abbreviated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analysis.reports.blocks import Block, Facts, Figure, Heading, Paragraph, Table, table
from analysis.reports.wording import day, moment, number

Result = Mapping[str, Any]
# Spelled out where a report uses them. Scales and their owners are named, nothing of their wording.
_MEANINGS = {
    "ALT": "Alanine aminotransferase",
    "BPI": "Brief Pain Inventory",
    "BPRS": "Brief Psychiatric Rating Scale",
    "CADSS": "Clinician-Administered Dissociative States Scale",
    "CDT": "Cold detection threshold",
    "CMH": "Cochran-Mantel-Haenszel test",
    "CPM": "Conditioned pain modulation",
    "CPT": "Cold pain threshold",
    "DMA": "Dynamic mechanical allodynia",
    "DSMB": "Data and safety monitoring board",
    "HPT": "Heat pain threshold",
    "MADRS": "Montgomery-Asberg Depression Rating Scale",
    "MDT": "Mechanical detection threshold",
    "MOAA/S": "Modified Observer's Assessment of Alertness/Sedation",
    "MPS": "Mechanical pain sensitivity",
    "MPT": "Mechanical pain threshold",
    "PCS": "Pain Catastrophizing Scale",
    "PHS": "Paradoxical heat sensations",
    "PPT": "Pressure pain threshold",
    "QST": "Quantitative sensory testing",
    "RASS": "Richmond Agitation-Sedation Scale",
    "REML": "Restricted maximum likelihood",
    "SD": "Standard deviation",
    "SE": "Standard error",
    "SF-MPQ-2": "Short-form McGill Pain Questionnaire 2",
    "TSL": "Thermal sensory limen",
    "VDT": "Vibration detection threshold",
    "WDT": "Warm detection threshold",
    "WUR": "Wind-up ratio",
    "df": "Degrees of freedom",
}


def guide(result: Result, blocks: Sequence[Block]) -> list[Block]:
    """The blocks that stand between the contents and the report; `blocks` are those of the report."""
    return [currency_table(result), *_not_estimated(blocks), *_abbreviations(result, blocks)]


def currency_table(result: Result) -> Table:
    """How current the data are: until when they count, and how late what came after the participants' answers."""
    trial, currency = result["trial"], result.get("data_currency")
    rows = [("Cut taken", moment(trial["cut_taken_at"])), ("Data count until", day(trial["data_until"]))]
    rows += _of_the_cut(currency) if currency else []
    return table("How current the data are", ("", "At the cut"), rows, texts=[1])


def _of_the_cut(currency: Result) -> list[tuple[str, str]]:
    late, entry = currency["late"], currency["entry_days"]
    rows = [
        ("Last participant randomised", day(currency["last_randomised_on"])),
        ("Last answer or visit", day(currency["last_data_on"])),
        ("Visits overdue", f"{currency['visits_overdue']['count']} of {currency['visits_overdue']['n']} due"),
    ]
    if not entry["n"]:
        return [*rows, ("Entry of forms", "No form has been entered yet")]
    half = f"Half of {entry['n']} forms within {_days(entry['median'])} of being answered"
    slow = f"{late['count']} ({number(late['percent'], 1)} %) after more than {currency['late_after_days']} days"
    return [*rows, ("Entry of forms", f"{half}; {slow}")]


def _days(days: float) -> str:
    return "a day" if days <= 1 else f"{number(days, 1)} days"


def _not_estimated(blocks: Iterable[Block]) -> list[Block]:
    """One list of what the reader will look for in vain, each with its reason; it says so where there is nothing."""
    missing = [block.text for block in blocks if isinstance(block, Paragraph) and block.tone == "missing"]
    caption = "What could not be estimated, and why"
    if not missing:
        return [Paragraph("Everything this report asks of the data could be estimated.", "note")]
    parts = (text.partition(": ") for text in missing)
    rows = [(what, why.removeprefix("not estimable. ")) if why else ("Data", what) for what, _, why in parts]
    return [table(caption, ("What", "Why"), rows, texts=[1])]


def _abbreviations(result: Result, blocks: Iterable[Block]) -> list[Block]:
    trial = result["trial"]
    meanings = {**_MEANINGS, **{each["code"]: each["label"] for each in trial["populations"]}}
    if result["kind"] != "open":
        meanings |= {code: label for code, label in trial["arms"].items() if not label.endswith(code)}
    used = set(re.findall(r"[\w/-]+", " ".join(_texts(blocks))))
    found = sorted((short, long) for short, long in meanings.items() if used & {short, f"{short}s"})
    if not found:
        return []
    # Two beside each other, so that they take half the page.
    half = -(-len(found) // 2)
    beside = [*found[half:], ("", "")][:half]
    rows = [(*one, *other) for one, other in zip(found[:half], beside, strict=True)]
    return [table("Abbreviations", ("Short", "Meaning", "Short", "Meaning"), rows, texts=[1, 2, 3])]


def _texts(blocks: Iterable[Block]) -> Iterable[str]:
    for block in blocks:
        match block:
            case Heading() | Paragraph():
                yield block.text
            case Facts():
                yield from (text for item in block.items for text in item)
            case Figure():
                yield from (block.caption, block.alternative, block.note)
                yield from _texts([block.data] if block.data else [])
            case Table():
                yield from (block.caption, block.note)
                yield from (f"{cell.text} {cell.small}" for cell in block.head)
                yield from (f"{cell.text} {cell.small}" for row in block.rows for cell in row.cells)
