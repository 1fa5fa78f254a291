"""The admin site of the open door: Django's engine, with the trial as its navigation."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path
from rest_framework.authtoken.models import Token

from trialsite.desk import (
    course,
    data,
    design,
    diary,
    drafts,
    eligibility,
    history,
    imports,
    infusion,
    intercurrent,
    own_form,
    participant,
    participants,
    people,
    qst_devices,
    qst_form,
    qst_import,
    reports,
    response_form,
    safety,
    self_completion,
    steps,
    stratum,
    study,
    today,
)
from trialsite.desk.page import View, rooms

PERSON = "participants/<str:identifier>/"
PAGES: list[tuple[str, View, str]] = [
    ("participants/", participants.participants, "participants"),
    ("participants/enrol/", participants.enrol_page, "enrol"),
    (PERSON, participant.participant, "participant"),
    (PERSON + "history/", history.history, "history"),
    (PERSON + "consent/", steps.consent, "consent"),
    (PERSON + "consent/withdraw/", steps.withdraw_consent, "withdraw_consent"),
    (PERSON + "contact/", steps.contact, "contact"),
    (PERSON + "plan/", steps.plan, "plan"),
    (PERSON + "randomise/", steps.randomise_page, "randomise"),
    (PERSON + "stratum/", stratum.stratum, "stratum"),
    (PERSON + "leave/", steps.leave, "leave"),
    (PERSON + "eligibility/", eligibility.eligibility, "eligibility"),
    (PERSON + "findings/<slug:form>/", eligibility.findings, "findings"),
    (PERSON + "infusion/", infusion.infusion, "infusion"),
    (PERSON + "adverse-events/new/", safety.report, "adverse_event_new"),
    (PERSON + "adverse-events/<int:number>/", safety.correct, "adverse_event"),
    (PERSON + "intercurrent-events/new/", intercurrent.record, "intercurrent_event_new"),
    (PERSON + "intercurrent-events/<int:pk>/", intercurrent.correct, "intercurrent_event"),
    (PERSON + "visits/<slug:visit>/start/", steps.start_visit, "visit_start"),
    (PERSON + "visits/<slug:visit>/missed/", steps.visit_missed, "visit_missed"),
    (PERSON + "visits/<slug:visit>/not-missed/", steps.visit_not_missed, "visit_not_missed"),
    (PERSON + "visits/<slug:visit>/qst/", qst_form.qst, "qst"),
    (PERSON + "visits/<slug:visit>/qst/compute/", qst_form.compute, "qst_compute"),
    (PERSON + "visits/<slug:visit>/forms/<str:slug>/", response_form.response, "response"),
    ("infusions/", infusion.infusions, "infusions"),
    ("safety/", safety.safety, "safety"),
    ("alerts/<int:pk>/", safety.alert, "alert"),
    ("drafts/", drafts.keep, "draft"),
    *diary.urls,
    *own_form.urls,
    *self_completion.urls,
    *data.urls,
    *imports.urls,
    *reports.urls,
    *design.urls,
    *study.urls,
    *course.urls,
    *qst_devices.urls,
    *qst_import.urls,
    *people.urls,
]


class TrialsiteAdminSite(AdminSite):
    site_header = "Trialsite"
    site_title = "Trialsite"
    index_title = "All records"
    login_template = "desk/login.html"
    enable_nav_sidebar = False

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """All but tokens: whoever reads or makes another's token acts in that name, and sees what that person sees."""
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else list(model_or_iterable)
        super().register([model for model in models if not issubclass(model, Token)], admin_class, **options)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override]
        return today.today(request)

    def all_records(self, request: HttpRequest) -> HttpResponse:
        """Lists of bare records, for those who may see them: Django's own index."""
        return super().index(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What Django's own pages are given: the same rooms as the desk's."""
        return {**super().each_context(request), "rooms": rooms()}

    def get_urls(self) -> list[URLPattern | URLResolver]:
        pages = [path(route, self.admin_view(view), name=name) for route, view, name in PAGES]
        records = path("records/", self.admin_view(self.all_records), name="records")
        return [*pages, records, *super().get_urls()]
