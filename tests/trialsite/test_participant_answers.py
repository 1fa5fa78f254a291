"""Answering at the participants' door: by its script, screen by screen without one, and what the pages say."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from outcomes.contact_preferences import save_site_contact
from outcomes.models import OwnAnswer, Response
from outcomes.self_completion import close_expired
from tests.outcomes.diary_keeper import DIARY
from tests.trialsite.desk_pages import Inline
from tests.trialsite.door_phone import ANSWERS, DONE, ENTRANCE, FORM, answer, path_of, send

pytestmark = pytest.mark.django_db


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
        '{"sent_at": "9999-12-31T23:59:59-14:00", "answers": []}',
        '{"sent_at": "0001-01-01T00:00:00+14:00", "answers": []}',
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


def test_answers_to_another_form_are_not_taken_for_the_one_on_this_device(keeper, asked, phone):
    """Two tabs: the second began today's form; the first still shows yesterday's."""
    page = phone.get(FORM).content.decode()
    shelf = re.search(r'data-shelf="(\w{16})"', page)[1]
    at = timezone.now().isoformat()
    other = {"form": "0" * 16, "sent_at": at, "answers": [answer("average", 6)]}
    refused = phone.post(ANSWERS, json.dumps(other), content_type="application/json")
    assert (refused.status_code, refused.json()) == (409, {"code": "other_form"})
    screen = {"here": "average", "item-average": "6", "go": "next"}
    answered = phone.post(FORM, screen | {"shelf": "0" * 16})
    assert answered.status_code == 409
    assert "Another form was opened on this device" in answered.content.decode()
    assert not OwnAnswer.objects.exists()
    assert phone.post(FORM, screen | {"shelf": shelf}).status_code == 302
    assert OwnAnswer.objects.count() == 1


def test_the_worker_reaches_the_door_alone_and_has_a_version_for_each_language(asked, phone):
    worker = phone.get("/p/worker.js")
    assert worker["Content-Type"].startswith("text/javascript")
    text = worker.content.decode()
    assert set(re.findall(r'"(/[^"]*)"', text)) == {
        *("/p/form/", "/p/offline/", "/p/done/", "/p/leave/"),
        *("/static/trialsite/door.css", "/static/trialsite/door.js", "/static/trialsite/icon.svg"),
    }
    phone.post("/p/look/", {"language": "de"})
    assert phone.get("/p/worker.js").content.decode() != text
    assert "Keine Verbindung" in phone.get("/p/offline/").content.decode()


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
    line = "Telefonseelsorge 0800 111 0 111"
    site = keeper.participant.site
    save_site_contact(keeper.coordinator, site=site, telephone="+49 30 1234", help_line=line)
    phone = Client()
    phone.post(path_of(keeper, keeper.invited(keeper.form("phq9"))))
    page = phone.get(FORM).content.decode()
    assert page.count(line) == 1
    ninth = page.index('id="q-9"')
    assert ninth < page.index(line) < page.index('id="q-10"')
    assert "+49\u00a030\u00a01234" in page, "in one piece"


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
