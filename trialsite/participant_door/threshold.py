"""Who stands at the door: the device's cookie, the language, the address that failures are counted by.

Whatever does not open a form (used, guessed, expired, taken back) is answered by one and the same page and status.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.crypto import salted_hmac

from outcomes import door_keys, door_limits
from outcomes.contact_preferences import LANGUAGES, language_of
from outcomes.models import DoorKey, Invitation

DEVICE, LANGUAGE, LAYOUT = "trialsite_p", "trialsite_p_language", "trialsite_p_layout"
PATH = "/p/"
LONG = 180 * 24 * 3600
View = Callable[..., HttpResponse]


def at_the_door(view: View) -> View:
    """A page of this door: in the participant's language, kept by nobody on the way, told to nobody."""

    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with translation.override(_chosen_language(request)):
            response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store, private"
        response["Referrer-Policy"] = "same-origin"
        response["X-Robots-Tag"] = "noindex"
        return response

    return shown


def _chosen_language(request: HttpRequest) -> str:
    """The one chosen on this device, else the form's, else the browser's."""
    if (chosen := request.COOKIES.get(LANGUAGE, "")) in LANGUAGES:
        return chosen
    device = device_of(request)
    if device is not None:
        return language_of(device.invitation.participant)
    return "de" if request.headers.get("Accept-Language", "").lower().startswith("de") else LANGUAGES[0]


def device_of(request: HttpRequest) -> DoorKey | None:
    """The key of the device that asks; None without a cookie, or with one that opens nothing."""
    if not hasattr(request, "_door_device"):
        secret = request.COOKIES.get(DEVICE, "")
        found = door_keys.find(DoorKey.Kind.DEVICE, secret, at=timezone.now()) if secret else None
        request._door_device = found  # type: ignore[attr-defined]
    device: DoorKey | None = request._door_device  # type: ignore[attr-defined]
    return device


def shelf_of(invitation: Invitation) -> str:
    """Under what name answers to a form wait on a device: it tells nothing, and is the same after a new link."""
    return salted_hmac("participant door shelf", str(invitation.pk), algorithm="sha256").hexdigest()[:16]


def open_for(response: HttpResponse, secret: str, invitation: Invitation) -> HttpResponse:
    """Give the device its cookie: no script reads it, no other site sends it along."""
    age = int((invitation.expires_at - timezone.now()).total_seconds()) + LONG
    response.set_cookie(
        DEVICE,
        secret,
        max_age=min(age, LONG),
        path=PATH,
        httponly=True,
        secure=settings.PRODUCTION,
        samesite="Lax",
    )
    return response


def remember(response: HttpResponse, name: str, value: str) -> HttpResponse:
    """Keep a choice of language or layout on the device."""
    response.set_cookie(name, value, max_age=LONG, path=PATH, secure=settings.PRODUCTION, samesite="Lax", httponly=True)
    return response


def too_many(request: HttpRequest, at: datetime) -> bool:
    return door_limits.too_many(_address(request), at=at)


def refuse(request: HttpRequest, at: datetime) -> HttpResponse:
    """Count a failure and show the page that says nothing of why."""
    door_limits.count_failure(_address(request), at=at)
    return nothing_here(request, 404)


def nothing_here(request: HttpRequest, status: int) -> HttpResponse:
    """The neutral page. 429 says only that this address, or all together, tried too often."""
    return render(request, "participant_door/nothing_here.html", {"wait": status == 429}, status=status)


def _address(request: HttpRequest) -> str:
    """Where a request comes from. In production the proxy before the door appends it: the last entry is its own."""
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.PRODUCTION else ""
    return forwarded.rpartition(",")[2].strip() or str(request.META.get("REMOTE_ADDR", ""))
