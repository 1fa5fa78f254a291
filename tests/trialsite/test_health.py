"""/healthz and /readyz: what they ask, and that they say no more than which part is down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.test import Client

from trialsite.services import alive
from trialsite.services.broker import QUEUES
from trialsite.services.connection import redis_url
from trialsite.services.layout import Layout
from trialsite.services.processes import Supervisor
from trialsite.services.servers import remove_site, start_servers


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    """A broker of its own: workers of other tests show their life at the shared one."""
    found = Layout((tmp_path / "var").resolve())
    with Supervisor(found) as supervisor:
        start_servers(supervisor)
        monkeypatch.setattr(settings, "REDIS_URL", redis_url("app", found))
        yield found
    remove_site(found)


def show_life(layout: Layout, *living: str) -> None:
    """Let the workers of these queues live and of no other."""
    for queue in QUEUES:
        account = "unblinded" if queue == "unblinded" else "app"
        with redis.Redis.from_url(redis_url(account, layout)) as broker:
            if queue in living:
                broker.set(f"{queue}.alive", "1", ex=alive.FORGOTTEN_AFTER)
            else:
                broker.delete(f"{queue}.alive")


def ask(client: Client, path: str) -> tuple[int, str]:
    response = client.get(path)
    return response.status_code, response.content.decode()


def test_a_process_that_answers_is_alive_whatever_else_is_down(client: Client) -> None:
    assert ask(client, "/healthz") == (200, "ok")


@pytest.mark.django_db
def test_the_open_door_is_ready_with_all_workers_and_names_a_dead_one(client: Client, layout: Layout) -> None:
    show_life(layout, *QUEUES)
    status, text = ask(client, "/readyz")
    assert status == 200
    assert set(json.loads(text).values()) == {"ok"}
    for dead in QUEUES:
        show_life(layout, *(set(QUEUES) - {dead}))
        status, text = ask(client, "/readyz")
        assert status == 503
        assert [name for name, state in json.loads(text).items() if state == "down"] == [f"{dead} worker"]


@pytest.mark.django_db
def test_a_broker_that_is_down_is_named_without_its_address(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "unix://app:password@/nowhere/valkey.sock?db=0")
    status, text = ask(client, "/readyz")
    assert status == 503
    assert json.loads(text)["broker"] == "down"
    assert json.loads(text)["database"] == "ok"
    assert "nowhere" not in text
    assert "password" not in text


def test_nothing_keeps_an_old_answer(client: Client) -> None:
    assert "no-store" in client.get("/healthz")["Cache-Control"]
    assert client.post("/healthz").status_code == 405
