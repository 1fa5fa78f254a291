"""Two questions of whoever runs the site: does this process live, and can it do its work?

A worker's sign of life is a key at the broker (trialsite/services/alive.py), not a row of a table.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from trialsite.services import alive
from trialsite.services.broker import MESSAGES, SIDES

_log = logging.getLogger(__name__)


@never_cache
@require_safe
def healthz(_: HttpRequest) -> HttpResponse:
    """This process answers; nothing else is asked."""
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_safe
def readyz(_: HttpRequest) -> JsonResponse:
    """200 when the database, the broker and the workers answer, else 503; which of them, but never why."""
    # The closed door works with the unblinded worker only; the open door orders work from all.
    queues = ("unblinded",) if settings.DOOR == "closed" else (*SIDES, MESSAGES)
    found = {"database": _works(_ask_database), "broker": _works(_ask_broker)}
    for queue in queues:
        found[f"{queue} worker"] = _works(partial(alive.lives, settings.REDIS_URL, queue))
    answers = {name: "ok" if works else "down" for name, works in found.items()}
    return JsonResponse(answers, status=200 if all(found.values()) else 503)


def _ask_database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def _ask_broker() -> bool:
    with alive.connect(settings.REDIS_URL) as broker:
        return bool(broker.ping())


def _works(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except (DatabaseError, redis.RedisError):
        _log.exception("A part of the site does not answer.")
        return False
