"""The simulation's design from the protocol, the instrument files and the QST reference."""

from __future__ import annotations

from datetime import date
from typing import Literal, cast

from analysis.simulation.design import (
    Instrument,
    Item,
    PlannedForm,
    PlannedVisit,
    QstNorm,
    Site,
    TrialDesign,
)
from outcomes.qst import SYNTHETIC_REFERENCE, load_reference
from outcomes.scoring import load_instrument
from studies.protocol import ProtocolDefinition
from studies.protocol.schedule import VisitPlan

# Filled in from the diary, or drawn apart from the other questionnaires.
NOT_FORMS = ("diary_daily", "treatment_guess", "nrs_avg24")
STAFF_RATED = ("madrs", "cssrs", "cadss23", "bprs_positive", "dn4", "hamd17")


def design_of(definition: ProtocolDefinition, *, start: date | None = None) -> TrialDesign:
    """What the simulation needs to know of a protocol. start: the day the first site opens."""
    infusion = definition.infusion
    opening = start or definition.study.recruitment_from
    if infusion is None or opening is None:
        raise ValueError("Only a protocol with an infusion and a start of recruitment can be simulated.")
    visits = tuple(_visit(visit) for visit in definition.visits if visit.kind == "planned")
    keys = {form.instrument for visit in visits for form in visit.forms}
    return TrialDesign(
        start=opening,
        sites=tuple(Site(site.code, site.time_zone) for site in definition.sites),
        visits=visits,
        instruments={key: _instrument(key) for key in sorted(keys)},
        qst_norms=_norms(),
        clock=infusion.readings_at_minutes,
        infusion_minutes=infusion.minutes,
        rate_per_kg=float(infusion.rate_ml_h_per_kg or 0),
        rate_cap_kg=float(infusion.weight.counts_up_to_kg),
    )


def _visit(visit: VisitPlan) -> PlannedVisit:
    due = visit.due()
    forms = {each.key for each in due if each.kind == "form"}
    earliest, latest = visit.calendar_days or (visit.day or 0, visit.day or 0)
    # The model books visits with a range of days from the range's first day on.
    nominal = earliest if visit.days else visit.day or 0
    if visit.hours_after_infusion_end:
        earliest = latest = nominal
    return PlannedVisit(
        visit.id,
        nominal,
        earliest,
        latest,
        tuple(
            PlannedForm(each.key, each.minute)
            for each in due
            if each.kind == "instrument" and each.key not in NOT_FORMS
        ),
        qst="qst" in forms,
        vitals="vitals" in forms,
        labs="laboratory" in forms,
    )


def _instrument(key: str) -> Instrument:
    instrument = load_instrument(key)
    items = tuple(
        Item(
            name,
            int(item.min),
            int(item.max),
            item.dimension or instrument.dimension,
            reverse=(item.higher_is or instrument.higher_is) == "better",
            step=item.step,
        )
        for name, item in instrument.items.items()
    )
    source: Literal["participant", "staff"] = "staff" if key in STAFF_RATED else "participant"
    return Instrument(key, items, source, key.removesuffix("_24h"))


def _norms() -> tuple[QstNorm, ...]:
    reference = load_reference(SYNTHETIC_REFERENCE)
    return tuple(
        QstNorm(
            row.parameter,
            row.area,
            row.sex,
            row.age_lo,
            row.age_hi,
            row.scale,
            row.mean,
            row.sd,
            cast("Literal[-1, 1]", row.gain_sign),
        )
        for row in reference.rows
    )
