"""Infusion, monitoring, safety rules, discharge and alerts: the safety sections of a protocol file.

What the infusion unit sees is the same in every arm: volume and rate. A protocol under which they differ
between arms would tell the arm, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from studies.protocol.design import Arm, planned_rate_per_kg
from studies.protocol.eligibility import finding_types
from studies.protocol.expression import FindingType
from studies.protocol.section import Condition, Key, NotNegative, Positive, Section, Text, repeated, spelled
from studies.protocol.yaml_document import Mistake

Action = Literal["ALERT", "HOLD", "STOP"]


class Tolerance(Section):
    """By how many minutes a reading may be early or late, up to a minute of the infusion clock (or any)."""

    until_minute: int | None = None
    minutes: Annotated[int, Field(ge=0)]


class Parameter(Section):
    """What is read at the timepoints. Outside `hard` an entry is refused, outside `soft` it is queried."""

    key: Key
    label: Text
    unit: str = ""
    decimals: Annotated[int, Field(ge=0, le=2)] = 0
    hard: tuple[Decimal, Decimal]
    soft: tuple[Decimal, Decimal]
    note: str = ""

    @model_validator(mode="after")
    def soft_lies_in_hard(self) -> Parameter:
        """A value that is refused cannot also be unremarkable."""
        if not self.hard[0] <= self.soft[0] <= self.soft[1] <= self.hard[1]:
            raise ValueError(f"The soft range must lie within the hard one ({self.hard[0]} to {self.hard[1]}).")
        return self


class Weight(Section):
    """The weight that the rate follows: how recent, to how many kg it counts, and what is plausible."""

    measured_within_days: Annotated[int, Field(ge=0)]
    counts_up_to_kg: Positive
    hard_kg: tuple[Decimal, Decimal]
    soft_kg: tuple[Decimal, Decimal]
    query_change_percent: Positive


class Delivery(Section):
    """How a delivered infusion is judged, and how far the pump's own reading may differ from the segments."""

    complete_percent: Positive
    substantial_percent: Positive
    pump_agreement_ml: NotNegative
    pump_agreement_percent: NotNegative


class Holds(Section):
    """How a held infusion is watched, and when holding becomes stopping."""

    reevaluate_every_minutes: Annotated[int, Field(gt=0)]
    stop_after_minutes: Annotated[int, Field(gt=0)]


class InfusionEvent(Section):
    """Something that happens or does not: yes or no at any time of the infusion."""

    key: Key
    label: Text


class InfusionPlan(Section):
    """The blinded infusion: how long, how fast by weight, what is watched at which minute of its clock."""

    visit: str
    minutes: Annotated[int, Field(gt=0)]
    rate_ml_h_per_kg: Positive | None = None
    fixed_rate_ml_h: Positive | None = None
    pump_step_ml_h: Positive
    weight: Weight
    delivery: Delivery
    baseline_minute: int
    readings_at_minutes: Annotated[tuple[int, ...], Field(min_length=1)]
    tolerances: Annotated[tuple[Tolerance, ...], Field(min_length=1)]
    sbp_above_dbp_by: NotNegative = Decimal(0)
    parameters: Annotated[tuple[Parameter, ...], Field(min_length=1)]
    events: tuple[InfusionEvent, ...] = ()
    holds: Holds

    @model_validator(mode="after")
    def has_one_rate_and_a_clock_in_order(self) -> InfusionPlan:
        """A rate by weight or a fixed one; timepoints rising; the baseline among them."""
        if (self.rate_ml_h_per_kg is None) == (self.fixed_rate_ml_h is None):
            raise ValueError("Give either rate_ml_h_per_kg or fixed_rate_ml_h.")
        if list(self.readings_at_minutes) != sorted(set(self.readings_at_minutes)):
            raise ValueError("readings_at_minutes must rise, each minute once.")
        if self.baseline_minute not in self.readings_at_minutes:
            raise ValueError(f"There is no reading at the baseline minute {self.baseline_minute}.")
        return self

    def tolerance_minutes(self, minute: int) -> int:
        """By how many minutes the reading planned at a minute may be early or late."""
        for tolerance in self.tolerances:
            if tolerance.until_minute is None or minute <= tolerance.until_minute:
                return tolerance.minutes
        return self.tolerances[-1].minutes


