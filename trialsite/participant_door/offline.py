"""The program in the participant's browser that opens the form without a connection, and the page of all others."""

from __future__ import annotations

import json
from hashlib import sha256

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from trialsite.participant_door.threshold import at_the_door

SHELL = ("trialsite/door.css", "trialsite/door.js", "trialsite/icon.svg")


@require_safe
@at_the_door
def worker(request: HttpRequest) -> HttpResponse:
    """The worker's script. It lies below /p/, so that it reaches these pages and no others.

    Its version follows from the files it keeps and the language: a new release or another language makes it new.
    """
    shell = json.dumps([static(name) for name in SHELL])
    version = sha256(f"{shell} {get_language()}".encode()).hexdigest()[:12]
    context = {"shell": shell, "version": version}
    return render(request, "participant_door/worker.js", context, content_type="text/javascript; charset=utf-8")


@require_safe
@at_the_door
def no_connection(request: HttpRequest) -> HttpResponse:
    """What the worker shows in place of a page that needs a connection."""
    return render(request, "participant_door/offline.html")
