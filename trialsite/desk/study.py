"""Study: protocol versions, sites and people, to read."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from studies.models import Membership, ProtocolVersion, Site, Study, User
from studies.permissions import visible_sites, visible_studies
from trialsite.desk.api_page import api
from trialsite.desk.page import View, page, user_of


def study(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    studies = [_about(user, each) for each in visible_studies(user).order_by("pk")]
    return page(request, "study.html", room="study", title="Study", studies=studies)


def protocol(request: HttpRequest, code: str, version: str) -> HttpResponse:
    """A protocol version as it was loaded."""
    studies = visible_studies(user_of(request)).filter(code=code)
    found = get_object_or_404(ProtocolVersion, study__in=studies, version=version)
    return HttpResponse(found.source, content_type="text/plain; charset=utf-8")


def _about(user: User, study: Study) -> dict[str, Any]:
    versions = list(study.protocol_versions.order_by("-pk"))
    return {
        "study": study,
        "versions": versions,
        "planned": versions[0].definition.planned_participants if versions else None,
        "plans": study.plans.order_by("-pk"),
        "sites": _sites(user, study),
        "people": _people(user, study),
    }


def _sites(user: User, study: Study) -> QuerySet[Site]:
    sites = visible_sites(user).filter(study=study).order_by("pk")
    return sites.annotate(
        enrolled=Count("participants"),
        randomised=Count("participants", filter=Q(participants__allocation__isnull=False)),
    )


def _people(user: User, study: Study) -> QuerySet[Membership]:
    """Who works in the study now: at the sites in sight, and everywhere."""
    current = Membership.objects.filter(study=study, ended_at__isnull=True, user__is_active=True)
    in_sight = current.filter(Q(site=None) | Q(site__in=visible_sites(user)))
    return in_sight.select_related("user", "site").order_by("site__code", "role", "user__username")


urls: list[tuple[str, View, str]] = [
    ("study/", study, "study"),
    ("study/<slug:code>/protocol/<str:version>/", protocol, "protocol"),
    ("study/api/", api, "api"),
]
