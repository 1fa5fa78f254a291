"""A phone at the participants' door, without a screen: what its script sends, and where things are."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from django.test import Client
from django.utils import timezone

from outcomes.models import Invitation
from tests.outcomes.diary_keeper import Keeper

FORM, ANSWERS, DONE, ENTRANCE = "/p/form/", "/p/answers/", "/p/done/", "/p/"


def path_of(keeper: Keeper, invitation: Invitation) -> str:
    """A new link to a form."""
    return f"/p/{keeper.link(invitation)}/"


def answer(item: str, value: float | None, key: str = "", missing: str | None = None) -> dict[str, Any]:
    """One answer as a device sends it, given a moment ago."""
    at = timezone.now().isoformat()
    return {"key": key or str(uuid4()), "item": item, "value": value, "missing": missing, "at": at, "offset": 60}


def send(phone: Client, *answers: dict[str, Any], sent: bool = False) -> Any:
    """Send answers, and (sent) the form with them."""
    at = timezone.now().isoformat()
    body = {"sent_at": at, "answers": answers, "send": {"at": at, "offset": 60} if sent else None}
    return phone.post(ANSWERS, json.dumps(body), content_type="application/json")
