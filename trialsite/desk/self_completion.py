"""What a participant fills in alone: asking for a form, its link and code, wishes, and how the diary is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone

from outcomes import contact_preferences, invitations
from outcomes.compliance import Compliance, compliance_of, weekly_means
from outcomes.diary import day_zero
from outcomes.models import ContactPreference, DoorKey, Invitation, Response
from outcomes.reminders import link_of, mail_link
from studies.errors import TrialError
from studies.models import Installation, Participant, Study
from studies.permissions import may_invite, may_see_identity, may_set_site_contact, require, visible_sites
from trialsite.desk.fields import DeskForm
from trialsite.desk.page import (
    View,
    find_participant,
    in_sight,
    key_in,
    page,
    refusals,
    say,
    show_on,
    shows_refusals,
    user_of,
)

SHOWN = 30


@dataclass(frozen=True, slots=True)
class Card:
    """What the participant's page shows of it at a glance."""

    compliance: Compliance
    waiting: int
    may_ask: bool


def card_of(request: HttpRequest, person: Participant) -> Card | None:
    """None for a study that is not conducted here, and for those who do not work with its participants."""
    if person.study.origin != Study.Origin.CONDUCTED or not may_invite(user_of(request), person.site):
        return None
    waiting = person.invitations.filter(closed_at__isnull=True).count()
    active = person.status in (Participant.Status.SCREENING, Participant.Status.RANDOMISED)
    return Card(compliance_of([person], now=timezone.now())[person.pk], waiting, active)


@shows_refusals
def self_completion(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_invite(user_of(request), person.site), "see or order what this participant fills in")
    shown: dict[str, Any] = {}
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            shown = _act(request, person)
        except TrialError as error:
            errors = refusals(error)
    return _page(request, person, shown, errors)


def _act(request: HttpRequest, person: Participant) -> dict[str, Any]:
    """Do what a button asks for. What opens a form is shown on the answer to it, and never again."""
    user, todo = user_of(request), request.POST.get("do", "")
    if todo == "ask":
        wanted = request.POST.get("form", "")
        offered = invitations.askable(person, now=timezone.now())
        form = next((f for f in offered if f.slug == wanted), None) or invitations.Askable("", "This form")
        invitation = invitations.invite(user, participant=person, form=form)
        if "mail" in request.POST:
            mail_link(user, invitation=invitation)
            say(request, "Sent to the participant's e-mail address. The link works once.")
            return {}
        return {"invitation": invitation, "link": link_of(invitations.make_link(user, invitation=invitation))}
    rows = person.invitations.select_related("instrument", "visit")
    invitation = get_object_or_404(rows, pk=key_in(request, "invitation"))
    if todo == "link":
        return {"invitation": invitation, "link": link_of(invitations.make_link(user, invitation=invitation))}
    if todo == "code":
        return {"invitation": invitation, "code": invitations.make_code(user, invitation=invitation)}
    invitations.revoke(user, invitation=invitation, reason=request.POST.get("reason", ""))
    say(request, "Taken back: nothing opens this form any more.")
    return {}


def _page(request: HttpRequest, person: Participant, shown: dict[str, Any], errors: dict[str, str]) -> HttpResponse:
    now = timezone.now()
    links = DoorKey.objects.filter(invitation=OuterRef("pk"), kind=DoorKey.Kind.LINK, expires_at__gt=now)
    rows = person.invitations.select_related("instrument", "visit", "response").annotate(has_link=Exists(links))
    day0, wished = day_zero(person), contact_preferences.preference_of(person)
    active = person.status in (Participant.Status.SCREENING, Participant.Status.RANDOMISED)
    return page(
        request,
        "self_completion.html",
        room="participants",
        title=f"Filled in by {person.identifier}",
        status=422 if errors else 200,
        **in_sight(request, person),
        offered=invitations.askable(person, now=now) if active else [],
        active=active,
        rows=[_row(invitation, linked=invitation.has_link) for invitation in rows.order_by("-pk")[:SHOWN]],
        compliance=compliance_of([person], now=now)[person.pk],
        weeks=weekly_means(person, day0=day0) if day0 else [],
        preference=wished,
        language=wished.language or contact_preferences.language_of(person),
        zone=contact_preferences.zone_of(person, wished),
        contact=contact_preferences.contact_of(person.site),
        may_set_contact=may_set_site_contact(user_of(request), person.site),
        may_mail=may_see_identity(user_of(request), person.site),
        shown=shown,
        errors=errors,
        door=f"{settings.DOOR_ADDRESS}/p/",
        demonstration=Installation.objects.filter(demonstration=True).exists(),
    )


