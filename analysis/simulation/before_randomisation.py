"""From consent to the decision to randomise. Nothing in this module takes an arm."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import mean, stdev

from .answers import Moment
from .appointments import Appointments, is_in_window
from .diary import diary_days, rate_days, write_diary
from .infusion_day import at_rest
from .latent import DAYS, FIRST_DAY, ArmFree
from .missingness import gaps
from .people import Person
from .records import (
    DiaryRecord,
    FormRecord,
    LabResult,
    MedicalHistory,
    QstSession,
    Screening,
    VisitRecord,
    Vitals,
)
from .safety import laboratory, vital_signs
from .streams import stream
from .visit_forms import Clinic, Setting

# Criteria, or parts of them, that a person answers. E1, E2, E6 and E7 fail by what was measured instead.
_ASKED = ("I4", "I7", "E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8")
_MEASURED = frozenset({"E1", "E2", "E6", "E7"})


def screen(setting: Setting, person: Person, arm_free: ArmFree, booked: Appointments) -> Screening:
    """One candidate's screening and, unless it failed before, the baseline week.

    Who fails at the screening visit has no baseline visit and no diary; whose diary fails has both.
    """
    clinic = Clinic(setting, person, items="screening_items", qst="screening_qst", entry="screening_entry")
    first = _screening_visit(setting, person, arm_free, booked, clinic)
    base = _Found() if first.failed else _baseline_visit(setting, person, arm_free, booked, clinic)
    failed = first.failed or base.failed
    return Screening(
        person=person,
        site=setting.design.sites[person.site].code,
        consented_at=booked.consented_at,
        born_on=_born_on(booked.consented_at.astimezone(booked.zone), person),
        history=_history(setting, person, first.failed),
        answers=_answers(first.failed),
        visits=first.visits + base.visits,
        forms=first.forms + base.forms,
        diary=base.diary,
        qst=base.qst,
        vitals=first.vitals,
        labs=first.labs,
        failed=failed,
        decided_at=booked.screened_at + timedelta(days=2) if first.failed else booked.randomised_at,
        randomised_at=None if failed else booked.randomised_at,
        planned_infusion_at=booked.infusion_at,
    )


def diary_qualifies(ratings: list[int]) -> bool:
    """Criterion I3: 5 or more of 7 entries, their mean 4-9, their SD at most 2.5."""
    return len(ratings) >= 5 and 4 <= mean(ratings) <= 9 and stdev(ratings) <= 2.5


@dataclass(frozen=True, slots=True)
class _Found:
    """What one of the two visits gives."""

    visits: tuple[VisitRecord, ...] = ()
    forms: tuple[FormRecord, ...] = ()
    diary: tuple[DiaryRecord, ...] = ()
    qst: tuple[QstSession, ...] = ()
    vitals: tuple[Vitals, ...] = ()
    labs: tuple[LabResult, ...] = ()
    failed: tuple[str, ...] = ()


def _screening_visit(
    setting: Setting, person: Person, arm_free: ArmFree, booked: Appointments, clinic: Clinic
) -> _Found:
    """Questionnaires, blood pressure, laboratory, and the criteria that fail there."""
    visit, at = setting.design.visit(setting.design.screening), booked.screened_at
    shares = setting.parameters.recruitment.screen_failure
    z = arm_free.untreated[booked.screening_day - FIRST_DAY]
    rng = stream(setting.seed, "failure", person.index)
    drawn = rng.random(len(shares))
    rest = at_rest(setting.seed, person.index, setting.parameters)
    vitals = vital_signs(visit.id, at, rest, rng, readings=3, weight=person.weight_kg)
    failed = {
        criterion
        for u, (criterion, share) in zip(drawn, shares.items(), strict=True)
        if u < share and (criterion != "I7" or person.child_bearing)
    }
    failed |= {"E1"} if mean(vitals.sbp) > 150 or mean(vitals.dbp) > 95 else set()
    failed |= {"E7"} if person.weight_kg / (person.height_cm / 100) ** 2 > 40 else set()
    labs = laboratory(visit.id, rng, raised=False, excluded="E2" in failed) if visit.labs else []
    return _Found(
        visits=(VisitRecord(visit.id, booked.screening_day, at, in_window=True, status="done"),),
        forms=tuple(clinic.fill_all(visit, Moment(person, z), at)),
        vitals=(vitals,) if visit.vitals else (),
        labs=tuple(labs),
        failed=tuple(sorted(failed)),
    )


def _baseline_visit(
    setting: Setting, person: Person, arm_free: ArmFree, booked: Appointments, clinic: Clinic
) -> _Found:
    """Questionnaires, QST and the diary of the week before the infusion, which decides on I3."""
    visit, at, day = setting.design.visit(setting.design.baseline), booked.baseline_at, booked.baseline_day
    z = arm_free.untreated[day - FIRST_DAY]
    missed = gaps(setting.seed, person.index, setting.parameters).diary
    days = [d for d in diary_days(setting.design, setting.parameters) if d < 0 and not missed[d - FIRST_DAY]]
    ratings = rate_days(setting.seed, person.index, arm_free.untreated, setting.parameters)
    diary = write_diary(ratings, days, booked=booked, rescue_doses=0 * DAYS, parameters=setting.parameters)
    in_window = is_in_window(visit, at, booked)
    return _Found(
        visits=(VisitRecord(visit.id, day, at, in_window, "done", qst_done=visit.qst),),
        forms=tuple(clinic.fill_all(visit, Moment(person, z), at)),
        diary=diary,
        qst=tuple(clinic.sense(visit, z, at)),
        failed=() if diary_qualifies([entry.average for entry in diary]) else ("I3",),
    )


def _answers(failed: tuple[str, ...]) -> dict[str, bool]:
    """Yes to an inclusion criterion that is met and to an exclusion criterion that is present."""
    return {
        criterion: criterion.startswith("I") != (criterion in failed and criterion not in _MEASURED)
        for criterion in _ASKED
    }


def _history(setting: Setting, person: Person, failed: tuple[str, ...]) -> MedicalHistory:
    """A history that agrees with the criteria failed on it: I5 unstable doses, E6 too much opioid."""
    u = stream(setting.seed, "history", person.index).random(3)
    return MedicalHistory(
        pain_duration_months=round(12 * person.pain_years),
        pain_days_per_month=person.painful_days_per_month,
        analgesics_stable_days=int(5 + 20 * u[0]) if "I5" in failed else int(30 + 300 * u[0]),
        opioid_mg_per_day=120.0 if "E6" in failed else float(10 * max(int(u[1] * 12) - 5, 0)),
        benzodiazepine_mg_per_day=5.0 if u[2] < 0.05 else 0.0,
        gilbert_syndrome=False,
    )


def _born_on(consented: datetime, person: Person) -> date:
    """A birthday that makes the person the drawn age on the day of consent."""
    day = consented.date()
    # The 28th stands for the 29th to 31st, so that the day exists in every month and year.
    turned = date(day.year - person.age, day.month, min(day.day, 28))
    return turned - timedelta(days=person.birthday_offset)
