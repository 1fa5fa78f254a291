"""What both reports have: the title block, disposition, baseline, adverse events, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from analysis.reports.blocks import Block, Cell, Heading, Paragraph, Report, Row, Table, row, table
from analysis.reports.numbering import numbered
from analysis.reports.reading_guide import guide
from analysis.reports.wording import count, day, mean_sd, moment, words

Result = Mapping[str, Any]


def group_head(first: str, groups: Sequence[Result]) -> list[str | Cell]:
    """Column heads: what the lines are, then each column with its n."""
    return [first, *(Cell(group["code"] if len(groups) > 1 else "All", f"n {group['n']}") for group in groups)]


def counts(cells: Sequence[Result], groups: Sequence[Result]) -> list[Cell]:
    """The counts of one line; those whose n is not their column's say so."""
    return [count(cell, group["n"]) for cell, group in zip(cells, groups, strict=True)]


def disposition_tables(disposition: Result) -> list[Block]:
    groups = disposition["groups"]
    rows = [row(each["label"], *counts(each["cells"], groups)) for each in disposition["rows"]]
    blocks: list[Block] = [table("Participants after randomisation", group_head("", groups), rows)]
    reasons = [row(words(each["label"]), *counts(each["cells"], groups)) for each in disposition["withdrawal_reasons"]]
    if reasons:
        blocks.append(table("Reasons for leaving the study", group_head("Reason", groups), reasons))
    return blocks


def deviation_blocks(result: Result) -> list[Block]:
    """Participants with a deviation from the protocol, by kind and severity."""
    groups, found = result["disposition"]["groups"], result["deviations"]
    if not found:
        return [Paragraph("No deviation from the protocol is recorded.", "note")]
    rows = [row(f"{words(each['kind'])}, {each['severity']}", *counts(each["cells"], groups)) for each in found]
    note = "Participants with at least one, in per cent of those randomised."
    return [table("Deviations from the protocol", group_head("Kind and severity", groups), rows, note=note)]


def baseline_table(baseline: Result) -> Table:
    rows = [_baseline_row(each, baseline["groups"]) for each in baseline["rows"]]
    note = "All randomised. Numbers are means (standard deviation); shares are of those known."
    return table("Participants before treatment", group_head("", baseline["groups"]), rows, note=note)


def _baseline_row(line: Result, groups: Sequence[Result]) -> Row:
    if line["kind"] == "number":
        return row(line["label"], *(mean_sd(cell) for cell in line["cells"]))
    if line["kind"] == "heading":
        missing = any(cell["missing"] for cell in line["cells"])
        cells = [Cell("", f"missing {cell['missing']}" if missing else "") for cell in line["cells"]]
        return row(line["label"], *cells, emphasis="strong")
    return row(line.get("text", line["label"]), *counts(line["cells"], groups), emphasis="indent")


def adverse_event_tables(safety: Result) -> list[Block]:
    """Overview, terms by worst grade, and serious events: participants and events in each column."""
    groups = safety["groups"]
    if not any(cell["events"] for cell in safety["overview"][0]["cells"]):
        return [Paragraph("No adverse event is recorded.", "note")]
    note = "Participants with at least one, in per cent of the safety population; then the number of events."
    overview = [row(each["label"], *_people_events(each["cells"], groups)) for each in safety["overview"]]
    blocks: list[Block] = [table("Adverse events: overview", _head("", groups), overview, note=note)]
    blocks.append(_terms("Serious adverse events", safety["serious"], groups))
    blocks.append(_terms("Adverse events by term", safety["terms"], groups))
    if safety["terms"]:
        blocks.append(_grades(safety["terms"], groups))
    return blocks


def _head(first: str, groups: Sequence[Result]) -> list[str | Cell]:
    """Two columns a group: participants and events."""
    head: list[str | Cell] = [first]
    for cell in group_head(first, groups)[1:]:
        head += [cell, "Events"]
    return head


def _people_events(cells: Sequence[Result], groups: Sequence[Result]) -> list[Cell]:
    people = counts(cells, groups)
    return [each for shown, cell in zip(people, cells, strict=True) for each in (shown, Cell(str(cell["events"])))]