class SafetyRule(Section):
    """When to alert, hold or stop."""

    id: Annotated[str, *spelled(r"S[0-9]{2,3}", "a rule's number, such as S01")]
    text: Text
    when: Condition
    consecutive: Annotated[int, Field(ge=1)] = 1
    minutes_apart: Annotated[int, Field(ge=0)] = 0
    action: Action
    also: str = ""
    resume_when: Condition | None = None
    resume_consecutive: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def only_a_hold_resumes(self) -> SafetyRule:
        """A hold says when it ends; a stop never does."""
        if (self.action == "HOLD") != (self.resume_when is not None):
            raise ValueError("A HOLD needs resume_when; ALERT and STOP have none.")
        return self


class DischargeCriterion(Section):
    """One thing that must be true before the participant leaves the infusion unit."""

    text: Text
    when: Condition


class Alert(Section):
    """A task for a person, raised by what is entered: who must acknowledge it, and by when."""

    code: Annotated[str, *spelled(r"[A-Z][A-Z0-9_]{0,39}", "an alert's code: capitals, digits and _")]
    text: Text
    acknowledge_within_hours: Annotated[int, Field(gt=0)]
    to: Literal["investigator", "coordinator"] = "investigator"
    escalate_to: Literal["sponsor", ""] = ""


def mistakes_in_infusion(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    """A clock that visits do not keep, rules over things nobody reads, and rates that would tell the arm."""
    yield from repeated("safety_rules", sections.get("safety_rules", ()), "id")
    yield from repeated("alerts", sections.get("alerts", ()), "code")
    infusion = sections.get("infusion")
    if infusion is None:
        return
    yield from _visit_and_minutes(infusion, sections)
    yield from _rates_alike(infusion, sections.get("arms", ()))
    if "findings" in sections:
        yield from _rules(infusion, sections)


def names_at_the_bedside(infusion: InfusionPlan, findings: Any) -> dict[str, FindingType]:
    """What a safety rule or a discharge criterion may name: readings, their baselines, events, findings."""
    names: dict[str, FindingType] = dict(finding_types(findings))
    for parameter in infusion.parameters:
        names[parameter.key] = names[f"baseline_{parameter.key}"] = "number"
    names |= {event.key: "yes_no" for event in infusion.events}
    return names | {"minutes_since_end": "number"}


def _visit_and_minutes(infusion: InfusionPlan, sections: Mapping[str, Any]) -> Iterator[Mistake]:
    visits = sections.get("visits")
    if visits is None:
        return
    if infusion.visit not in {visit.id for visit in visits}:
        yield Mistake(("infusion", "visit"), f"'{infusion.visit}' is not a visit.")
    for v, visit in enumerate(visits):
        for a, assessment in enumerate(visit.assessments):
            for minute in sorted(set(assessment.at_minutes) - set(infusion.readings_at_minutes)):
                yield Mistake(
                    ("visits", v, "assessments", a, "at_minutes"),
                    f"Minute {minute} is not on the infusion clock (readings_at_minutes).",
                )


def _rates_alike(infusion: InfusionPlan, arms: tuple[Arm, ...]) -> Iterator[Mistake]:
    for index, arm in enumerate(arms):
        rate = planned_rate_per_kg(arm.regimen, infusion.minutes) if arm.regimen else None
        planned = infusion.rate_ml_h_per_kg
        if rate is not None and planned is not None and abs(rate - planned) > Decimal("1e-9"):
            yield Mistake(
                ("arms", index, "regimen"),
                f"{arm.code} would run at {rate.normalize():f} mL/h per kg, not at {planned:f}: the rate "
                "would tell the arm. Change the concentration.",
            )
        cap = _weight_at_cap(arm)
        if cap is not None and abs(cap - infusion.weight.counts_up_to_kg) > Decimal("1e-9"):
            yield Mistake(
                ("arms", index, "regimen", "cap_mg"),
                f"The cap of {arm.code} is reached at {cap.normalize():f} kg; the rate follows the weight "
                f"up to {infusion.weight.counts_up_to_kg:f} kg.",
            )


def _weight_at_cap(arm: Arm) -> Decimal | None:
    regimen = arm.regimen
    if regimen is None or regimen.cap_mg is None or regimen.dose_mg_per_kg is None:
        return None
    return regimen.cap_mg / regimen.dose_mg_per_kg


def _rules(infusion: InfusionPlan, sections: Mapping[str, Any]) -> Iterator[Mistake]:
    names = names_at_the_bedside(infusion, sections["findings"])
    for section, fields in (("safety_rules", ("when", "resume_when")), ("discharge", ("when",))):
        for index, entry in enumerate(sections.get(section, ())):
            for name in fields:
                condition = getattr(entry, name)
                for message in condition.mistakes(names) if condition else ():
                    yield Mistake((section, index, name), message)
