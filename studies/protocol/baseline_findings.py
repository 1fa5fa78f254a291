"""Which findings of a protocol a model may adjust for: those that are known before treatment and tell no arm.

Adjusting for what came after randomisation biases the comparison (ICH E9, 5.7; EMA/CHMP/295050/2013, 4.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from studies.protocol.eligibility import Finding
from studies.protocol.schedule import VisitPlan


def visits_before_treatment(visits: Iterable[VisitPlan]) -> tuple[str, ...]:
    """Names of the visits that are over before day 0, in order; of a study without days, its first visit."""
    planned = [visit for visit in visits if visit.kind == "planned"]
    if all(visit.day is None for visit in planned):
        return tuple(visit.id for visit in planned[:1])
    return tuple(visit.id for visit in planned if visit.day is not None and visit.day < 0)


def baseline_visits_of(finding: Finding, visits: Iterable[VisitPlan]) -> tuple[str, ...]:
    """Of the visits before treatment, in order, those at which the finding's instrument or form is collected."""
    every = list(visits)
    before = visits_before_treatment(every)
    asked = finding.visits or before
    source = finding.instrument or finding.form
    collecting = {visit.id for visit in every if source in {each.key for each in visit.assessments}}
    return tuple(code for code in before if code in asked and code in collecting)


def no_covariate_because(finding: Finding, sections: Mapping[str, Any]) -> str:
    """Why a model cannot adjust for a finding; empty where it can.

    sections: of the protocol, by name; those that are wrong may be missing, and are then not asked.
    """
    marks = sections.get("arm_revealing")
    if marks and (finding.instrument in marks.instruments or finding.form in marks.forms):
        return "tells the arm"
    if finding.record is not None:
        return "" if finding.record.startswith("participant.") else "is about the consent, the same for everybody"
    if finding.diary is not None:
        return "" if finding.diary.days[1] < 0 else "is summed up over days that end after day -1"
    if finding.derived is not None or "visits" not in sections:
        return ""
    return "" if baseline_visits_of(finding, sections["visits"]) else "is not collected before treatment"