def _row(invitation: Invitation, *, linked: bool) -> dict[str, Any]:
    """An invitation in the list, with its state in the words and shapes of forms."""
    if invitation.closed_at is not None:
        answered = invitation.response is not None
        partial = answered and invitation.response.status == Response.Status.PARTIAL  # type: ignore[union-attr]
        state = "partial" if partial else "complete" if answered else "not_done"
        return {"invitation": invitation, "state": state, "word": invitation.get_closed_because_display()}
    if invitation.begun_at is not None:
        return {"invitation": invitation, "state": "draft", "word": "Begun, not sent off yet"}
    return {"invitation": invitation, "state": "due", "word": "Not opened yet" if linked else "No link yet"}


class PreferenceForm(DeskForm):
    language = forms.ChoiceField(label="Language", choices=ContactPreference.Language, required=False)
    time_zone = forms.CharField(label="Time zone", required=False, help_text="Empty: that of the site.")
    reminders = forms.BooleanField(label="Remind by e-mail on evenings without an entry", required=False)
    remind_at = forms.TimeField(label="Remind at", widget=forms.TimeInput(attrs={"type": "time"}))
    quiet_from = forms.TimeField(label="Quiet from", widget=forms.TimeInput(attrs={"type": "time"}))
    quiet_to = forms.TimeField(label="Quiet until", widget=forms.TimeInput(attrs={"type": "time"}))


@shows_refusals
def preference(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_invite(user_of(request), person.site), "enter this participant's wishes")
    wished = contact_preferences.preference_of(person)
    form = PreferenceForm(request.POST or None, initial={name: getattr(wished, name) for name in _WISHES})
    if request.method == "POST" and form.is_valid():
        try:
            contact_preferences.save_preference(user_of(request), participant=person, **form.cleaned_data)
        except TrialError as error:
            show_on(form, error)
        else:
            say(request, "Wishes saved.")
            return redirect("admin:self_completion", person.identifier)
    about = "Times are on the participant's own clock. Reminders go to the e-mail address of the contact details."
    back = reverse("admin:self_completion", args=[identifier])
    return _entry(request, form, f"Wishes of {person.identifier}", about, back, **in_sight(request, person))


_WISHES = ("language", "time_zone", "reminders", "remind_at", "quiet_from", "quiet_to")


class SiteContactForm(DeskForm):
    telephone = forms.CharField(label="Telephone that participants call", max_length=40, required=False)
    help_line = forms.CharField(
        label="Help line",
        max_length=200,
        required=False,
        help_text="Shown beside every question about suicidal thoughts, as a sentence with its number.",
    )


@shows_refusals
def site_contact(request: HttpRequest, pk: int) -> HttpResponse:
    site = get_object_or_404(visible_sites(user_of(request)), pk=pk)
    require(may_set_site_contact(user_of(request), site), "enter whom the participants of this site call")
    known = contact_preferences.contact_of(site)
    initial = {"telephone": known.telephone, "help_line": known.help_line}
    form = SiteContactForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            contact_preferences.save_site_contact(user_of(request), site=site, **form.cleaned_data)
        except TrialError as error:
            show_on(form, error)
        else:
            say(request, f"Saved: participants of {site.code} see it from now on.")
            return redirect("admin:study")
    return _entry(request, form, f"Whom participants of {site.code} call", site.name, reverse("admin:study"))


def _entry(request: HttpRequest, form: DeskForm, title: str, about: str, back: str, **context: Any) -> HttpResponse:
    status = 422 if form.errors else 200
    shown = {"form": form, "save": "Save", "about": about, "back": back, **context}
    return page(request, "entry.html", room="participants", title=title, status=status, **shown)


PERSON = "participants/<str:identifier>/"
urls: list[tuple[str, View, str]] = [
    (PERSON + "self-completion/", self_completion, "self_completion"),
    (PERSON + "wishes/", preference, "preference"),
    ("sites/<int:pk>/contact/", site_contact, "site_contact"),
]
