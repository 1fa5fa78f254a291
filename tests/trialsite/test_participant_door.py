"""The participants' door over HTTP: what opens a form, what does not, and that it says no more than that."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from gunicorn.config import Config

from outcomes import door_limits
from outcomes.invitations import make_code, revoke
from outcomes.models import DoorFailure, DoorKey, Invitation
from tests.outcomes.diary_keeper import EMAIL, Keeper
from tests.trialsite.door_phone import DONE, ENTRANCE, FORM, answer, path_of, send
from trialsite.services.access_log import AccessLog

pytestmark = pytest.mark.django_db


def test_no_log_keeps_a_link_that_may_be_unused(keeper, asked, monkeypatch, caplog):
    """Answered "too often", or sent without its token, a link is as good as before."""
    link = path_of(keeper, asked)
    monkeypatch.setattr(door_limits, "MOST_FROM_ONE_PLACE", 0)
    assert Client().get(link).status_code == 429
    assert Client(enforce_csrf_checks=True).post(link).status_code == 403
    [console] = [each for each in logging.getLogger().handlers if each.get_name() == "console"]
    refused = [record for record in caplog.records if record.levelno >= logging.WARNING]
    said = [console.format(record) for record in refused if console.filter(record)]
    assert [line.partition("/p/")[2] for line in said] == ["(a link)/"] * 2
    request = SimpleNamespace(headers=[("REFERER", f"https://trial.example.org{link}")])
    answered = SimpleNamespace(status="200 OK", sent=1, headers=[])
    about = {"REQUEST_METHOD": "GET", "RAW_URI": link, "PATH_INFO": link, "SERVER_PROTOCOL": "HTTP/1.1"}
    line = AccessLog(Config()).atoms(answered, request, about | {"HTTP_REFERER": link}, timedelta())
    assert (line["r"], line["U"], line["f"]) == ("GET /p/(a link)/ HTTP/1.1", "/p/(a link)/", "/p/(a link)/")


# Getting in ---------------------------------------------------------------------------------------------


def test_reading_a_link_uses_nothing_up_and_its_button_opens_the_form(keeper, asked):
    link, reader, phone = path_of(keeper, asked), Client(), Client()
    assert [reader.get(link).status_code for _ in range(3)] == [200] * 3
    opened = phone.post(link)
    assert opened.url == FORM
    cookie = opened.cookies["trialsite_p"]
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"]) == ("Lax", "/p/")
    assert phone.get(FORM).status_code == 200


def test_nothing_in_the_address_or_the_cookie_tells_who_or_what(keeper, asked):
    link = path_of(keeper, asked)
    secrets = [link, Client().post(link).cookies["trialsite_p"].value]
    for told in (keeper.participant.identifier, "KALM", "diary", str(keeper.today), "Petra", EMAIL):
        assert not any(told in secret for secret in secrets)
    assert not DoorKey.objects.filter(digest__in=secrets).exists()


def test_a_page_names_neither_study_nor_person_nor_illness(keeper, phone):
    page = phone.get(FORM).content.decode()
    for told in (keeper.participant.identifier, "KALM", "Trialsite", "ketamine", "Daily pain diary", "Petra"):
        assert told not in page


def used(keeper: Keeper, asked: Invitation) -> str:
    link = path_of(keeper, asked)
    Client().post(link)
    return link


def expired(keeper: Keeper, asked: Invitation) -> str:
    link = path_of(keeper, asked)
    DoorKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    return link


def taken_back(keeper: Keeper, asked: Invitation) -> str:
    link = path_of(keeper, asked)
    revoke(keeper.coordinator, invitation=asked, reason="wrong day")
    return link


def replaced(keeper: Keeper, asked: Invitation) -> str:
    link = path_of(keeper, asked)
    keeper.link(asked)
    return link


def guessed(keeper: Keeper, asked: Invitation) -> str:
    return "/p/" + "A" * 32 + "." + "B" * 43 + "/"


def altered(keeper: Keeper, asked: Invitation) -> str:
    link = path_of(keeper, asked)
    return link[:5] + ("A" if link[5] != "A" else "B") + link[6:]


def of_a_sent_form(keeper: Keeper, asked: Invitation) -> str:
    link, phone = path_of(keeper, asked), Client()
    phone.post(link)
    send(phone, answer("average", 5), sent=True)
    return link


SHUT = [used, expired, taken_back, replaced, guessed, altered, of_a_sent_form]
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]+"|name="back" value="[^"]+"')


@pytest.mark.parametrize("why", SHUT, ids=lambda why: why.__name__)
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_opens_nothing_is_answered_alike_and_counted(keeper, asked, why, method):
    stranger, unknown = Client(), Client()
    link = why(keeper, asked)
    before = sum(DoorFailure.objects.values_list("count", flat=True))
    page = getattr(stranger, method)(link)
    assert page.status_code == 404
    assert sum(DoorFailure.objects.values_list("count", flat=True)) == before + 2, "of this place, and of all"
    same = getattr(unknown, method)("/p/never-seen/")
    assert TOKEN.sub(b"", page.content) == TOKEN.sub(b"", same.content)
    assert page.headers["Cache-Control"] == same.headers["Cache-Control"] == "no-store, private"
    assert "trialsite_p" not in page.cookies


@pytest.mark.parametrize("why", [used, expired, taken_back, replaced, altered], ids=lambda why: why.__name__)
def test_a_guess_asks_the_database_as_much_as_a_link_that_was_one(keeper, asked, why):
    """No difference in time to tell them apart by: the same statements, in the same order."""
    link = why(keeper, asked)
    with CaptureQueriesContext(connection) as taken:
        Client().get(link)
    with CaptureQueriesContext(connection) as guessing:
        Client().get("/p/" + "A" * 32 + "." + "B" * 43 + "/")
    shapes = [[re.sub(r"'[^']*'", "?", query["sql"]) for query in each] for each in (taken, guessing)]
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) >= 3


def test_the_same_device_goes_back_to_its_form_by_the_link(keeper, asked):
    link, phone = path_of(keeper, asked), Client()
    phone.post(link)
    assert phone.get(link).url == FORM
    send(phone, answer("average", 5), sent=True)
    assert phone.get(link, follow=True).redirect_chain[-1][0] == DONE
    assert not DoorFailure.objects.exists()


def test_who_fails_too_often_is_not_looked_at_even_with_a_good_link(keeper, asked, monkeypatch):
    link = path_of(keeper, asked)
    monkeypatch.setattr(door_limits, "MOST_FROM_ONE_PLACE", 4)
    for _ in range(door_limits.MOST_FROM_ONE_PLACE):
        assert Client().post(ENTRANCE, {"code": "ABCD-2345"}).status_code == 404
    assert Client().get(link).status_code == 429
    assert Client().post(ENTRANCE, {"code": "ABCD-2345"}).status_code == 429
    assert Client(REMOTE_ADDR="192.0.2.7").get(link).status_code == 200, "another address"
    monkeypatch.setattr(door_limits, "MOST_FROM_ANYWHERE", door_limits.MOST_FROM_ONE_PLACE)
    assert Client(REMOTE_ADDR="192.0.2.7").get(link).status_code == 429, "until all together tried too often"
    DoorFailure.objects.update(since=timezone.now() - timedelta(hours=1))
    assert Client().get(link).status_code == 200, "after a while"
    assert door_limits.forget_old(at=timezone.now()) == 2


def test_a_code_opens_the_form_on_a_second_device_once(keeper, asked, phone):
    send(phone, answer("average", 6))
    page = phone.post("/p/other-device/").content.decode()
    code = re.search(r"[A-Z2-9]{4}-[A-Z2-9]{4}", page)
    assert code is not None
    tablet, third = Client(), Client()
    assert tablet.post(ENTRANCE, {"code": code[0].lower().replace("-", " ")}).url == FORM
    assert third.post(ENTRANCE, {"code": code[0]}).status_code == 404
    assert 'value="6" checked' in tablet.get(FORM).content.decode()
    assert phone.get(FORM).status_code == 200, "the first device stays open"


def test_a_code_of_the_coordinator_lasts_a_day_and_that_of_a_device_half_an_hour(keeper, asked, phone):
    make_code(keeper.coordinator, invitation=asked)
    first = DoorKey.objects.get(kind="code")
    phone.post("/p/other-device/")
    second = DoorKey.objects.get(kind="code")
    assert first.expires_at - first.made_at <= timedelta(hours=24)
    assert second.expires_at - second.made_at == timedelta(minutes=30)


@pytest.mark.parametrize("code", ["", "ABCD-234", "ABCD-23456", "0000-0000", "ABCD'--X", "Ü" * 8])
def test_what_is_no_code_opens_nothing(keeper, asked, code):
    assert Client().post(ENTRANCE, {"code": code}).status_code == 404


def test_a_cookie_that_was_made_up_counts_as_a_guess(keeper, asked):
    client = Client()
    client.cookies["trialsite_p"] = "made-up"
    assert client.get(FORM).status_code == 404
    assert DoorFailure.objects.count() == 2
    assert send(client, answer("average", 5)).status_code == 404


def test_leaving_ends_the_devices_way_in(keeper, asked, phone):
    phone.post("/p/leave/")
    assert phone.get(FORM).url == ENTRANCE
