"""The pages of a day on the demo trial: server time, without the network."""

from __future__ import annotations

from collections.abc import Iterator

from django.test import Client

from benchmarks.measuring import Line, alone
from studies.models import Participant, User

LIMIT = 0.3  # seconds


def measure(rounds: int = 15) -> Iterator[Line]:
    """The median of each page; lists for somebody who sees all sites."""
    person = Participant.objects.filter(site__code="BER", status="completed").order_by("pk")[0].identifier
    pages = {
        "today, all sites": ("datamanager", "/admin/"),
        "participants and visits, all sites": ("datamanager", "/admin/participants/"),
        "a participant": ("coordinator", f"/admin/participants/{person}/"),
        "a form": ("coordinator", f"/admin/participants/{person}/visits/BL/forms/madrs/"),
        "a QST session": ("coordinator", f"/admin/participants/{person}/visits/BL/qst/"),
        "the history of a participant": ("coordinator", f"/admin/participants/{person}/history/"),
        "the course of a study, all sites": ("datamanager", "/admin/study/KALM/course/"),
        "safety, all sites": ("datamanager", "/admin/safety/"),
    }
    clients = {username: _signed_in(username) for username in ("coordinator", "datamanager")}
    for name, (username, path) in pages.items():
        taken = alone(lambda client=clients[username], path=path: _get(client, path), rounds=rounds)
        yield Line(f"page: {name}", taken, seconds_limit=LIMIT)


def _signed_in(username: str) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(username=username), backend="django.contrib.auth.backends.ModelBackend")
    return client


def _get(client: Client, path: str) -> None:
    answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}.")
