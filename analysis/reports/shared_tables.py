"""Tables that both reports have: disposition, baseline, adverse events, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.reports.blocks import Block, Cell, Heading, Paragraph, Row, Table, row, table
from analysis.reports.wording import count, day, mean_sd, moment

Result = Mapping[str, Any]


def group_head(first: str, groups: Sequence[Result]) -> list[str | Cell]:
    """Column heads: what the lines are, then each column with its n."""
    return [first, *(Cell(group["code"] if len(groups) > 1 else "All", f"n {group['n']}") for group in groups)]


def disposition_tables(disposition: Result) -> list[Block]:
    groups = disposition["groups"]
    rows = [row(each["label"], *(count(cell) for cell in each["cells"])) for each in disposition["rows"]]
    blocks: list[Block] = [table("Participants after randomisation", group_head("", groups), rows)]
    reasons = [row(each["label"], *(count(cell) for cell in each["cells"])) for each in disposition["withdrawal_reasons"]]
    if reasons:
        blocks.append(table("Reasons for leaving the study", group_head("Reason", groups), reasons))
    return blocks


def baseline_table(baseline: Result) -> Table:
    rows = [_baseline_row(each) for each in baseline["rows"]]
    note = "Numbers are means (standard deviation); shares are of those known."
    return table("Before treatment", group_head("", baseline["groups"]), rows, note=note)


def _baseline_row(line: Result) -> Row:
    if line["kind"] == "number":
        return row(line["label"], *(mean_sd(cell) for cell in line["cells"]))
    if line["kind"] == "heading":
        cells = [Cell("", f"missing {cell['missing']}") for cell in line["cells"]]
        return row(line["label"], *cells, emphasis="strong")
    return row(line["label"], *(count(cell) for cell in line["cells"]), emphasis="indent")


def adverse_event_tables(safety: Result) -> list[Block]:
    """Overview, terms, and serious events, each with participants and events."""
    groups = safety["groups"]
    note = "Participants with at least one (percentage of the safety population), and number of events."
    blocks: list[Block] = [
        table(
            "Adverse events: overview",
            group_head("", groups),
            [row(each["label"], *(_events(cell) for cell in each["cells"])) for each in safety["overview"]],
            note=note,
        )
    ]
    for key, caption in (("terms", "Adverse events by term"), ("serious", "Serious adverse events by term")):
        lines = [row(each["term"], *(_events(cell) for cell in each["cells"])) for each in safety[key]]
        if lines:
            blocks.append(table(caption, group_head("Term", groups), lines))
        else:
            blocks.append(Paragraph(f"{caption}: none.", "note"))
    return blocks


def _events(cell: Result) -> Cell:
    shown = count(cell)
    events = f"{cell['events']} event" + ("" if cell["events"] == 1 else "s")
    return Cell(shown.text, events)


def why_not(section: Result, what: str) -> Paragraph:
    """The line that stands where something could not be estimated."""
    return Paragraph(f"{what}: not estimable. {section['why']}", "missing")


def provenance(result: Result) -> list[Block]:
    """Where every number of the report comes from, and what its words mean."""
    trial, about = result["trial"], result.get("about", {})
    estimand = trial["estimand"]
    origin = [
        ("Study", trial["study"]),
        ("Data cut", trial["cut"]),
        ("Cut taken", moment(trial["cut_taken_at"])),
        ("Data count until", day(trial["clinical_cutoff"]) if trial["clinical_cutoff"] else "the cut"),
        ("SHA-256 of the cut's manifest", about.get("cut_manifest_sha256", "not recorded")),
        ("Analysis plan", trial["plan_version"]),
        ("SHA-256 of the plan", about.get("plan_sha256", "not recorded")),
        ("Code of the report", about.get("code_version") or trial["code_version"]),
    ]
    meaning = [("Population", estimand["population"]), ("Treatment", estimand["treatment"])]
    meaning += [("Variable", estimand["variable"]), ("Summary", estimand["summary"])]
    meaning += [
        (f"{each['id']} {each['event']}", each["strategy"].replace("_", " "))
        for each in estimand["intercurrent_events"]
    ]
    sets = [(f"{each['code']} {each['label']}", each["definition"]) for each in trial["populations"]]
    return [
        Heading("Where this comes from", page=True),
        table("Source", ("", ""), origin, texts=[1]),
        table("Estimand of the primary endpoint", ("", ""), meaning, texts=[1]),
        table("Analysis sets", ("Set", "Definition"), sets, texts=[1]),
    ]


def title_facts(result: Result) -> tuple[tuple[str, str], ...]:
    """The title block: study, look, cut, plan, code, time."""
    trial, about = result["trial"], result.get("about", {})
    look = about.get("look", trial["look"])
    facts = [("Study", trial["study"]), ("Look", "none" if look is None else str(look))]
    if about.get("unplanned_reason"):
        facts.append(("Unplanned", about["unplanned_reason"]))
    facts += [("Cut", trial["cut"]), ("Cut taken", moment(trial["cut_taken_at"]))]
    if trial["clinical_cutoff"]:
        facts.append(("Clinical cut-off", day(trial["clinical_cutoff"])))
    facts += [("Plan", trial["plan_version"]), ("Code", about.get("code_version") or trial["code_version"] or "unknown")]
    return tuple(facts)
