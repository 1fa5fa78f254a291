"""The safety rules of the protocol, judged on what was read and scored at the bedside."""

from __future__ import annotations

from studies.errors import InvalidEntry
from studies.models import Infusion, Participant, Reading, SafetyEvent
from studies.protocol import safety_rules
from studies.protocol.infusion import InfusionPlan


def refuse_unread_start(participant: Participant, plan: InfusionPlan) -> None:
    """Before the start: its readings are the baseline of the rules, and are judged by them. Raises InvalidEntry."""
    early = list(participant.readings.filter(infusion=None))
    read = {reading.minute for reading in early}
    if missing := [minute for minute in plan.readings_at_minutes if minute < 0 and minute not in read]:
        raise InvalidEntry(
            f"The readings at {missing[0]} min have not been entered: the safety rules compare with them. Enter them,"
            " or say that they were not done.",
            field="readings",
        )
    rules = participant.protocol_version.definition.safety_rules
    fired = safety_rules.evaluate(rules, [_as_judged(r) for r in early], baseline_minute=plan.baseline_minute)
    if stopping := next((rule for rule in fired if rule.action in ("HOLD", "STOP")), None):
        raise InvalidEntry(
            f"The readings at {stopping.minute:g} min call for {stopping.action} ({stopping.rule}): {stopping.text}."
            " The infusion is not started. Read again, correct the readings with a reason, or call the physician.",
            field="readings",
        )


def _as_judged(reading: Reading) -> safety_rules.Reading:
    return safety_rules.Reading(
        reading.minute, reading.parameter, None if reading.value is None else float(reading.value)
    )


def fire_rules(infusion: Infusion, plan: InfusionPlan) -> list[SafetyEvent]:
    """Every rule that fires on the readings so far and had not fired at that minute before."""
    definition = infusion.participant.protocol_version.definition
    readings = [_as_judged(reading) for reading in infusion.readings.all()] + _scores_at_the_bedside(infusion)
    known = set(infusion.safety_events.values_list("rule", "minute"))
    fired = safety_rules.evaluate(definition.safety_rules, readings, baseline_minute=plan.baseline_minute)
    return SafetyEvent.objects.bulk_create(
        [
            SafetyEvent(
                participant=infusion.participant,
                infusion=infusion,
                rule=rule.rule,
                action=rule.action,
                minute=int(rule.minute),
                readings=[{"minute": r.minute, "parameter": r.parameter, "value": r.value} for r in rule.readings],
            )
            for rule in fired
            if (rule.rule, int(rule.minute)) not in known
        ]
    )


def _scores_at_the_bedside(infusion: Infusion) -> list[safety_rules.Reading]:
    """Side-effect scores of the infusion day that rules look at, as the findings of measurement give them."""
    found = infusion.participant.findings.filter(visit=infusion.visit, minute__isnull=False, number__isnull=False)
    return [safety_rules.Reading(f.minute or 0, f.key, f.number) for f in found]
