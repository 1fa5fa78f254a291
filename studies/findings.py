"""Findings: the named facts that eligibility, safety rules and due lists are computed from.

Measurement writes them with the address they came from; the site enters others on the forms the protocol names.
Conduct reads them and knows nothing of instruments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from studies.acting import verb
from studies.consents import require_collection
from studies.errors import InvalidEntries, InvalidEntry
from studies.models import Finding, Participant, User
from studies.permissions import may_answer_criteria, may_see_arm_revealing, require
from studies.protocol.arm_revealing import Revealing
from studies.protocol.eligibility import Finding as FindingPlan
from studies.protocol.expression import Value
from studies.protocol.pain_classification import PainFindings, classify


@dataclass(frozen=True, slots=True)
class NewFinding:
    """A fact about a participant, with the address of the data point it was taken from."""

    participant_id: int
    visit_id: int | None
    key: str
    value: float | str
    source_kind: str
    source_record: int
    source_field: str
    minute: int | None = None


def note(findings: Iterable[NewFinding]) -> None:
    """Store findings, replacing what the same data points said before. One statement for all."""
    Finding.objects.bulk_create(
        [
            Finding(
                participant_id=f.participant_id,
                visit_id=f.visit_id,
                minute=f.minute,
                key=f.key,
                number=None if isinstance(f.value, str) else float(f.value),
                text=f.value if isinstance(f.value, str) else None,
                source_kind=f.source_kind,
                source_record=f.source_record,
                source_field=f.source_field,
            )
            for f in findings
        ],
        update_conflicts=True,
        unique_fields=["key", "source_kind", "source_record", "source_field"],
        update_fields=["number", "text"],
    )


@verb(because="findings entered")
def enter_findings(
    user: User,
    *,
    participant: Participant,
    form: str,
    values: Mapping[str, float | bool | str],
    reason: str = "",
) -> None:
    """Enter facts on one of the site's forms (medical_history, laboratory ...), {finding: value}; all or none.

    Raises NotAllowed, ConsentMissing, InvalidEntries naming each finding at fault; a changed value needs a reason.
    """
    require(may_enter_form(user, participant, form), "enter these findings here")
    require_collection(participant, form)
    plans = {plan.key: plan for plan in participant.protocol_version.definition.findings_on_form(form)}
    before = {f.key: _value(f) for f in participant.findings.filter(source_kind="form", key__in=plans)}
    problems = [
        InvalidEntry(message, field=key)
        for key, value in values.items()
        if (message := _problem(plans.get(key), key, value, form))
    ]
    if any(key in before and before[key] != _stored(value) for key, value in values.items()) and not reason.strip():
        problems.append(InvalidEntry("A value was entered before: give the reason for the change.", field="reason"))
    if problems:
        raise InvalidEntries(problems)
    note(NewFinding(participant.pk, None, key, _stored(v), "form", participant.pk, form) for key, v in values.items())


def may_enter_form(user: User, participant: Participant, form: str) -> bool:
    """Whether a person may see and fill in a form of the site; one that tells the arm is the infusion unit's."""
    if Revealing.of([participant.protocol_version.definition]).tells("form", form=form):
        return may_see_arm_revealing(user, participant.site)
    return may_answer_criteria(user, participant.site)


def _stored(value: float | bool | str) -> float | str:
    return value if isinstance(value, str) else float(value)


def _value(finding: Finding) -> float | str:
    return finding.number if finding.number is not None else finding.text or ""


def _problem(plan: FindingPlan | None, key: str, value: float | bool | str, form: str) -> str | None:
    if plan is None:
        return f"The form {form} does not ask for {key}."
    if plan.type == "text":
        allowed = plan.choices
        return (
            f"{plan.label} is {value!r}; choose one of {', '.join(allowed)}."
            if allowed and value not in allowed
            else None
        )
    if isinstance(value, str):
        return f"{plan.label} is {value!r}; a {'number' if plan.type == 'number' else 'yes or no'} is expected."
    if plan.range and not plan.range[0] <= value <= plan.range[1]:
        low, high = plan.range
        return f"{plan.label} is {value:g} {plan.unit}; allowed is {low:g} to {high:g}."
    return None


def values_of(participant: Participant) -> dict[str, Value]:
    """The newest value of every finding of a participant, and what the trial's own records say."""
    values: dict[str, Value] = {
        finding.key: _value(finding) for finding in participant.findings.order_by("changed_in", "change_no")
    }
    for plan in participant.protocol_version.definition.findings:
        if plan.record and plan.record.partition(".")[0] in _RECORDS:
            values[plan.key] = _of_record(participant, plan.record)
    return values | _pain(values)


_RECORDS = ("participant", "consent")


def _pain(values: Mapping[str, Value]) -> dict[str, Value]:
    """The class of pain that follows from the bedside findings; it is never typed."""
    classified = classify(PainFindings.of(values))
    return {
        "pain_class": classified.pain_class,
        "neuropathic_grade": classified.neuropathic_grade,
        "nociplastic_grade": classified.nociplastic_grade,
    }


def _of_record(participant: Participant, path: str) -> Value:
    """A column of what the trial keeps anyway: participant.age_years, consent.version."""
    kind, _, name = path.partition(".")
    record = participant if kind == "participant" else participant.consents.order_by("signed_at").last()
    value: Value = getattr(record, name, None)
    return None if value == "" else value
