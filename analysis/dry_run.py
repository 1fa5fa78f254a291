"""A look that is only tried: everything is computed on a cut that was taken, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from django.conf import settings

from analysis import closed_store, cuts, plans
from analysis.closed_store import Report
from analysis.dataset_files import hashes_of, written_for_comparison
from analysis.look_results import about_look, closed_values, computed_or_failed, open_values, rendered
from analysis.looks import planned_looks
from analysis.models import DataCut, Look
from studies.errors import InvalidEntry
from studies.models import Study

# Later than every look there is: all of them are its earlier ones.
_NEXT = 2**62


def try_look(study: Study, *, number: int, cut: DataCut) -> tuple[dict[str, Any], Report]:
    """The result and report that a look would give: the open ones, or, on the unblinded side, the closed ones.

    Raises InvalidEntry for a cut that is not taken, CutDoesNotVerify, PlanNotRegistered. Nothing is written: the look
    exists in this process alone, and has the key after every other.
    """
    if cut.status != DataCut.Status.TAKEN or cut.study_id != study.pk:
        raise InvalidEntry(f"Cut {cut} is not a cut of {study} that was taken.", field="cut")
    plan = plans.current_plan(study)
    look = Look(pk=_NEXT, study=study, number=number, plan=plan, cut=cut, ordered_by="dry run")
    look.planned = number <= len(planned_looks(plan))
    if settings.DB_ROLE == "unblinded":
        contents, arms = closed_store.registered_plan(plan), cuts.arms_of(cut)
        return computed_or_failed(
            look, lambda: closed_values(look, contents, arms), datasets=lambda: _hashes(look, arms)
        )
    cuts.verify_folder(cuts.blinded_folder(cut.name), sha256=cut.manifest_sha256)
    values = {**open_values(look), "about": about_look(look, _hashes(look, None))}
    return values, rendered(values)


def _hashes(look: Look, arms: pd.Series[str] | None) -> dict[str, str]:
    """Of the data sets that the look would write."""
    with written_for_comparison(look, arms) as folder:
        return hashes_of(folder)


def said(values: dict[str, Any], report: Report) -> Iterator[str]:
    """What would be made, line by line."""
    about = values["about"]
    yield f"Look {about['look']} of {about['study']} on {about['cut']}, plan {about['plan_version']}."
    yield "Nothing is written."
    if values["kind"] == "open":
        enrolment = values["enrolment"]
        yield f"Open result: {enrolment['screened']} screened, {enrolment['randomised']} randomised."
    else:
        yield from _closed(values)
    sizes = f"result.json {len(report.result)} bytes, HTML {len(report.html)}, PDF {len(report.pdf)}"
    yield f"Would be kept: {sizes}. SHA-256 of the result: {report.sha256}"


def _closed(values: dict[str, Any]) -> Iterator[str]:
    decision = values["decision"]
    if not decision["estimable"]:
        yield f"Closed result: no decision. {decision['why']}"
        return
    yield f"Closed result: {decision['recommendation']}."
    for step in decision["trail"]:
        yield f"  {step['step']}: {step['value']} ({step['source']})"
