"""/healthz and /readyz: what they ask, and that they say no more than which part is down."""

from __future__ import annotations

import json

import pytest
import redis
from django.conf import settings
from django.test import Client

from trialsite.services import alive
from trialsite.services.connection import redis_url


def put_sign_of_life(side: str) -> None:
    account = "app" if side == "blinded" else "unblinded"
    with redis.Redis.from_url(redis_url(account)) as broker:
        broker.set(f"{side}.alive", "1", ex=alive.FORGOTTEN_AFTER)


def take_sign_of_life(side: str) -> None:
    account = "app" if side == "blinded" else "unblinded"
    with redis.Redis.from_url(redis_url(account)) as broker:
        broker.delete(f"{side}.alive")


def ask(client: Client, path: str) -> tuple[int, str]:
    response = client.get(path)
    return response.status_code, response.content.decode()


def test_a_process_that_answers_is_alive_whatever_else_is_down(client: Client) -> None:
    assert ask(client, "/healthz") == (200, "ok")


@pytest.mark.django_db
def test_the_open_door_is_ready_with_both_workers(client: Client) -> None:
    for side in ("blinded", "unblinded"):
        put_sign_of_life(side)
    status, text = ask(client, "/readyz")
    assert status == 200
    assert set(json.loads(text).values()) == {"ok"}


@pytest.mark.django_db
@pytest.mark.parametrize("dead", ["blinded", "unblinded"])
def test_a_dead_worker_is_named(client: Client, dead: str) -> None:
    for side in ("blinded", "unblinded"):
        put_sign_of_life(side)
    take_sign_of_life(dead)
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
