"""Intercurrent events of a participant: recorded, and corrected with a reason."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from studies import intercurrent_events as verbs
from studies.arm_revealing import require_shown
from studies.models import IntercurrentEvent, Participant
from studies.permissions import may_record_intercurrent_event, require
from trialsite.desk import drafts
from trialsite.desk.fields import DayField, DeskForm
from trialsite.desk.page import find_participant, shows_refusals, user_of
from trialsite.desk.steps import entry

ABOUT = "A dated event after randomisation that changes what a value means. It deletes no data: go on collecting."


class EventForm(DeskForm):
    event = forms.ChoiceField(label="Event", widget=forms.RadioSelect)
    description = forms.CharField(label="What was taken or done, and how much", max_length=300)
    started_on = DayField(label="First day")
    ended_on = DayField(label="Last day", required=False, help_text="Leave empty while it goes on")
    source = forms.ChoiceField(label="Known from", choices=IntercurrentEvent.Source.choices, widget=forms.RadioSelect)

    def __init__(self, *args: Any, person: Participant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plans = verbs.recordable_events(person)
        self.fields["event"].choices = [(p.id, f"{p.id}: {p.event}") for p in plans]  # type: ignore[attr-defined]


class CorrectionForm(EventForm):
    reason = forms.CharField(label="Reason for the change", max_length=200)


@shows_refusals
def record(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_record_intercurrent_event(user_of(request), person.site), "record intercurrent events here")

    def save(given: dict[str, Any]) -> str:
        event = verbs.record(user_of(request), participant=person, entry=verbs.IntercurrentEventEntry(**given))
        return f"{event} recorded."

    draft = f"intercurrent_event/{person.pk}"
    drafted = drafts.find(user_of(request), draft)
    form = EventForm(request.POST or None, person=person, initial=drafts.content(drafted))
    return entry(
        request,
        person,
        form,
        save,
        title="Record an intercurrent event",
        button="Record event",
        about=ABOUT,
        draft=draft,
        drafted=drafted,
    )


@shows_refusals
def correct(request: HttpRequest, identifier: str, pk: int) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_record_intercurrent_event(user_of(request), person.site), "correct intercurrent events here")
    require_shown(user_of(request), person, "intercurrentevent")
    event = get_object_or_404(person.intercurrent_events.all(), pk=pk)
    event.participant = person

    def save(given: dict[str, Any]) -> str:
        reason = given.pop("reason")
        verbs.correct(user_of(request), event=event, reason=reason, changes=given)
        return f"{event} changed; the old entries stay in the history."

    initial = {name: getattr(event, name) for name in EventForm.base_fields}
    form = CorrectionForm(request.POST or None, person=person, initial=initial)
    about = f"Entered by {event.entered_by}."
    return entry(request, person, form, save, title=str(event), button="Save change", about=about)
