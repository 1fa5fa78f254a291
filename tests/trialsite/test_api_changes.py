"""Following changes through the API: nobody misses a change, also of a transaction that was slow to end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.test import Client

from studies.acting import Program, acting
from studies.models import Participant, ProtocolVersion
from tests import factories
from trialsite.services.connection import database_url

pytestmark = pytest.mark.django_db(transaction=True)
# Other databases of the same server delay the feed while their transactions are open; they lose nothing.
LONGEST_DELAY = 30.0  # seconds
# A reason for the end goes with an end.
ENDED = {"status": "withdrawn", "ended_on": "2026-01-01"}


@dataclass
class Follower:
    """A program that keeps a copy up to date: it asks for what changed since its last answer."""

    client: Client
    since: int = 0
    copy: dict[str, str] = field(default_factory=dict)
    page_size: int = 100

    def ask(self) -> set[str]:
        """The participants that changed, over all pages; the copy is brought up to date."""
        address: str | None = f"/api/v1/participants/?page_size={self.page_size}&changed_since={self.since}"
        seen, until = set(), self.since
        while address:
            page = self.client.get(address).json()
            for row in page["results"]:
                self.copy[row["identifier"]] = row["end_reason"]
                seen.add(row["identifier"])
            until, address = page["changed_until"], page["next"]
        self.since = until
        return seen

    def ask_until(self, wanted: set[str]) -> set[str]:
        """Ask again and again until everything wanted has come; what came."""
        seen: set[str] = set()
        deadline = time.monotonic() + LONGEST_DELAY
        while not wanted <= seen and time.monotonic() < deadline:
            seen |= self.ask()
        return seen


@pytest.fixture
def version() -> ProtocolVersion:
    return factories.kalm()


@pytest.fixture
def follower(version: ProtocolVersion) -> Follower:
    client = Client()
    person = factories.person("datamanager", version.study, "data_manager")
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return Follower(client)


@pytest.fixture
def people(version: ProtocolVersion, follower: Follower) -> list[Participant]:
    """Three participants that the follower knows already."""
    by = factories.person("ivan", version.study, "investigator", version.study.sites.get(code="BER"))
    made = factories.Participants(version, by)
    participants = [made.ready(version.study.sites.get(code="BER")) for _ in range(3)]
    assert follower.ask_until({p.identifier for p in participants}) == {p.identifier for p in participants}
    return participants


@pytest.fixture
def slow() -> Any:
    """A connection of its own, in the middle of a long transaction."""
    with psycopg.connect(database_url("app", connection.settings_dict["NAME"])) as opened:
        opened.execute(
            "SELECT set_config('trialsite.actor', 'slow', true), set_config('trialsite.reason', 'slow', true)"
        )
        yield opened


def change(database: psycopg.Connection, participant: Participant) -> None:
    ended = "UPDATE studies_participant SET status = 'withdrawn', ended_on = '2026-01-01', end_reason = 'slow'"
    database.execute(f"{ended} WHERE id = %s", [participant.pk])


def change_at_once(participant: Participant) -> None:
    with acting(Program("quick"), "quick"), transaction.atomic():
        Participant.objects.filter(pk=participant.pk).update(end_reason="quick", **ENDED)


def test_a_change_that_began_before_an_answer_and_was_saved_after_it_is_told_later(
    follower: Follower, people: list[Participant], slow: psycopg.Connection
):
    late, quick, _ = people
    change(slow, late)
    change_at_once(quick)
    asked_at = time.time()
    assert late.identifier not in follower.ask()
    slow.commit()
    seen = follower.ask_until({late.identifier, quick.identifier})
    assert seen == {late.identifier, quick.identifier}
    assert follower.copy[late.identifier] == "slow"
    # A clock would have lost it: it was changed before the question and could not be seen then.
    late.refresh_from_db()
    assert late.changed_at.timestamp() < asked_at


def test_what_was_told_is_told_once(follower: Follower, people: list[Participant]):
    change_at_once(people[0])
    assert follower.ask_until({people[0].identifier}) == {people[0].identifier}
    assert follower.ask() == set()


def test_a_change_that_was_taken_back_is_never_told(
    follower: Follower, people: list[Participant], slow: psycopg.Connection
):
    change(slow, people[0])
    slow.rollback()
    change_at_once(people[1])
    assert follower.ask_until({people[1].identifier}) == {people[1].identifier}
    assert follower.copy[people[0].identifier] == ""


def first_of_several_pages(follower: Follower) -> dict[str, Any]:
    """The first page, once the changes are told: a transaction of anybody on the server may hold them back."""
    for _ in range(100):
        page = follower.client.get(f"/api/v1/participants/?page_size=1&changed_since={follower.since}").json()
        if page["next"]:
            return page
        time.sleep(0.1)
    raise AssertionError("The changes were not told within ten seconds.")


def test_what_changes_while_pages_are_read_is_told_by_the_next_question(follower: Follower, people: list[Participant]):
    for participant in people:
        change_at_once(participant)
    follower.page_size = 1
    first = first_of_several_pages(follower)
    change_at_once(people[0])
    assert follower.client.get(first["next"]).json()["changed_until"] == first["changed_until"]
    follower.since = first["changed_until"]
    with acting(Program("quick"), "again"), transaction.atomic():
        Participant.objects.filter(pk=people[0].pk).update(end_reason="again", **ENDED)
    follower.ask_until({people[0].identifier})
    assert follower.copy[people[0].identifier] == "again"
