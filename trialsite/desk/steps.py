"""The steps from consent to randomisation and to the end of a participation, each a small form over its verb."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone

from studies import consents, enrolment, participation, visits
from studies.errors import InvalidEntry, NotAllowed, TrialError
from studies.models import Consent, Draft, Participant
from studies.permissions import may_obtain_consent, may_plan_visits, may_randomise, require
from studies.randomisation_desk import randomise
from trialsite.desk import drafts
from trialsite.desk.fields import DayField, DeskForm, MomentField
from trialsite.desk.page import find_participant, in_sight, page, say, show_on, shows_refusals, user_of, warn

Saves = Callable[[dict[str, Any]], str]


def entry(
    request: HttpRequest,
    person: Participant,
    form: forms.Form,
    save: Saves,
    *,
    title: str,
    button: str,
    about: str = "",
    draft: str = "",
    drafted: Draft | None = None,
) -> HttpResponse:
    """A page with one form. `save` calls the verb with what was typed and returns what to say afterwards.

    draft: under which name what is typed is kept until it is saved; drafted: what was kept, which the form starts from.
    """
    back = reverse("admin:participant", args=[person.identifier])
    if draft and drafts.discarded(request, draft):
        return redirect(request.path)
    if request.method == "POST" and form.is_valid():
        try:
            said = save(form.cleaned_data)
        except TrialError as error:
            show_on(form, error)
        else:
            drafts.forget(user_of(request), draft)
            say(request, said)
            return redirect(back)
    if draft and form.errors:
        drafts.keep_typed(request, draft)
    return page(
        request,
        "entry.html",
        room="participants",
        title=title,
        status=422 if form.errors else 200,
        **in_sight(request, person),
        form=form,
        save=button,
        about=about,
        back=back,
        draft=draft and reverse("admin:draft") + f"?form={draft}",
        drafted=drafted if request.method == "GET" else None,
    )


class OnTheClock(DeskForm):
    """A form whose times are typed on the clock of the participant's site."""

    def __init__(self, *args: Any, person: Participant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = ZoneInfo(person.site.time_zone)

    def moment(self, name: str) -> datetime:
        typed: datetime = self.cleaned_data[name]
        return typed.replace(tzinfo=self.zone)

    def now(self) -> str:
        return f"{timezone.now().astimezone(self.zone):%Y-%m-%dT%H:%M}"


class ConsentForm(OnTheClock):
    version = forms.ChoiceField(label="Version signed")
    signed_at = MomentField(label="Signed on")
    age_years = forms.IntegerField(
        label="Age on that day", required=False, help_text="Only where the year and month of birth leave it open"
    )

    def __init__(self, *args: Any, person: Participant, **kwargs: Any) -> None:
        super().__init__(*args, person=person, **kwargs)
        versions = person.protocol_version.definition.consent
        self.fields["version"].choices = [(v.version, v.version) for v in reversed(versions)]  # type: ignore[attr-defined]
        self.fields["signed_at"].initial = self.now()
        self.fields["signed_at"].help_text = f"On the clock of the site ({self.zone})"


@shows_refusals
def consent(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_obtain_consent(user_of(request), person.site), "record a consent here")
    form = ConsentForm(request.POST or None, person=person)

    def save(given: dict[str, Any]) -> str:
        consents.sign_consent(
            user_of(request),
            participant=person,
            version=given["version"],
            signed_at=form.moment("signed_at"),
            age_years=given["age_years"],
        )
        return "Consent recorded. What may be collected follows from it."

    return entry(request, person, form, save, title="Record a consent", button="Record consent")


class WithdrawalForm(OnTheClock):
    scope = forms.ChoiceField(label="What is withdrawn", choices=Consent.Scope.choices, widget=forms.RadioSelect)
    withdrawn_at = MomentField(label="Withdrawn on")
    reason = forms.CharField(label="Reason", help_text="As far as the participant gives one", max_length=200)
    confirm = forms.CharField(label="Type the participant's identifier to confirm")


@shows_refusals
def withdraw_consent(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_obtain_consent(user_of(request), person.site), "record a withdrawal of consent here")
    signed = consents.withdrawable(person, Consent.Scope.COLLECTION).last()
    if signed is None:
        raise Http404
    form = WithdrawalForm(request.POST or None, person=person)

    def save(given: dict[str, Any]) -> str:
        require_confirmed(person, given["confirm"])
        consents.withdraw_consent(
            user_of(request),
            consent=signed,
            scope=given["scope"],
            withdrawn_at=form.moment("withdrawn_at"),
            reason=given["reason"],
        )
        return "Withdrawal recorded."

    about = f"This ends the consent of {person.identifier} to version {signed.version}. What was collected stays."
    return entry(
        request,
        person,
        form,
        save,
        title="Record a withdrawal of consent",
        button="Record withdrawal",
        about=about,
    )


def require_confirmed(person: Participant, typed: str) -> None:
    """A dangerous step is taken for the participant whose number is typed, not for an OK. Raises InvalidEntry."""
    if typed.strip() != person.identifier:
        met = f"{typed.strip()!r} was typed" if typed.strip() else "Nothing was typed"
        raise InvalidEntry(
            f"{met}; this page is about {person.identifier}. Type that identifier to confirm.", field="confirm"
        )


class PlanForm(DeskForm):
    on = DayField(label="Day of the infusion")


@shows_refusals
def plan(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_plan_visits(user_of(request), person.site), "plan visits here")

    def save(given: dict[str, Any]) -> str:
        visits.schedule_infusion(user_of(request), participant=person, on=given["on"])
        return "Infusion planned. The visit windows follow from it."

    form = PlanForm(request.POST or None, initial={"on": person.planned_infusion_on})
    return entry(request, person, form, save, title="Plan the infusion", button="Plan infusion")


class RandomiseForm(DeskForm):
    confirm = forms.CharField(label="Type the participant's identifier to confirm")


@shows_refusals
def randomise_page(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_randomise(user_of(request), person.site), f"randomise at site {person.site.code}")

    def save(given: dict[str, Any]) -> str:
        require_confirmed(person, given["confirm"])
        allocation = randomise(user_of(request), participant=person)
        return f"Randomised: number {allocation.randomisation_number}, kit {allocation.kit_number}."

    about = (
        f"{person.identifier} gets the next row of the randomisation list of the stratum. This cannot be undone."
        " The page answers with the randomisation number and the kit number."
    )
    form = RandomiseForm(request.POST or None)
    return entry(
        request,
        person,
        form,
        save,
        title="Randomise participant",
        button="Randomise participant",
        about=about,
    )


@shows_refusals
def start_visit(request: HttpRequest, identifier: str, visit: str) -> HttpResponse:
    person = find_participant(request, identifier)
    found = get_object_or_404(person.visits.select_related("participant__site"), code=visit)
    back = redirect(reverse("admin:participant", args=[identifier]) + f"?visit={visit}")
    if request.method == "POST":
        try:
            started = visits.start_visit(user_of(request), visit=found, started_at=timezone.now())
        except NotAllowed:
            raise
        except TrialError as error:
            warn(request, error.message)
        else:
            said = " It is out of its window: recorded as a deviation." if started.out_of_window else ""
            say(request, f"Visit {visit} started.{said}")
    return back


class MissedForm(DeskForm):
    reason = forms.CharField(label="Why the visit did not take place", max_length=200)


@shows_refusals
def visit_missed(request: HttpRequest, identifier: str, visit: str) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_plan_visits(user_of(request), person.site), "mark a visit as missed here")
    found = get_object_or_404(person.visits.select_related("participant__site"), code=visit)

    def save(given: dict[str, Any]) -> str:
        visits.mark_missed(user_of(request), visit=found, reason=given["reason"])
        return f"Visit {visit} is marked as missed."

    form = MissedForm(request.POST or None)
    return entry(request, person, form, save, title=f"Visit {visit} was missed", button="Mark as missed")


