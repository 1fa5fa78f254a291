"""Phase 1: candidates from enrolment to randomisation. Nothing here depends on an arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from statistics import fmean

from analysis.simulation import records
from outcomes.diary import note_diary_findings
from studies import consents, eligibility, enrolment, findings, visits
from studies.acting import acting
from studies.models import Participant, Site
from studies.randomisation_desk import randomise

from .forms import Entering
from .people import Staff


def enter_screening(screening: records.Screening, *, site: Site, staff: Staff, until: datetime) -> Participant | None:
    """Enter one candidate as far as the calendar allows. Returns the participant; None if not yet enrolled."""
    if screening.consented_at > until:
        return None
    participant = _enrol(screening, site, staff)
    entering = Entering(participant, staff, until)
    _visit(entering, screening, "SCR")
    _plan(entering, screening)
    _visit(entering, screening, "BL")
    entering.diary(screening.diary)
    entering.acknowledge_alerts()
    if screening.decided_at <= until:
        _decide(entering, screening)
    return participant


def _enrol(screening: records.Screening, site: Site, staff: Staff) -> Participant:
    coordinator = staff.coordinator
    with acting(coordinator, entered_at=screening.consented_at):
        participant = enrolment.enrol(
            coordinator, site=site, sex=screening.person.sex, birth=f"{screening.born_on:%Y-%m}"
        )
        day = visits.site_day(participant, screening.consented_at)
        version = participant.protocol_version.definition.consent_in_force(day, site.code)
        consents.sign_consent(
            coordinator,
            participant=participant,
            version=version.version if version else "",
            signed_at=screening.consented_at,
            age_years=screening.person.age,
        )
    return participant


def _visit(entering: Entering, screening: records.Screening, code: str) -> None:
    """One visit before randomisation, with all that belongs to it."""
    record = next((visit for visit in screening.visits if visit.id == code), None)
    if record is None or record.at > entering.until:
        return
    coordinator = entering.staff.coordinator
    with acting(coordinator, entered_at=record.at):
        if record.status == "missed":
            visits.mark_missed(coordinator, visit=entering.visits[code], reason="Participant did not come")
            return
        visits.start_visit(coordinator, visit=entering.visits[code], started_at=record.at)
        if code == "SCR":
            for form, values in _findings(screening).items():
                findings.enter_findings(coordinator, participant=entering.participant, form=form, values=values)
    entering.forms(screening.forms, code)
    entering.qst(screening.qst, code)


def _findings(screening: records.Screening) -> Mapping[str, Mapping[str, float | bool | str]]:
    """What the site enters on the screening forms, by form."""
    vitals = screening.vitals[0]
    labs = {lab.test: lab for lab in screening.labs}
    times = {
        f"{name}_times_uln": round(labs[name].value / (labs[name].upper_limit or 1), 2)
        for name in ("alt", "ast", "bilirubin")
    }
    return {
        "medical_history": asdict(screening.history),
        "vitals": {
            "screening_sbp": fmean(vitals.sbp),
            "screening_dbp": fmean(vitals.dbp),
            "weight_kg": screening.person.weight_kg,
            "height_cm": screening.person.height_cm,
        },
        "laboratory": {**times, "egfr": labs["egfr"].value},
        "pain_classification": asdict(screening.person.findings),
    }


def _plan(entering: Entering, screening: records.Screening) -> None:
    at = max(visit.at for visit in screening.visits if visit.id == "SCR")
    if at > entering.until:
        return
    coordinator = entering.staff.coordinator
    with acting(coordinator, entered_at=at):
        on = visits.site_day(entering.participant, screening.planned_infusion_at)
        visits.schedule_infusion(coordinator, participant=entering.participant, on=on)


def _decide(entering: Entering, screening: records.Screening) -> None:
    """Judge, decide and, if eligible, randomise."""
    participant, staff = entering.participant, entering.staff
    answers = {criterion: "met" if yes else "not_met" for criterion, yes in screening.answers.items()}
    with acting(staff.coordinator, entered_at=screening.decided_at):
        note_diary_findings(staff.coordinator, participant=participant)
        eligibility.judge_criteria(staff.coordinator, participant=participant, answers=answers)
        included = not eligibility.in_the_way(participant)
        eligibility.decide(
            staff.investigator, participant=participant, included=included, decided_at=screening.decided_at
        )
    if included and screening.randomised_at and screening.randomised_at <= entering.until:
        with acting(staff.coordinator, entered_at=screening.randomised_at):
            randomise(staff.coordinator, participant=participant)
