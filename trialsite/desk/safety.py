"""Safety: adverse events and alerts to the physician."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone

from outcomes.alert_people import nobody_was_mailed, people_for
from outcomes.arm_revealing import visible_alerts
from studies import adverse_events, alerts
from studies.arm_revealing import kept_values, require_shown, told
from studies.errors import TrialError
from studies.models import AdverseEvent
from studies.permissions import (
    may_acknowledge_alert,
    may_report_adverse_event,
    of_visible_participants,
    require,
)
from trialsite.desk import drafts
from trialsite.desk.fields import DeskForm
from trialsite.desk.page import find_participant, in_sight, page, say, show_on, shows_refusals, user_of
from trialsite.desk.steps import entry
from trialsite.desk.today import alert_rows, alert_text

PER_PAGE = 50


@shows_refusals
def safety(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    visible = told(user, AdverseEvent.objects.filter(of_visible_participants(user)))
    # In order of what is kept, the order would tell it.
    order = ("-id",) if kept_values(user, AdverseEvent) else ("-serious", "-id")
    events = visible.select_related("participant__site").order_by(*order)
    if request.GET.get("serious"):
        events = events.filter(serious=True, kept=False)
    open_alerts = visible_alerts(user).filter(acknowledged_at__isnull=True)
    return page(
        request,
        "safety.html",
        room="safety",
        title="Safety",
        alerts=alert_rows(open_alerts, timezone.now()),
        found=Paginator(events, PER_PAGE).get_page(request.GET.get("page")),
    )


class AdverseEventForm(DeskForm):
    term = forms.CharField(label="What happened", max_length=200, help_text="In the words it was told")
    started_on = forms.CharField(label="Started on", help_text="2026-11-24; or 2026-11 or 2026 if the day is not known")
    ended_on = forms.CharField(label="Ended on", required=False, help_text="Leave empty while it goes on")
    grade = forms.TypedChoiceField(
        label="Severity (CTCAE grade)",
        choices=[
            (1, "1 mild"),
            (2, "2 moderate"),
            (3, "3 severe"),
            (4, "4 life-threatening"),
            (5, "5 death"),
        ],
        coerce=int,
        widget=forms.RadioSelect,
    )
    seriousness = forms.MultipleChoiceField(
        label="Serious because of",
        choices=list(adverse_events.SERIOUSNESS.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Severity is not seriousness: leave all empty if it is not serious",
    )
    relatedness = forms.ChoiceField(
        label="Related to the study drug", choices=AdverseEvent.Relatedness.choices, widget=forms.RadioSelect
    )
    outcome = forms.ChoiceField(choices=AdverseEvent.Outcome.choices, widget=forms.RadioSelect)


class CorrectionForm(AdverseEventForm):
    reason = forms.CharField(label="Reason for the change", max_length=200)


@shows_refusals
def report(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_report_adverse_event(user_of(request), person.site), "report adverse events here")

    def save(given: dict[str, Any]) -> str:
        entered = adverse_events.AdverseEventEntry(**given, serious=bool(given["seriousness"]))
        event = adverse_events.report(user_of(request), participant=person, entry=entered)
        return f"Adverse event {event.number} reported."

    draft = f"adverse_event/{person.pk}"
    drafted = drafts.find(user_of(request), draft)
    kept = drafts.content(drafted)
    if isinstance(kept.get("seriousness"), str):
        kept["seriousness"] = [kept["seriousness"]]
    form = AdverseEventForm(request.POST or None, initial=kept)
    title = "Report an adverse event"
    return entry(request, person, form, save, title=title, button="Report adverse event", draft=draft, drafted=drafted)


@shows_refusals
def correct(request: HttpRequest, identifier: str, number: int) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_report_adverse_event(user_of(request), person.site), "correct adverse events here")
    require_shown(user_of(request), person, "adverseevent")
    event = get_object_or_404(person.adverse_events.select_related("participant__site"), number=number)

    def save(given: dict[str, Any]) -> str:
        reason = given.pop("reason")
        changes = {**given, "serious": bool(given["seriousness"])}
        adverse_events.correct(user_of(request), adverse_event=event, reason=reason, changes=changes)
        return f"Adverse event {number} changed; the old entries stay in the history."

    names = AdverseEventForm.base_fields
    form = CorrectionForm(request.POST or None, initial={name: getattr(event, name) for name in names})
    about = f"Entered by {event.entered_by}."
    return entry(request, person, form, save, title=f"Adverse event {number}", button="Save change", about=about)


class AcknowledgeForm(DeskForm):
    action_taken = forms.CharField(label="What was done", widget=forms.Textarea)


@shows_refusals
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    rows = visible_alerts(user_of(request)).select_related("participant__site", "participant__protocol_version")
    found = get_object_or_404(rows, pk=pk)
    person = find_participant(request, found.participant.identifier)
    form = AcknowledgeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            alerts.acknowledge(user_of(request), alert=found, action_taken=form.cleaned_data["action_taken"])
        except TrialError as error:
            show_on(form, error)
        else:
            say(request, "Alert acknowledged.")
            return redirect("admin:safety")
    not_mailed = nobody_was_mailed(found, at=timezone.now())
    return page(
        request,
        "alert.html",
        room="safety",
        title="Alert",
        status=422 if form.errors else 200,
        **in_sight(request, person),
        alert=found,
        text=alert_text(found),
        not_mailed=not_mailed,
        to_be_told=people_for(found) if not_mailed else [],
        form=form,
        may_acknowledge=may_acknowledge_alert(user_of(request), person.site),
        back=reverse("admin:safety"),
    )