class NotMissedForm(DeskForm):
    reason = forms.CharField(label="Why the visit takes place after all", max_length=200)


@shows_refusals
def visit_not_missed(request: HttpRequest, identifier: str, visit: str) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_plan_visits(user_of(request), person.site), "change a visit here")
    found = get_object_or_404(person.visits.select_related("participant__site"), code=visit)

    def save(given: dict[str, Any]) -> str:
        visits.undo_missed(user_of(request), visit=found, reason=given["reason"])
        return f"Visit {visit} is planned again."

    form = NotMissedForm(request.POST or None)
    return entry(request, person, form, save, title=f"Visit {visit} takes place after all", button="Take back the mark")


class ContactForm(DeskForm):
    name = forms.CharField(required=False)
    telephone = forms.CharField(required=False)
    email = forms.EmailField(required=False)
    address = forms.CharField(required=False, widget=forms.Textarea)
    reason = forms.CharField(label="Reason for the change", max_length=200)


@shows_refusals
def contact(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    known = enrolment.read_contact(user_of(request), participant=person)

    def save(given: dict[str, Any]) -> str:
        details = {name: given[name] for name in ("name", "telephone", "email", "address") if given[name]}
        enrolment.save_contact(user_of(request), participant=person, contact=details, reason=given["reason"])
        return "Contact details saved, encrypted."

    form = ContactForm(request.POST or None, initial=known)
    return entry(request, person, form, save, title="Contact details", button="Save contact details")


class LeaveForm(DeskForm):
    on = DayField(label="Last day in the study")
    reason = forms.CharField(max_length=200, help_text="As far as the participant gives one")
    confirm = forms.CharField(label="Type the participant's identifier to confirm")


@shows_refusals
def leave(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_plan_visits(user_of(request), person.site), "end a participation here")

    def save(given: dict[str, Any]) -> str:
        require_confirmed(person, given["confirm"])
        participation.withdraw(user_of(request), participant=person, on=given["on"], reason=given["reason"])
        return "The participation has ended."

    form = LeaveForm(request.POST or None)
    return entry(request, person, form, save, title="End the participation", button="End participation")
