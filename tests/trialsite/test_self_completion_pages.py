"""The coordinator's side of what participants fill in: ordering, link and code shown once, wishes, own answers."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from outcomes.models import Clarification, ContactPreference, Invitation, Response, SiteContact
from outcomes.responses import ResponseEntry, save_response
from tests.outcomes.diary_keeper import Keeper

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(keeper: Keeper) -> Client:
    return as_(keeper, "coordinator")


def as_(keeper: Keeper, role: str) -> Client:
    client = Client()
    client.force_login(keeper.people[role], backend="django.contrib.auth.backends.ModelBackend")
    return client


def at(keeper: Keeper, page: str) -> str:
    return f"/admin/participants/{keeper.participant.identifier}/{page}"


def order(keeper: Keeper, desk: Client) -> str:
    """Order today's diary, and read the link off the page."""
    page = desk.post(at(keeper, "self-completion/"), {"do": "ask", "form": keeper.diary().slug})
    assert page.status_code == 200
    link = re.search(r"http://localhost:8000(/p/[^\"]+)", page.content.decode())
    assert link is not None
    return link[1]


def test_a_link_is_shown_once_and_opens_the_form(keeper, desk):
    link = order(keeper, desk)
    assert link not in desk.get(at(keeper, "self-completion/")).content.decode()
    assert Client().post(link).status_code == 302


def test_ordering_twice_asks_once_and_the_newer_link_counts(keeper, desk):
    first, second = order(keeper, desk), order(keeper, desk)
    assert Invitation.objects.count() == 1
    assert (Client().get(first).status_code, Client().get(second).status_code) == (404, 200)


def test_a_code_is_shown_once_and_an_invitation_is_taken_back_with_a_reason(keeper, desk):
    link, asked = order(keeper, desk), Invitation.objects.get()
    page = desk.post(at(keeper, "self-completion/"), {"do": "code", "invitation": asked.pk})
    assert re.search(r"[A-Z2-9]{4}-[A-Z2-9]{4}", page.content.decode())
    refused = desk.post(at(keeper, "self-completion/"), {"do": "revoke", "invitation": asked.pk, "reason": ""})
    assert (refused.status_code, b"Say why" in refused.content) == (422, True)
    desk.post(at(keeper, "self-completion/"), {"do": "revoke", "invitation": asked.pk, "reason": "wrong day"})
    assert Client().get(link).status_code == 404


def test_what_is_not_due_is_not_ordered(keeper, desk):
    page = desk.post(at(keeper, "self-completion/"), {"do": "ask", "form": "SCR~madrs"})
    assert (page.status_code, b"cannot be asked for now" in page.content) == (422, True)


@pytest.mark.parametrize("page", ["self-completion/", "wishes/"])
def test_who_does_not_work_at_the_site_orders_nothing(keeper, page):
    assert as_(keeper, "monitor").get(at(keeper, page)).status_code == 403
    assert as_(keeper, "efficacy_rater").post(at(keeper, page), {"do": "ask"}).status_code == 403


def own_answers(keeper: Keeper) -> Response:
    asked = keeper.enter(keeper.invited())
    keeper.say(asked, average=6)
    keeper.say(asked, average=7, worst=None)
    response = keeper.send(asked).response
    assert response is not None
    return response


def test_own_answers_are_shown_as_they_came_and_clarified_beside(keeper, desk):
    response = own_answers(keeper)
    path = at(keeper, f"own-forms/{response.pk}/")
    page = desk.get(path).content.decode()
    assert "first 6" in page
    assert "Refused" in page
    assert f"participant {keeper.participant.identifier}" in page
    assert desk.post(path, {"item": "average", "text": "Meant the left knee."}).status_code == 302
    assert "Meant the left knee." in desk.get(path).content.decode()
    assert desk.post(path, {"item": "average", "text": ""}).status_code == 422
    history = desk.get(at(keeper, "history/")).content.decode()
    assert "Meant the left knee." in history
    assert Clarification.objects.count() == 1


def test_own_answers_of_a_visit_open_by_their_form_and_cannot_be_typed_over(keeper, desk):
    asked = keeper.enter(keeper.invited(keeper.form("phq9")))
    keeper.say(asked, q1=1)
    response = keeper.send(asked).response
    assert response is not None
    form = at(keeper, "visits/SCR/forms/phq9/")
    assert desk.get(form).url == at(keeper, f"own-forms/{response.pk}/")
    assert desk.post(form, {"item-1": "3", "reason": "x"}).status_code == 302
    assert response.items.get(item="1").value == 1


def test_the_page_of_own_answers_shows_no_others(keeper, desk):
    entry = ResponseEntry(keeper.participant, "diary_daily", {"average": 4}, timezone.now(), day=keeper.today)
    typed = save_response(keeper.coordinator, entry=entry)
    assert desk.get(at(keeper, f"own-forms/{typed.pk}/")).status_code == 404


def test_wishes_are_entered_and_a_mistake_is_told(keeper, desk):
    wishes = {"language": "en", "time_zone": "", "reminders": "on", "quiet_from": "21:00", "quiet_to": "08:00"}
    refused = desk.post(at(keeper, "wishes/"), {**wishes, "remind_at": "22:00"})
    assert (refused.status_code, b"quiet hours" in refused.content) == (422, True)
    assert desk.post(at(keeper, "wishes/"), {**wishes, "remind_at": "20:15"}).status_code == 302
    saved = ContactPreference.objects.get()
    assert (saved.language, f"{saved.remind_at:%H:%M}") == ("en", "20:15")


def test_whom_participants_call_is_entered_for_the_site(keeper, desk):
    path = f"/admin/sites/{keeper.participant.site.pk}/contact/"
    assert desk.post(path, {"telephone": "", "help_line": "x"}).status_code == 422
    assert desk.post(path, {"telephone": "+49 30 1234", "help_line": "0800 111 0 111"}).status_code == 302
    assert SiteContact.objects.get().help_line == "0800 111 0 111"
    assert as_(keeper, "monitor").get(path).status_code == 403


def test_today_and_the_participant_tell_how_the_diary_is_kept(keeper, desk):
    own_answers(keeper)
    today, person = desk.get("/admin/").content.decode(), desk.get(at(keeper, "")).content.decode()
    assert "0 of 7" in today
    assert "Diaries with gaps" in today
    assert "0 of 7" in person
    assert at(keeper, "self-completion/") in person


def test_an_alert_says_whom_it_reached(keeper):
    from outcomes.escalation import tell_physicians

    asked = keeper.enter(keeper.invited(keeper.form("phq9")))
    keeper.say(asked, q9=1)
    alert = keeper.participant.safety_alerts.get()
    physician = as_(keeper, "investigator")
    assert "Not sent yet" in physician.get(f"/admin/alerts/{alert.pk}/").content.decode()
    tell_physicians(at=timezone.now())
    assert "Sent to investigator" in physician.get(f"/admin/alerts/{alert.pk}/").content.decode()
