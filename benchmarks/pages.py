"""The pages of a coordinator's day on the demo trial: server time, without the network."""

from __future__ import annotations

from collections.abc import Iterator

from django.test import Client

from benchmarks.measuring import Line, alone
from studies.models import Participant, User

LIMIT = 0.3  # seconds


def measure(rounds: int = 15) -> Iterator[Line]:
    """The median of each page."""
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(username="coordinator"), backend="django.contrib.auth.backends.ModelBackend")
    person = Participant.objects.filter(site__code="BER", status="completed").order_by("pk")[0].identifier
    pages = {
        "today": "/admin/",
        "the participants, with all visits": "/admin/participants/",
        "a participant": f"/admin/participants/{person}/",
        "a form": f"/admin/participants/{person}/visits/BL/forms/bpi_sf/",
        "a QST session": f"/admin/participants/{person}/visits/BL/qst/",
        "the history of a participant": f"/admin/participants/{person}/history/",
        "safety": "/admin/safety/",
    }
    for name, path in pages.items():
        yield Line(f"page: {name}", alone(lambda path=path: _get(client, path), rounds=rounds), seconds_limit=LIMIT)


def _get(client: Client, path: str) -> None:
    answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}.")
