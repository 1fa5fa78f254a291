"""The closed door: closed results for the DSMB, the unblinded statistician and the pharmacist."""

from django.urls import path

from trialsite.health import healthz, readyz

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
]
