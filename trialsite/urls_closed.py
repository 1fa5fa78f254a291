"""The closed door: closed results for the DSMB, the unblinded statistician and the pharmacist."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
