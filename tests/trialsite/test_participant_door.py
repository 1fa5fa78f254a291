"""The participants' door over HTTP: what opens a form, what does not, and that it says no more than that."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from outcomes import door_limits
from outcomes.invitations import make_code, revoke
from outcomes.models import DoorFailure, DoorKey, Invitation, OwnAnswer, Response
from outcomes.self_completion import close_expired
from tests.outcomes.diary_keeper import DIARY, EMAIL, Keeper, make_keeper
from tests.trialsite.desk_pages import Inline

pytestmark = pytest.mark.django_db
FORM, ANSWERS, DONE, ENTRANCE = "/p/form/", "/p/answers/", "/p/done/", "/p/"


@pytest.fixture
def keeper() -> Keeper:
    return make_keeper()


def path_of(keeper: Keeper, invitation: Invitation) -> str:
    return f"/p/{keeper.link(invitation)}/"


@pytest.fixture
def asked(keeper: Keeper) -> Invitation:
    return keeper.invited()


@pytest.fixture
def phone(keeper: Keeper, asked: Invitation) -> Client:
    """A phone on which the form is open, in English."""
    client = Client()
    client.cookies["trialsite_p_language"] = "en"
    assert client.post(path_of(keeper, asked)).status_code == 302
    return client


def answer(item: str, value: float | None, key: str = "", missing: str | None = None) -> dict[str, Any]:
    at = timezone.now().isoformat()
    return {"key": key or str(uuid4()), "item": item, "value": value, "missing": missing, "at": at, "offset": 60}


def send(phone: Client, *answers: dict[str, Any], sent: bool = False) -> Any:
    at = timezone.now().isoformat()
    body = {"sent_at": at, "answers": answers, "send": {"at": at, "offset": 60} if sent else None}
    return phone.post(ANSWERS, json.dumps(body), content_type="application/json")


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


# Answering with a script --------------------------------------------------------------------------------


def test_a_key_that_comes_twice_gets_the_first_answer_and_saves_once(keeper, asked, phone):
    one = answer("average", 6)
    first, second = send(phone, one), send(phone, one)
    assert first.json() == second.json()
    assert OwnAnswer.objects.count() == 1
    done, again = send(phone, one, sent=True), send(phone, one, sent=True)
    assert done.json() == again.json()
    assert done.json()["sent_at"]
    assert Response.objects.count() == 1


def test_answers_that_waited_arrive_together_with_the_form(keeper, asked, phone):
    waiting = [answer(item, 3) for item in DIARY]
    assert send(phone, *waiting, sent=True).status_code == 200
    response = Response.objects.get()
    assert (response.status, response.items.filter(value=3).count()) == ("complete", len(DIARY))


@pytest.mark.parametrize("wrong", [11, -1, 2.5])
def test_an_answer_out_of_range_is_told_beside_its_question_and_nothing_is_half_saved(keeper, asked, phone, wrong):
    refused = send(phone, answer("worst", 7), answer("average", wrong), sent=True)
    assert refused.status_code == 422
    assert "0 to 10" in refused.json()["problems"]["average"]
    assert not OwnAnswer.objects.exists()
    assert not Response.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"sent_at": "2026-11-24T10:00:00+01:00", "answers": [{"key": "no uuid"}]}',
        '{"sent_at": "2026-11-24T10:00:00", "answers": []}',
        '{"sent_at": "2026-11-24T10:00:00Z", "answers": [{"key": "0a8d3b1e-8e4f-4d58-a1c5-3d1f4f0a9c11",'
        ' "item": "worst", "value": "five", "at": "2026-11-24T10:00:00Z", "offset": 0}]}',
        "x" * 100_001,
    ],
)
def test_what_cannot_be_read_is_refused(keeper, asked, phone, body):
    assert phone.post(ANSWERS, body, content_type="application/json").status_code == 400
    assert not OwnAnswer.objects.exists()


def test_after_the_form_is_closed_nothing_is_taken(keeper, asked, phone):
    send(phone, answer("average", 5))
    close_expired(at=asked.expires_at)
    assert send(phone, answer("worst", 9)).status_code == 409
    assert phone.get(FORM).url == DONE
    assert "closed" in phone.get(DONE).content.decode()
    assert OwnAnswer.objects.count() == 1


# Answering without one ----------------------------------------------------------------------------------


def test_a_form_is_filled_in_without_a_script_screen_by_screen(keeper, asked, phone):
    screen = phone.get(FORM).context["here"]
    for item, value in zip(DIARY, "68240", strict=True):
        assert screen == item
        page = phone.get(FORM, {"q": screen})
        typed = {"screen": page.context["screen"], "here": screen, f"item-{item}": value, "go": "next"}
        screen = phone.post(FORM, typed).url.partition("q=")[2]
    assert screen == "end"
    assert phone.post(FORM, {"here": "end", "go": "send"}).url == DONE
    assert "Thank you" in phone.get(DONE).content.decode()
    assert [i.value for i in Response.objects.get().items.order_by("pk")] == [6, 8, 2, 4, 0]


def test_a_screen_that_is_sent_twice_is_saved_once_and_a_change_of_mind_is_kept(keeper, asked, phone):
    page = phone.get(FORM)
    typed = {"screen": page.context["screen"], "here": "average", "item-average": "6", "go": "next"}
    phone.post(FORM, typed)
    phone.post(FORM, typed)
    assert OwnAnswer.objects.count() == 1
    for value in ("7", "6", ""):
        phone.post(FORM, typed | {"item-average": value})
    said = OwnAnswer.objects.order_by("pk").values_list("value", "missing_reason")
    assert list(said) == [(6, None), (7, None), (6, None), (None, "not_answered")]


@pytest.mark.parametrize(
    ("typed", "said"),
    [("99", "0 to 50"), ("two", "not a number"), ("2,5", "whole number"), ("nan", "not a number"), ("1e3", "0 to 50")],
)
def test_a_mistake_is_told_beside_its_question_and_what_was_typed_stays(keeper, asked, phone, typed, said):
    sent = {"here": "rescue_doses", "item-rescue_doses": typed, "item-average": "4", "go": "send"}
    page = phone.post(FORM, sent)
    assert page.status_code == 422
    text = page.content.decode()
    assert said in text
    assert f'value="{typed}"' in text
    assert 'aria-invalid="true"' in text
    assert not OwnAnswer.objects.exists(), "nothing is half saved"


def test_a_decimal_comma_is_understood(keeper, asked, phone):
    phone.post(FORM, {"here": "rescue_doses", "item-rescue_doses": "2,0", "go": "next"})
    assert OwnAnswer.objects.get().value == 2


def test_to_prefer_not_to_answer_is_an_answer(keeper, asked, phone):
    phone.post(FORM, {"here": "average", "item-average": "refused", "missing-rescue_doses": "refused", "go": "next"})
    assert set(OwnAnswer.objects.values_list("item", "missing_reason")) == {
        ("average", "refused"),
        ("rescue_doses", "refused"),
    }


def test_an_empty_form_is_not_sent_and_says_why(keeper, asked, phone):
    page = phone.post(FORM, {"here": "end", "go": "send"})
    assert (page.status_code, "at least one question" in page.content.decode()) == (422, True)


def test_a_screen_without_its_token_is_refused_in_the_doors_own_words(keeper, asked):
    strict = Client(enforce_csrf_checks=True)
    link = path_of(keeper, asked)
    refused = strict.post(link)
    assert refused.status_code == 403
    assert "load this page again" in refused.content.decode()
    assert strict.get(link).status_code == 200, "the link was not used up"
    page = strict.post("/p/answers/", "{}", content_type="application/json")
    assert page.status_code == 403


# How it looks and speaks --------------------------------------------------------------------------------


def test_german_sites_speak_german_and_the_device_may_choose(keeper, asked, phone):
    del phone.cookies["trialsite_p_language"]
    assert 'lang="de"' in phone.get(FORM).content.decode()
    assert "Durchschnittlicher Schmerz" in phone.get(FORM).content.decode()
    assert phone.post("/p/look/", {"language": "en", "back": FORM}).url == FORM
    page = phone.get(FORM).content.decode()
    assert 'lang="en"' in page
    assert "Average pain" in page


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/p//evil.example", "/admin/", "/p/\\evil"])
def test_switching_the_language_leads_nowhere_else(keeper, asked, phone, back):
    assert phone.post("/p/look/", {"language": "en", "back": back}).url == FORM


def test_a_list_shows_all_questions(keeper, asked, phone):
    assert len(re.findall(r"<fieldset[^>]* hidden", phone.get(FORM).content.decode())) == len(DIARY) - 1
    phone.post("/p/look/", {"layout": "list"})
    assert not re.findall(r"<fieldset[^>]* hidden", phone.get(FORM).content.decode())


def test_the_help_line_of_the_site_stands_beside_questions_about_suicidal_thoughts(keeper):
    from outcomes.contact_preferences import save_site_contact

    line = "Telefonseelsorge 0800 111 0 111"
    site = keeper.participant.site
    save_site_contact(keeper.coordinator, site=site, telephone="+49 30 1234", help_line=line)
    phone = Client()
    phone.post(path_of(keeper, keeper.invited(keeper.form("phq9"))))
    page = phone.get(FORM).content.decode()
    assert page.count(line) == 1
    ninth = page.index('id="q-9"')
    assert ninth < page.index(line) < page.index('id="q-10"')
    assert "+49 30 1234" in page


def test_no_page_of_the_door_runs_what_stands_in_it(keeper, asked, phone):
    pages = [phone.get(FORM), phone.get(ENTRANCE), phone.post("/p/other-device/"), phone.get("/p/unknown/")]
    pages += [Client().get(path_of(keeper, asked))]
    send(phone, answer("average", 5), sent=True)
    pages += [phone.get(DONE)]
    for page in pages:
        assert Inline(page.content.decode()).found == []
        assert (
            "script-src" in page.headers["Content-Security-Policy"]
            or "default-src 'self'" in (page.headers["Content-Security-Policy"])
        )
        assert "/admin/" not in page.content.decode()


def test_the_done_page_says_when_the_next_one_comes(keeper, asked, phone):
    send(phone, answer("average", 5), sent=True)
    tomorrow = keeper.today + timedelta(days=1)
    assert f"{tomorrow:%A}, {tomorrow.day} {tomorrow:%B}" in phone.get(DONE).content.decode()
