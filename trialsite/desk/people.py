"""People: accounts and roles, for the system administrator."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect

from outcomes.alert_people import sites_out_of_reach
from studies.errors import InvalidEntry, TrialError
from studies.models import Membership, Role, Site, Study, User
from studies.people import end_role, give_address, give_role, make_account
from studies.permissions import administered_studies, require
from trialsite.desk.fields import DeskForm
from trialsite.desk.page import View, page, say, show_on, shows_refusals, user_of, warn


class RoleForm(DeskForm):
    """A role for somebody, who gets an account if there is none yet."""

    username = forms.CharField(label="User name", max_length=150, help_text="Never used again for another person")
    name = forms.CharField(required=False, help_text="For a new account")
    password = forms.CharField(required=False, widget=forms.PasswordInput, help_text="For a new account: 12 characters")
    email = forms.CharField(
        label="E-mail", required=False, max_length=254, help_text="For a new account: where alerts are sent"
    )
    study = forms.ModelChoiceField(Study.objects.none(), empty_label=None)
    site = forms.ModelChoiceField(Site.objects.none(), required=False, empty_label="All sites")
    role = forms.ChoiceField(choices=Role.choices)


class AddressForm(DeskForm):
    """Where somebody's alerts are sent."""

    person = forms.ModelChoiceField(User.objects.none(), empty_label=None)
    email = forms.CharField(label="E-mail", max_length=254)


@shows_refusals
def people(request: HttpRequest) -> HttpResponse:
    studies = administered_studies(user_of(request))
    require(studies.exists(), "manage people")
    form = _role_form(request.POST or None, studies)
    if request.method == "POST" and form.is_valid():
        try:
            say(request, _give(user_of(request), form.cleaned_data))
        except TrialError as error:
            show_on(form, error)
        else:
            return redirect("admin:people")
    return _page(request, studies, form, _address_form(None, studies))


def _role_form(posted: QueryDict | None, studies: QuerySet[Study]) -> RoleForm:
    form = RoleForm(posted)
    form.fields["study"].queryset = studies  # type: ignore[attr-defined]
    form.fields["site"].queryset = Site.objects.filter(study__in=studies)  # type: ignore[attr-defined]
    return form


def _address_form(posted: QueryDict | None, studies: QuerySet[Study]) -> AddressForm:
    form = AddressForm(posted, auto_id="address_%s")
    held = Membership.objects.filter(study__in=studies, ended_at__isnull=True)
    form.fields["person"].queryset = User.objects.filter(pk__in=held.values("user")).order_by("username")  # type: ignore[attr-defined]
    return form


@shows_refusals
def address(request: HttpRequest) -> HttpResponse:
    """Give somebody an e-mail address."""
    studies = administered_studies(user_of(request))
    require(studies.exists(), "manage people")
    if request.method != "POST":
        return redirect("admin:people")
    form = _address_form(request.POST, studies)
    if form.is_valid():
        try:
            person = give_address(user_of(request), **form.cleaned_data)
        except TrialError as error:
            show_on(form, error)
        else:
            say(request, f"Alerts for {person.username} are sent to {person.email} now.")
            return redirect("admin:people")
    return _page(request, studies, _role_form(None, studies), form)


def _page(request: HttpRequest, studies: QuerySet[Study], form: RoleForm, addresses: AddressForm) -> HttpResponse:
    members = Membership.objects.filter(study__in=studies, ended_at__isnull=True)
    return page(
        request,
        "people.html",
        room="study",
        title="People",
        status=422 if form.errors or addresses.errors else 200,
        form=form,
        addresses=addresses,
        out_of_reach=sites_out_of_reach(studies),
        members=members.select_related("user", "study", "site").order_by("study", "user__username", "role"),
    )


def _give(administrator: User, given: dict[str, Any]) -> str:
    person = User.objects.filter(username=given["username"]).first()
    if person is None:
        if not given["password"]:
            raise InvalidEntry(f"There is no account {given['username']}; a password makes one.", field="password")
        person = make_account(
            administrator,
            study=given["study"],
            username=given["username"],
            name=given["name"],
            password=given["password"],
            email=given["email"],
        )
    member = give_role(administrator, person=person, study=given["study"], site=given["site"], role=given["role"])
    return f"{person.username} is {member.get_role_display().lower()} now."


@shows_refusals
def end(request: HttpRequest, pk: int) -> HttpResponse:
    members = Membership.objects.filter(study__in=administered_studies(user_of(request))).select_related("study")
    member = get_object_or_404(members, pk=pk)
    if request.method == "POST":
        try:
            end_role(user_of(request), membership=member, reason=request.POST.get("reason", ""))
        except TrialError as error:
            warn(request, error.message)
        else:
            say(request, f"{member.user.username} is no longer {member.get_role_display().lower()}.")
    return redirect("admin:people")


urls: list[tuple[str, View, str]] = [
    ("people/", people, "people"),
    ("people/address/", address, "people_address"),
    ("people/<int:pk>/end/", end, "people_end"),
]
