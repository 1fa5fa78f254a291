"""The open door: the admin site for those who conduct the trial, and the REST API."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from trialsite import health

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    # Browsers ask for it beside every page that names no icon of its own.
    path("favicon.ico", RedirectView.as_view(url=f"/{settings.STATIC_URL.lstrip('/')}trialsite/icon.svg")),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("api/v1/", include("trialsite.urls_api")),
    path("p/", include("trialsite.participant_door.urls")),
    path("admin/", admin.site.urls),
]
handler404 = "trialsite.outside.not_found"
