"""How a saved form was taken: corrected on a page of its own, with a reason. The answers are corrected on theirs."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from outcomes.arm_revealing import visible_responses
from outcomes.circumstances import BY_STAFF, correct_circumstances
from outcomes.models import Response
from outcomes.scoring import load_instrument
from outcomes.wording import languages_of
from studies.permissions import require
from trialsite.desk.fields import MomentField
from trialsite.desk.page import View, find_participant, shows_refusals, user_of
from trialsite.desk.steps import OnTheClock, entry


class TakenForm(OnTheClock):
    """What stands for an empty language is told beside it, and nobody else answered unless it is said."""

    may_be_left_open = True
    completed_at = MomentField(label="Answered on", help_text="On the clock of the site; days late follow from it")
    source = forms.ChoiceField(
        label="Taken",
        choices=[(Response.Source.STAFF.value, "By staff, on the page"), (Response.Source.PAPER.value, "From paper")],
        widget=forms.RadioSelect,
    )
    proxy = forms.ChoiceField(
        label="Answered by",
        required=False,
        choices=[("", "The participant"), *Response.Proxy.choices],
        widget=forms.RadioSelect,
    )
    language = forms.CharField(
        required=False, max_length=11, help_text="Of the words it was read in, such as de; empty: numbers and labels"
    )
    reason = forms.CharField(label="Reason for the change", max_length=200)


@shows_refusals
def taken(request: HttpRequest, identifier: str, pk: int) -> HttpResponse:
    """Correct when, by whom, from what and in which words a form was taken."""
    person, user = find_participant(request, identifier), user_of(request)
    rows = Response.objects.filter(visible_responses(user), participant=person).select_related("instrument", "visit")
    saved = get_object_or_404(rows, pk=pk)
    require(saved.source in BY_STAFF, "change how this form was taken: it did not come by the desk or from paper")
    zone = ZoneInfo(person.site.time_zone)
    before: dict[str, Any] = {
        "completed_at": saved.completed_at.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0),
        **{name: getattr(saved, name) for name in ("source", "proxy", "language")},
    }

    def save(given: dict[str, Any]) -> str:
        reason = given.pop("reason")
        # A minute that was not touched keeps its seconds.
        changed = {name: value for name, value in given.items() if value != before[name]}
        if "completed_at" in changed:
            changed["completed_at"] = changed["completed_at"].replace(tzinfo=zone)
        correct_circumstances(user, response=saved, circumstances=changed, reason=reason)
        return f"How {saved.instrument.name} was taken is changed; what stood there before stays in the history."

    form = TakenForm(request.POST or None, initial=before, person=person)
    if load_instrument(saved.instrument.key, saved.instrument.version).completed_by == "clinician" or saved.respondent:
        del form.fields["proxy"]
    loaded = languages_of(saved.instrument)
    about = f"{saved.instrument.name}, {saved.visit.code if saved.visit else saved.day}."
    about += f" Wording is loaded in {', '.join(loaded)}." if loaded else ""
    return entry(request, person, form, save, title="How this form was taken", button="Save change", about=about)


urls: list[tuple[str, View, str]] = [("participants/<str:identifier>/taken/<int:pk>/", taken, "taken")]
