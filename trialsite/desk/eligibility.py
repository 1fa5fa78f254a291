"""Eligibility: criteria judged from findings, questions for the investigator, the decision; and the findings' forms."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from outcomes.diary import note_diary_findings
from outcomes.due import FORM_LABELS
from studies import eligibility as verbs
from studies.errors import InvalidEntries, InvalidEntry, TrialError
from studies.findings import enter_findings, may_enter_form, values_of
from studies.models import CriterionResult, EligibilityDecision, Participant
from studies.permissions import may_answer_criteria, may_decide_eligibility, require
from studies.protocol.eligibility import Finding as FindingPlan
from trialsite.desk import drafts
from trialsite.desk.fields import DeskForm, NumberField
from trialsite.desk.page import (
    Http404,
    find_participant,
    in_sight,
    page,
    refusals,
    say,
    shows_refusals,
    user_of,
)
from trialsite.desk.steps import entry, require_confirmed

YES_NO = [("1", "Yes"), ("0", "No"), ("", "Not yet known")]


@shows_refusals
def eligibility(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    user = user_of(request)
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            said = _act(request, person)
        except TrialError as error:
            errors = refusals(error)
        else:
            say(request, said)
            return redirect(
                "admin:participant" if "decide" in request.POST else "admin:eligibility",
                identifier=identifier,
            )
    return page(
        request,
        "eligibility.html",
        room="participants",
        title="Eligibility",
        status=422 if errors else 200,
        **in_sight(request, person),
        errors=errors,
        typed=request.POST,
        rows=_rows(person, request),
        decision=EligibilityDecision.objects.filter(participant=person).select_related("decided_by").first(),
        may_answer=may_answer_criteria(user, person.site),
        may_decide=may_decide_eligibility(user, person.site),
        standing=verbs.in_the_way(person),
    )


def _act(request: HttpRequest, person: Participant) -> str:
    user, reason = user_of(request), request.POST.get("reason", "")
    if request.POST.get("decide") == "exclude":
        require_confirmed(person, request.POST.get("confirm", ""))
    answers = {
        name.removeprefix("answer-"): str(value)
        for name, value in request.POST.items()
        if name.startswith("answer-") and value
    }
    note_diary_findings(user, participant=person)
    verbs.judge_criteria(user, participant=person, answers=answers, reason=reason)
    if "decide" not in request.POST:
        return "Criteria judged from what is known now."
    included = request.POST["decide"] == "include"
    verbs.decide(user, participant=person, included=included, decided_at=timezone.now(), reason=reason)
    return "Included." if included else "Not included: a screen failure."


Result = CriterionResult.Result
_RESULTS = {True: Result.MET, False: Result.NOT_MET, None: Result.UNKNOWN}


def _rows(person: Participant, request: HttpRequest) -> list[dict[str, Any]]:
    saved = {r.criterion: r for r in person.criteria.all()}
    findings = values_of(person)
    labels = {plan.key: plan.label for plan in person.protocol_version.definition.findings}
    rows = []
    for criterion in person.protocol_version.definition.eligibility:
        result = saved.get(criterion.id)
        answer = "" if result is None or result.answer is None else "met" if result.answer else "not_met"
        truth = criterion.holds(findings, result.answer if result else None)
        names = criterion.expression.names if criterion.expression else ()
        missing = sorted(labels.get(name, name) for name in names if findings.get(name) is None)
        rows.append(
            {
                "criterion": criterion,
                "result": _RESULTS[truth].label,
                "allows": criterion.allows(truth),
                "known": truth is not None,
                "answer": request.POST.get(f"answer-{criterion.id}", answer),
                "missing": missing,
            }
        )
    return rows


@shows_refusals
def findings(request: HttpRequest, identifier: str, form: str) -> HttpResponse:
    person = find_participant(request, identifier)
    plans = person.protocol_version.definition.findings_on_form(form)
    label = FORM_LABELS.get(form)
    if label is None:
        raise Http404
    require(may_enter_form(user_of(request), person, form), f"enter {label.lower()} here")
    known = {f.key: f for f in person.findings.filter(source_kind="form", source_field=form)}
    saved = {k: f.text if f.number is None else f"{f.number:g}" for k, f in known.items()}
    draft = f"findings/{person.pk}/{form}"
    drafted = drafts.find(user_of(request), draft)
    sheet = _sheet(request, plans, saved, drafts.content(drafted))

    def save(given: dict[str, Any]) -> str:
        _refuse_emptied(plans, saved, given)
        values = {plan.key: _value(plan, given[plan.key]) for plan in plans if given[plan.key] not in ("", None)}
        enter_findings(user_of(request), participant=person, form=form, values=values, reason=given.get("reason", ""))
        return f"{label} saved."

    about = "" if plans else "The protocol asks nothing here yet."
    return entry(request, person, sheet, save, title=label, button="Save", about=about, draft=draft, drafted=drafted)


class FindingsForm(DeskForm):
    """What a form of the protocol asks; what is not yet known is left open."""

    may_be_left_open = True


def _refuse_emptied(plans: tuple[FindingPlan, ...], saved: dict[str, str | None], given: dict[str, Any]) -> None:
    problems = [
        InvalidEntry(
            f"{plan.label} was entered before ({saved[plan.key]}) and is empty now. Enter the right value, with a"
            " reason; what was found is changed, not taken away.",
            field=plan.key,
        )
        for plan in plans
        if plan.key in saved and given[plan.key] in ("", None)
    ]
    if problems:
        raise InvalidEntries(problems)


def _sheet(
    request: HttpRequest, plans: tuple[FindingPlan, ...], saved: dict[str, str | None], typed: dict[str, Any]
) -> forms.Form:
    """A form made from what the protocol asks; it starts from the draft, else from what is saved."""
    sheet = FindingsForm(request.POST or None, initial=typed or saved)
    for plan in plans:
        sheet.fields[plan.key] = _field(plan)
    if saved:
        sheet.fields["reason"] = forms.CharField(label="Reason, if a value changes", required=False, max_length=200)
    return sheet


def _field(plan: FindingPlan) -> forms.Field:
    if plan.type == "yes_no":
        return forms.ChoiceField(label=plan.label, choices=YES_NO, required=False, widget=forms.RadioSelect)
    if plan.type == "text":
        choices = [("", "Not yet known"), *((c, c.replace("_", " ").capitalize()) for c in plan.choices)]
        return forms.ChoiceField(label=plan.label, choices=choices, required=False)
    between = f"{plan.range[0]:g} to {plan.range[1]:g} {plan.unit}" if plan.range else plan.unit
    return NumberField(
        label=plan.label, required=False, help_text=between.strip(), limits=plan.range or None, unit=plan.unit
    )


def _value(plan: FindingPlan, typed: Any) -> float | bool | str:
    if plan.type == "yes_no":
        return bool(typed == "1")
    return str(typed) if plan.type == "text" else float(typed)
