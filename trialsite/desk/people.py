"""People: accounts and roles, for the system administrator."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from studies.errors import InvalidEntry, TrialError
from studies.models import Membership, Role, Site, Study, User
from studies.people import end_role, give_role, make_account
from studies.permissions import administered_studies, require
from trialsite.desk.fields import DeskForm
from trialsite.desk.page import View, page, say, show_on, shows_refusals, user_of, warn


class RoleForm(DeskForm):
    """A role for somebody, who gets an account if there is none yet."""

    username = forms.CharField(label="User name", max_length=150, help_text="Never used again for another person")
    name = forms.CharField(required=False, help_text="For a new account")
    password = forms.CharField(required=False, widget=forms.PasswordInput, help_text="For a new account: 12 characters")
    study = forms.ModelChoiceField(Study.objects.none(), empty_label=None)
    site = forms.ModelChoiceField(Site.objects.none(), required=False, empty_label="All sites")
    role = forms.ChoiceField(choices=Role.choices)


@shows_refusals
def people(request: HttpRequest) -> HttpResponse:
    studies = administered_studies(user_of(request))
    require(studies.exists(), "manage people")
    form = RoleForm(request.POST or None)
    form.fields["study"].queryset = studies  # type: ignore[attr-defined]
    form.fields["site"].queryset = Site.objects.filter(study__in=studies)  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid():
        try:
            say(request, _give(user_of(request), form.cleaned_data))
        except TrialError as error:
            show_on(form, error)
        else:
            return redirect("admin:people")
    members = Membership.objects.filter(study__in=studies, ended_at__isnull=True)
    return page(
        request,
        "people.html",
        room="study",
        title="People",
        status=422 if form.errors else 200,
        form=form,
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


urls: list[tuple[str, View, str]] = [("people/", people, "people"), ("people/<int:pk>/end/", end, "people_end")]
