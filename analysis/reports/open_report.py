"""The open report: what everyone may know. No comparison by arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.reports import figures_pooled
from analysis.reports.blocks import Block, Facts, Figure, Heading, Paragraph, Report, row, table
from analysis.reports.shared_tables import (
    adverse_event_tables,
    baseline_table,
    disposition_tables,
    not_finite_blocks,
    provenance,
    report_of,
    why_not,
)
from analysis.reports.wording import count, number

Result = Mapping[str, Any]
AUDIENCE = "No comparison by arm"


def open_report(result: Result) -> Report:
    """The open report of an open result (analysis.interim)."""
    return report_of(
        result,
        kind="open report",
        audience=AUDIENCE,
        readers="For everyone in the study.",
        answer=_answer(result),
        first=_first(result),
        blocks=_blocks(result),
    )


def _answer(result: Result) -> str:
    enrolment = result["enrolment"]
    planned = f" of {enrolment['planned']} planned" if enrolment["planned"] else ""
    return f"{enrolment['randomised']} participants{planned} are randomised. All figures are for all arms together."


def _first(result: Result) -> list[Block]:
    pace = _present(figures_pooled.recruitment(result["enrolment"]))
    return [_three_numbers(result), *pace, *_enrolment(result["enrolment"])]


def _blocks(result: Result) -> list[Block]:
    blocks: list[Block] = [Heading("Participants")]
    blocks.append(figures_pooled.participant_flow(result["screening"], result["disposition"]))
    blocks += _failures(result["screening"]) + disposition_tables(result["disposition"])
    blocks += [Heading("Before treatment"), baseline_table(result["baseline"])]
    blocks += [Heading("Quality of the data"), *_quality(result["data_quality"])]
    blocks += [Heading("Safety, all arms together")]
    blocks += _present(figures_pooled.adverse_events_by_grade(result["safety"]))
    blocks += adverse_event_tables(result["safety"])
    return blocks + provenance(result)


def _present(figure: Figure | None) -> list[Block]:
    return [] if figure is None else [figure]


def _three_numbers(result: Result) -> Facts:
    steps = {each["key"]: each["cells"][0] for each in result["disposition"]["rows"]}
    serious = next(each for each in result["safety"]["overview"] if each["key"] == "serious")["cells"][0]
    due, there = steps["endpoint_due"]["count"], steps["endpoint"]["count"]
    withdrawn = steps["withdrawn"]
    return Facts(
        (
            (f"{there} of {due}", "Primary endpoint there", "of those of whom it is due"),
            (str(withdrawn["count"]), "Left the study", f"of {withdrawn['n']} randomised"),
            (str(serious["count"]), "With a serious adverse event", f"of {serious['n']} treated"),
        )
    )


def _enrolment(enrolment: Result) -> list[Block]:
    rows = [
        row(f"{each['site']} {each['name']}", *(str(each[key]) for key in ("planned", "screened", "randomised")))
        for each in enrolment["by_site"]
    ]
    total = [str(sum(each[key] for each in enrolment["by_site"])) for key in ("planned", "screened", "randomised")]
    rows.append(row("All sites", *total, emphasis="strong"))
    return [table("Enrolment by site", ("Site", "Planned", "Screened", "Randomised"), rows)]


def _failures(screening: Result) -> list[Block]:
    criteria = screening["failed_criteria"]
    if not criteria:
        return []
    note = "A person can fail several."
    rows = [(f"{each['criterion']} {each['text']}", str(each["count"])) for each in criteria]
    return [table("Criteria that excluded", ("Criterion", "Participants"), rows, note=note)]


def _quality(quality: Result) -> list[Block]:
    blocks: list[Block] = [_visits(quality["visits"], quality["forms"])]
    blocks += [_forms(quality["forms"]), _diary(quality["diary"])]
    patterns = quality["missing_patterns"]
    blocks += _present(figures_pooled.missing_patterns(patterns))
    blocks.append(_deviations(quality["deviations"]))
    blocks.append(Paragraph(f"Queries: {quality['queries']['why']}", "note"))
    blocks += not_finite_blocks(quality["not_finite"])
    return blocks


def _visits(visits: Sequence[Result], forms: Result) -> Block:
    if not visits:
        return Paragraph("Visits: none is due yet.", "missing")
    names: dict[str, str] = {each["visit"]: each["label"] for each in forms["rows"]} if forms["estimable"] else {}
    rows = [
        row(
            names.get(str(each["visit"]), str(each["visit"])),
            *(str(each[key]) for key in ("due", "done", "missed", "overdue")),
            count(each["out_of_window"], each["done"]),
        )
        for each in visits
    ]
    note = "Visits due by the data date; out of window in per cent of those done."
    return table("Visits", ("Visit", "Due", "Done", "Missed", "Overdue", "Out of window"), rows, note=note)


def _forms(forms: Result) -> Block:
    if not forms["estimable"]:
        return why_not(forms, "Questionnaires due")
    rows = [
        row(
            each["label"],
            str(each["due"]),
            count(each["complete"], each["due"]),
            *(str(each[k]) for k in ("partial", "not_done", "missing")),
        )
        for each in forms["rows"]
    ]
    hidden = len(forms["left_out"])
    note = "Of visits that took place."
    if hidden:
        note += f" {hidden} questionnaires of the infusion day could tell the arm: they are not in the blinded cut."
    return table("Questionnaires", ("Visit", "Due", "Complete", "Partial", "Not done", "Missing"), rows, note=note)


def _diary(diary: Result) -> Block:
    if not diary["estimable"]:
        return why_not(diary, "Diary")
    rows = [
        row(f"Days {number(each['days'][0], 0)} to {each['days'][1]}", str(each["n"]), count(each, each["n"]))
        for each in diary["rows"]
    ]
    return table("Diary days", ("Period", "Due", "With an entry"), rows)


def _deviations(deviations: Sequence[Result]) -> Block:
    if not deviations:
        return Paragraph("No deviation from the protocol is recorded.", "note")
    rows = [
        (each["kind"].capitalize(), *(str(each[k]) for k in ("minor", "major", "participants"))) for each in deviations
    ]
    return table("Deviations from the protocol", ("Kind", "Minor", "Major", "Participants"), rows)