def _terms(caption: str, terms: Sequence[Result], groups: Sequence[Result]) -> Block:
    if not terms:
        return Paragraph(f"{caption}: none.", "note")
    rows = [row(each["term"], *_people_events(each["cells"], groups)) for each in terms]
    return table(caption, _head("Term", groups), rows)


def _grades(terms: Sequence[Result], groups: Sequence[Result]) -> Table:
    """Participants by their worst grade (CTCAE 1 to 5), each group's five columns together."""
    head: list[str | Cell] = ["Term"]
    for group in groups:
        head += [Cell(f"{group['code'] if len(groups) > 1 else 'Grade'} {grade}") for grade in range(1, 6)]
    rows = [
        row(each["term"], *(str(cell["worst_grade"][str(grade)]) for cell in each["cells"] for grade in range(1, 6)))
        for each in terms
    ]
    note = "Participants by the worst grade they had of each term."
    return table("Adverse events by term and worst grade", head, rows, note=note)


def why_not(section: Result, what: str) -> Paragraph:
    """The line that stands where something could not be estimated."""
    return Paragraph(f"{what}: not estimable. {section['why']}", "missing")


def not_finite_blocks(found: Sequence[Result]) -> list[Block]:
    """Infinite values, which count as missing and should be corrected."""
    texts = (f"{each['label']}: {each['count']}" for each in found)
    return [Paragraph(f"Infinite values count as missing: {'; '.join(texts)}.", "missing")] if found else []


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
        ("Signature of the plan", _signature(about.get("plan", {}))),
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
        Heading("Where this comes from"),
        table("Source", ("", "Value"), origin, texts=[1]),
        *_plan_changes(about.get("plan", {})),
        table("Estimand of the primary endpoint", ("Attribute", "As planned"), meaning, texts=[1]),
        table("Analysis sets", ("Set", "Definition"), sets, texts=[1]),
    ]


def _signature(plan: Result) -> str:
    """Who signed, and when; a trial that came finished has nobody who could sign before its results."""
    signed = plan.get("signature")
    return f"{signed['name']} ({signed['by']}), {moment(signed['at'])}" if signed else "not signed"


def _plan_changes(plan: Result) -> list[Block]:
    """What the plan changed against the version before it, with the reason."""
    changes = plan.get("changes", ())
    if not changes:
        return [
            Paragraph("The plan has not been changed: this is its first version, or it equals the one before.", "note")
        ]
    rows = [(each["path"], _in_words(each["before"]), _in_words(each["after"])) for each in changes]
    caption = "Changes of the plan against the version before"
    return [table(caption, ("Place", "Before", "Now"), rows, note=plan["change_reason"], texts=[1, 2])]


def _in_words(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def report_of(
    result: Result,
    *,
    kind: str,
    audience: str,
    readers: str,
    answer: str,
    first: Sequence[Block],
    blocks: Sequence[Block],
) -> Report:
    """A report with its title block and its guide for readers, everything in it numbered.

    kind: open or closed report; readers: a sentence that says for whom it is; first: the first page under the answer.
    """
    trial = result["trial"]
    taken = datetime.fromisoformat(trial["cut_taken_at"])
    whole = Report(
        title=f"{trial['study']}: {kind}" + (f", look {trial['look']}" if trial["look"] else ""),
        subtitle=trial["title"],
        audience=audience,
        running=f"{trial['study']} {kind}. {readers}",
        about=_title_facts(result),
        answer=answer,
        first=tuple(first),
        blocks=(*guide(result, [*first, *blocks]), *blocks),
        day=(taken.year, taken.month, taken.day),
    )
    return numbered(whole)


def _title_facts(result: Result) -> tuple[tuple[str, str], ...]:
    """The title block: study, look, cut, plan, code, time."""
    trial, about = result["trial"], result.get("about", {})
    look = about.get("look", trial["look"])
    facts = [("Study", trial["study"]), ("Look", "none" if look is None else str(look))]
    if about.get("unplanned_reason"):
        facts.append(("Unplanned", about["unplanned_reason"]))
    facts += [("Cut", trial["cut"]), ("Cut taken", moment(trial["cut_taken_at"]))]
    if trial["clinical_cutoff"]:
        facts.append(("Clinical cut-off", day(trial["clinical_cutoff"])))
    facts += [
        ("Plan", trial["plan_version"]),
        ("Code", about.get("code_version") or trial["code_version"] or "unknown"),
    ]
    return tuple(facts)
