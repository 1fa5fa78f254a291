"""Eligibility: criteria answered or derived from findings, and the investigator's decision."""

from __future__ import annotations

from datetime import datetime

from studies.acting import verb
from studies.errors import AlreadyDone, InvalidEntry, NotEligible
from studies.findings import values_of
from studies.models import CriterionResult, EligibilityDecision, Participant, User
from studies.permissions import may_answer_criteria, may_decide_eligibility, require
from studies.protocol import Criterion

Result = CriterionResult.Result
_OF_TRUTH = {True: Result.MET, False: Result.NOT_MET, None: Result.UNKNOWN}


@verb(because="eligibility criterion answered")
def answer_criterion(
    user: User, *, participant: Participant, criterion: str, result: str, comment: str = "", reason: str = ""
) -> CriterionResult:
    """Answer one criterion by hand: met, not_met or unknown.

    Raises NotAllowed; InvalidEntry for an unknown criterion or result, or a changed answer without a reason.
    """
    return answer_criteria(user, participant=participant, answers={criterion: result}, comment=comment, reason=reason)[0]


@verb(because="eligibility criteria answered")
def answer_criteria(
    user: User, *, participant: Participant, answers: dict[str, str], comment: str = "", reason: str = ""
) -> list[CriterionResult]:
    """Answer several criteria by hand, {criterion: met|not_met|unknown}; all of them or none."""
    require(may_answer_criteria(user, participant.site), "answer eligibility criteria here")
    _require_undecided(participant)
    known = {c.id: c for c in participant.protocol_version.definition.criteria}
    for criterion, result in answers.items():
        if criterion not in known:
            raise InvalidEntry(f"The protocol has no criterion {criterion}.", field=criterion)
        if result not in Result.values:
            raise InvalidEntry(f"Answer {criterion} with met, not met or not yet known.", field=criterion)
    changed = participant.criteria.filter(criterion__in=answers).exclude(result=Result.UNKNOWN)
    for saved in changed:
        if saved.result != answers[saved.criterion] and not reason.strip():
            raise InvalidEntry(f"{saved.criterion} was answered before: give a reason.", field="reason")
    return [
        CriterionResult.objects.update_or_create(
            participant=participant,
            criterion=criterion,
            defaults={"result": result, "derived": False, "comment": comment},
        )[0]
        for criterion, result in answers.items()
    ]


@verb(because="eligibility criteria derived from findings")
def derive_criteria(user: User, *, participant: Participant) -> list[CriterionResult]:
    """Compute every criterion that has an expression, from the participant's findings.

    A criterion whose findings are not there yet is unknown. Answers given by hand are left alone.
    """
    require(may_answer_criteria(user, participant.site), "derive eligibility criteria here")
    _require_undecided(participant)
    findings = values_of(participant)
    saved = {r.criterion: r for r in participant.criteria.all()}
    derived = []
    for criterion in participant.protocol_version.definition.criteria:
        if criterion.expression is None or (criterion.id in saved and not saved[criterion.id].derived):
            continue
        derived.append(
            CriterionResult.objects.update_or_create(
                participant=participant,
                criterion=criterion.id,
                defaults={"result": _OF_TRUTH[criterion.evaluate(findings)], "derived": True},
            )[0]
        )
    return derived


@verb(because="eligibility decided")
def decide(
    user: User, *, participant: Participant, included: bool, decided_at: datetime, reason: str = ""
) -> EligibilityDecision:
    """Include or exclude a participant.

    Inclusion needs every inclusion criterion met and every exclusion criterion not met; unknown blocks.
    Exclusion makes the participant a screen failure. Raises NotAllowed, NotEligible, AlreadyDone.
    """
    require(may_decide_eligibility(user, participant.site), "decide on eligibility here")
    participant = Participant.objects.select_for_update().get(pk=participant.pk)
    _require_undecided(participant)
    open_criteria = open_or_failed(participant)
    if included and open_criteria:
        raise NotEligible(f"{participant} cannot be included: {', '.join(open_criteria)} failed or not yet known.")
    if not included and not (open_criteria or reason.strip()):
        raise InvalidEntry("Every criterion is fulfilled: say why the participant is excluded.", field="reason")
    decision = EligibilityDecision.objects.create(
        participant=participant,
        included=included,
        decided_at=decided_at,
        decided_by=user,
        failed_criteria=[] if included else open_criteria,
    )
    if not included:
        participant.status = Participant.Status.SCREEN_FAILURE
        participant.ended_on = decided_at.date()
        participant.end_reason = reason[:200] or f"Criteria {', '.join(open_criteria)}"[:200]
        participant.save(update_fields=["status", "ended_on", "end_reason"])
    return decision


def open_or_failed(participant: Participant) -> list[str]:
    """The criteria that stand in the way of randomisation, in the order of the protocol."""
    results = dict(participant.criteria.values_list("criterion", "result"))
    return [
        criterion.id
        for criterion in participant.protocol_version.definition.criteria
        if results.get(criterion.id) != _needed(criterion)
    ]


def _needed(criterion: Criterion) -> str:
    return Result.MET if criterion.kind == "inclusion" else Result.NOT_MET


def _require_undecided(participant: Participant) -> None:
    decision = EligibilityDecision.objects.filter(participant=participant).first()
    if decision:
        raise AlreadyDone(f"Eligibility of {participant} was decided on {decision.decided_at:%d %b %Y}.")
