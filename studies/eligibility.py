"""Eligibility: criteria judged from findings and from the investigator's answers, and the decision taken on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from studies.acting import verb
from studies.errors import AlreadyDone, InvalidEntries, InvalidEntry, NotEligible
from studies.findings import values_of
from studies.models import CriterionResult, EligibilityDecision, Participant, User
from studies.permissions import may_answer_criteria, may_decide_eligibility, require
from studies.protocol.eligibility import Criterion

Result = CriterionResult.Result
_OF_TRUTH = {True: Result.MET, False: Result.NOT_MET, None: Result.UNKNOWN}
_TRUTH_OF = {result: truth for truth, result in _OF_TRUTH.items()}


@verb(because="eligibility criteria judged")
def judge_criteria(
    user: User,
    *,
    participant: Participant,
    answers: Mapping[str, str] | None = None,
    comment: str = "",
    reason: str = "",
) -> list[CriterionResult]:
    """Judge every criterion from the findings known now and the investigator's answers; all or none are saved.

    answers: {criterion: met|not_met|unknown} for criteria whose protocol asks a question; answers given earlier
    stand. What neither findings nor an answer settle is unknown. Returns all results, in the order of the protocol.
    Raises NotAllowed, AlreadyDone after the decision, InvalidEntries naming each criterion at fault.
    """
    require(may_answer_criteria(user, participant.site), "answer eligibility criteria here")
    _require_undecided(participant)
    saved = {r.criterion: r for r in participant.criteria.all()}
    given = _checked_answers(participant, answers or {}, saved, reason)
    findings = values_of(participant)
    results = []
    for criterion in participant.protocol_version.definition.eligibility:
        before = saved.get(criterion.id)
        answer = given.get(criterion.id, before.answer if before else None)
        results.append(
            CriterionResult(
                participant=participant,
                criterion=criterion.id,
                answer=answer,
                result=_OF_TRUTH[criterion.holds(findings, answer)],
                comment=comment if criterion.id in given else before.comment if before else "",
            )
        )
    return CriterionResult.objects.bulk_create(
        results,
        update_conflicts=True,
        unique_fields=["participant", "criterion"],
        update_fields=["answer", "result", "comment"],
    )


def _checked_answers(
    participant: Participant, answers: Mapping[str, str], saved: Mapping[str, CriterionResult], reason: str
) -> dict[str, bool | None]:
    questions = {c.id for c in participant.protocol_version.definition.eligibility if c.answered}
    problems = []
    for criterion, answer in answers.items():
        if criterion not in questions:
            problems.append(InvalidEntry(f"The protocol asks no question for {criterion}.", field=criterion))
        elif answer not in Result.values:
            problems.append(InvalidEntry(f"Answer {criterion} with met, not met or not yet known.", field=criterion))
        elif (
            criterion in saved
            and saved[criterion].answer not in (None, _TRUTH_OF[Result(answer)])
            and not reason.strip()
        ):
            problems.append(InvalidEntry(f"{criterion} was answered before: give a reason.", field="reason"))
    if problems:
        raise InvalidEntries(problems)
    return {criterion: _TRUTH_OF[Result(answer)] for criterion, answer in answers.items()}


@verb(because="eligibility decided")
def decide(
    user: User, *, participant: Participant, included: bool, decided_at: datetime, reason: str = ""
) -> EligibilityDecision:
    """Include or exclude a participant.

    Inclusion needs every inclusion criterion met and every exclusion criterion not met; unknown blocks.
    Exclusion makes the participant a screen failure. Raises NotAllowed, NotEligible, AlreadyDone, InvalidEntry.
    """
    require(may_decide_eligibility(user, participant.site), "decide on eligibility here")
    participant = Participant.objects.select_for_update(of=("self",)).select_related("site").get(pk=participant.pk)
    _require_undecided(participant)
    if participant.status != Participant.Status.SCREENING:
        raise AlreadyDone(f"{participant} is {participant.get_status_display().lower()}: there is nothing to decide.")
    standing = in_the_way(participant)
    if included and standing:
        raise NotEligible(f"{participant} cannot be included: {', '.join(standing)} failed or not yet known.")
    if not included and not (standing or reason.strip()):
        raise InvalidEntry("Every criterion is fulfilled: say why the participant is excluded.", field="reason")
    decision = EligibilityDecision.objects.create(
        participant=participant,
        included=included,
        decided_at=decided_at,
        decided_by=user,
        failed_criteria=[] if included else standing,
    )
    if not included:
        participant.status = Participant.Status.SCREEN_FAILURE
        participant.ended_on = decided_at.astimezone(ZoneInfo(participant.site.time_zone)).date()
        participant.end_reason = (reason or f"Criteria {', '.join(standing)}")[:200]
        participant.save(update_fields=["status", "ended_on", "end_reason"])
    return decision


def in_the_way(participant: Participant) -> list[str]:
    """The criteria that stand in the way of randomisation, in the order of the protocol."""
    results = dict(participant.criteria.values_list("criterion", "result"))
    return [c.id for c in participant.protocol_version.definition.eligibility if not _allows(c, results)]


def _allows(criterion: Criterion, results: Mapping[str, str]) -> bool:
    return criterion.allows(_TRUTH_OF[Result(results.get(criterion.id, Result.UNKNOWN))])


def _require_undecided(participant: Participant) -> None:
    decision = EligibilityDecision.objects.filter(participant=participant).first()
    if decision:
        raise AlreadyDone(f"Eligibility of {participant} was decided on {decision.decided_at:%d %b %Y}.")
