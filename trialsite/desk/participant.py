"""The participant: what comes next, the visits as a line, the open visit's forms, the course, consents, events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from outcomes.due import Form, State, forms_of, visit_state
from outcomes.models import Response
from studies.arm_revealing import is_kept, told
from studies.eligibility import in_the_way
from studies.enrolment import read_contact
from studies.models import Allocation, Consent, EligibilityDecision, Participant, Study
from studies.permissions import (
    may_correct_stratum,
    may_decide_eligibility,
    may_enter_response,
    may_obtain_consent,
    may_plan_visits,
    may_record_intercurrent_event,
    may_report_adverse_event,
    may_see_arm_revealing,
    may_see_identity,
)
from trialsite.desk import drafts
from trialsite.desk.course import course_card
from trialsite.desk.page import find_participant, in_sight, page, user_of
from trialsite.desk.qst_shown import QST_KINDS, latest_profile
from trialsite.desk.self_completion import card_of

Row = dict[str, Any]
# So many criteria that stand in the way are named beside the next step.
MOST_NAMED = 4


def participant(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    user, now = user_of(request), timezone.now()
    imported = person.study.origin == Study.Origin.IMPORTED
    visits = _visits(request, person, now)
    return page(
        request,
        "participant.html",
        room="participants",
        title=person.identifier,
        **in_sight(request, person),
        visits=visits,
        open_visit=_open_visit(request, visits),
        next=None if imported else _next_step(request, person, visits),
        imported=imported,
        no_date="" if imported else "no date yet",
        **course_card(person),
        consents=person.consents.select_related("obtained_by").order_by("signed_at"),
        adverse_events=told(user, person.adverse_events.all()),
        deviations=told(user, person.deviations.order_by("occurred_on")),
        contact={} if imported or not may_see_identity(user, person.site) else read_contact(user, participant=person),
        may_consent=may_obtain_consent(user, person.site) and not imported,
        may_plan=may_plan_visits(user, person.site) and not imported,
        active=person.status in (Participant.Status.SCREENING, Participant.Status.RANDOMISED),
        may_report=may_report_adverse_event(user, person.site) and not imported,
        diary=_diary(request, person),
        qst=None if any(is_kept(user, person, kind) for kind in QST_KINDS) else latest_profile(person),
        **_after_randomisation(request, person),
        self_completion=card_of(request, person),
    )


def _after_randomisation(request: HttpRequest, person: Participant) -> dict[str, Any]:
    """The stratum as at randomisation and what it should have been, and intercurrent events; nothing before."""
    user = user_of(request)
    allocation = Allocation.objects.filter(participant=person).select_related("stratum").first()
    if allocation is None or allocation.stratum is None:
        return {}
    corrected = told(user, person.stratum_corrections.select_related("stratum")).filter(kept=False).last()
    return {
        "stratum": allocation.stratum.code,
        "corrected_stratum": corrected.stratum.code if corrected and corrected.stratum != allocation.stratum else "",
        "may_correct_stratum": may_correct_stratum(user, person.site),
        "intercurrent_events": told(user, person.intercurrent_events.all()),
        "may_record_event": may_record_intercurrent_event(user, person.site),
    }


def _visits(request: HttpRequest, person: Participant, now: datetime) -> list[Row]:
    definition, user = person.protocol_version.definition, user_of(request)
    sees_unit = may_see_arm_revealing(user, person.site)
    begun = drafts.begun(user, person)
    rows = []
    for visit, forms in forms_of([person], now=now):
        shown = [form for form in forms if sees_unit or not form.arm_revealing]
        rows.append(
            {
                "visit": visit,
                "label": definition.visit(visit.code).label,
                "state": visit_state(visit, shown),
                "forms": [_row(person, form, begun) for form in shown],
            }
        )
    return rows


def _row(person: Participant, form: Form, begun: set[str]) -> Row:
    """A form in the list of its visit: where its page is, and its state; a draft begun by this person is one."""
    return {
        "form": form,
        "url": form_url(person, form),
        "state": "draft" if draft_key(person, form) in begun else form.state,
    }


def draft_key(person: Participant, form: Form) -> str:
    """Under which name the draft of a form is kept."""
    if form.assessment.kind == "instrument":
        return f"response/{person.pk}/{form.visit.code}/{form.slug}"
    if form.assessment.key == "qst":
        return f"qst/{person.pk}/{form.visit.code}"
    return f"findings/{person.pk}/{form.assessment.key}"


def _diary(request: HttpRequest, person: Participant) -> dict[str, Any] | None:
    """The diary at a glance; none where the study keeps none or the person does not enter it."""
    plan = person.protocol_version.definition.diary
    if plan is None or not may_enter_response(user_of(request), person.site):
        return None
    days = Response.objects.filter(participant=person, visit=None, instrument__key=plan.instrument)
    return days.aggregate(count=Count("pk"), last=Max("day"))


def _open_visit(request: HttpRequest, visits: list[Row]) -> Row | None:
    """The visit asked for, else the first with something due now, else what was left open before, else the next."""
    wanted = request.GET.get("visit")
    orders = (
        lambda row: row["visit"].code == wanted,
        lambda row: any(form["form"].state is State.DUE for form in row["forms"]),
        lambda row: row["state"] in ("open", "partial", "overdue"),
        lambda row: row["state"] == "planned",
    )
    last = next((row for row in reversed(visits) if row["state"] != "never"), visits[-1] if visits else None)
    return next((row for order in orders for row in visits if order(row)), last)


def form_url(person: Participant, form: Form) -> str:
    """The page on which a form is filled in; empty for what was told at enrolment."""
    key = form.assessment.key
    if key == "demography":
        return ""
    if form.assessment.kind == "instrument":
        return reverse("admin:response", args=[person.identifier, form.visit.code, form.slug])
    special = {
        "consent": "admin:consent",
        "eligibility": "admin:eligibility",
        "randomisation": "admin:randomise",
        "infusion": "admin:infusion",
        "adverse_events": "admin:adverse_event_new",
    }
    if key in special:
        return reverse(special[key], args=[person.identifier])
    if key == "qst":
        return reverse("admin:qst", args=[person.identifier, form.visit.code])
    return reverse("admin:findings", args=[person.identifier, key])


def _next_step(request: HttpRequest, person: Participant, visits: list[Row]) -> dict[str, str] | None:
    """The biggest thing on the page: what has to happen now, in the order in which a trial goes."""
    user, steps = user_of(request), person.identifier
    if person.status in (
        Participant.Status.SCREEN_FAILURE,
        Participant.Status.WITHDRAWN,
        Participant.Status.COMPLETED,
    ):
        on = f" on {person.ended_on:%-d %b %Y}" if person.ended_on else ""
        # Reasons that programs give are codes.
        reason = f": {person.end_reason.replace('_', ' ')}" if person.end_reason else ""
        return {"text": f"{person.get_status_display()}{on}{reason}. Nothing more is due."}
    if not person.consents.exclude(withdrawal_scope=Consent.Scope.COLLECTION).exists():
        return _step("Nothing may be collected before consent is signed.", "Record consent", "admin:consent", steps)
    decision = EligibilityDecision.objects.filter(participant=person).first()
    if person.status == Participant.Status.SCREENING and person.planned_infusion_on is None:
        return _step(
            "Choose the day of the infusion: the visit windows follow from it.",
            "Plan infusion",
            "admin:plan",
            steps,
        )
    if decision is None:
        standing = in_the_way(person)
        if standing or not may_decide_eligibility(user, person.site):
            named = ", ".join(standing[:MOST_NAMED]) + (" and more" if standing[MOST_NAMED:] else "")
            text = f"Eligibility is open: {named}." if standing else "The investigator decides on eligibility."
            return _step(text, "Open eligibility", "admin:eligibility", steps)
        return _step("Every criterion is fulfilled.", "Decide on eligibility", "admin:eligibility", steps)
    if person.status == Participant.Status.SCREENING:
        return _step(
            f"{person.identifier} is eligible and has consented.",
            "Randomise participant",
            "admin:randomise",
            steps,
        )
    return _next_form([form for row in visits for form in row["forms"]])


def _next_form(forms: list[Row]) -> dict[str, str] | None:
    """The form to fill in next: what is due now comes before what was left open long ago."""
    due, overdue = ([f for f in forms if f["form"].state is state] for state in (State.DUE, State.OVERDUE))
    counts = ((len(due), "due"), (len(overdue), "overdue"))
    first = next(iter(due + overdue), None)
    if first is None:
        return None
    said = ", ".join(f"{count} form{'' if count == 1 else 's'} {word}" for count, word in counts if count)
    return {"text": f"{said}.", "label": f"{first['form'].visit.code}: {first['form'].label}", "url": first["url"]}


def _step(text: str, label: str, url: str, identifier: str) -> dict[str, str]:
    return {"text": text, "label": label, "url": reverse(url, args=[identifier])}
