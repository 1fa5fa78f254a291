"""The admin site of the open door: Django's engine, with the trial as its navigation."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path
from rest_framework.authtoken.models import Token


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
        from trialsite.desk import today  # noqa: PLC0415 - as in get_urls

        return today.today(request)

    def all_records(self, request: HttpRequest) -> HttpResponse:
        """Lists of bare records, for those who may see them: Django's own index."""
        return super().index(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What Django's own pages are given: the same rooms as the desk's."""
        from trialsite.desk.page import rooms  # noqa: PLC0415 - as in get_urls

        return {**super().each_context(request), "rooms": rooms()}

    def get_urls(self) -> list[URLPattern | URLResolver]:
        # Whatever starts has this site; only what answers requests needs its pages, and what they bring along.
        from trialsite.desk.urls import PAGES  # noqa: PLC0415

        pages = [path(route, self.admin_view(view), name=name) for route, view, name in PAGES]
        records = path("records/", self.admin_view(self.all_records), name="records")
        # No record has an address of its own outside; the view would look up any row of any table by its key.
        stock = [each for each in super().get_urls() if getattr(each, "name", "") != "view_on_site"]
        return [*pages, records, *stock]
