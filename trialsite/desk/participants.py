"""Participants: the grid of participants and visits, and enrolment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from outcomes.due import forms_of, visit_state
from studies.enrolment import enrol
from studies.errors import TrialError
from studies.models import Participant, Site, Study, User
from studies.permissions import may_enrol, require, visible_participants, visible_sites
from trialsite.desk.fields import DeskForm
from trialsite.desk.page import page, say, show_on, shows_refusals, user_of

PER_PAGE = 50


@shows_refusals
def participants(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    rows = (
        visible_participants(user).select_related("site", "study", "protocol_version").order_by("study", "identifier")
    )
    if text := request.GET.get("q", "").strip():
        rows = rows.filter(
            Q(identifier__icontains=text)
            | Q(allocation__randomisation_number__iexact=text)
            | Q(allocation__kit_number__iexact=text)
        )
    if (site := request.GET.get("site", "")).isdecimal():
        rows = rows.filter(site=int(site))
    if status := request.GET.get("status"):
        rows = rows.filter(status=status)
    found = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    if text and found.paginator.count == 1:
        return redirect("admin:participant", identifier=found[0].identifier)
    query = request.GET.copy()
    query.pop("page", None)
    sites = list(visible_sites(user).select_related("study").order_by("study", "code"))
    return page(
        request,
        "participants.html",
        room="participants",
        title="Participants",
        found=found,
        grid=(grid := _grid(list(found))),
        visit_codes=_visit_codes(grid),
        sites=sites,
        statuses=Participant.Status.choices,
        query=query.urlencode(),
        may_enrol=bool(enrolling_sites(sites, user)),
    )


def enrolling_sites(sites: Iterable[Site], user: User) -> list[Site]:
    """The sites at which the person may enrol: those of studies that are conducted here."""
    return [site for site in sites if may_enrol(user, site) and site.study.origin == Study.Origin.CONDUCTED]


def _grid(rows: list[Participant]) -> list[dict[str, Any]]:
    """Each participant with the state of every visit."""
    now = timezone.now()
    cells: dict[int, list[dict[str, object]]] = {row.pk: [] for row in rows}
    for visit, forms_of_visit in forms_of(rows, now=now):
        cells[visit.participant_id].append({"visit": visit, "state": visit_state(visit, forms_of_visit)})
    return [{"participant": row, "cells": cells[row.pk]} for row in rows]


def _visit_codes(grid: list[dict[str, Any]]) -> list[str]:
    """The heads of the grid's columns; none when studies with different visits are shown together."""
    rows = {tuple(cell["visit"].code for cell in row["cells"]) for row in grid}
    return list(rows.pop()) if len(rows) == 1 else [""] * max((len(row) for row in rows), default=0)


class EnrolForm(DeskForm):
    site = forms.ModelChoiceField(Site.objects.none(), empty_label=None)
    sex = forms.ChoiceField(choices=Participant.Sex.choices, widget=forms.RadioSelect)
    birth = forms.CharField(label="Year of birth", help_text="1974, or year and month: 1974-05")
    name = forms.CharField(required=False, help_text="Kept encrypted, apart from the trial's data")
    telephone = forms.CharField(required=False)
    email = forms.EmailField(required=False)


@shows_refusals
def enrol_page(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    sites = enrolling_sites(visible_sites(user).select_related("study"), user)
    require(bool(sites), "enrol participants")
    form = EnrolForm(request.POST or None)
    field = form.fields["site"]
    field.queryset = Site.objects.filter(pk__in=[site.pk for site in sites]).select_related("study")  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        contact = {name: given[name] for name in ("name", "telephone", "email") if given[name]}
        try:
            enrolled = enrol(user, site=given["site"], sex=given["sex"], birth=given["birth"], contact=contact)
        except TrialError as error:
            show_on(form, error)
        else:
            say(request, f"Enrolled as {enrolled.identifier}. Next: consent.")
            return redirect("admin:participant", identifier=enrolled.identifier)
    return page(
        request,
        "entry.html",
        room="participants",
        title="Enrol a participant",
        status=422 if form.errors else 200,
        form=form,
        save="Enrol participant",
        back=reverse("admin:participants"),
    )
