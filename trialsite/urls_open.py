"""The open door: the admin site for those who conduct the trial, and the REST API."""

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from trialsite.health import healthz, readyz

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", admin.site.urls),
    path("healthz", healthz),
    path("readyz", readyz),
]
