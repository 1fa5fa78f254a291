"""What leads nowhere at the open door: said in its own words, and no more to those who may not know."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_an_address_that_leads_nowhere_is_answered_by_each_door_in_its_own_words(busy, settings):
    """The desk with its rooms, the participants' door in the browser's language, the API as a problem."""
    desk = Client()
    desk.force_login(busy.people["coordinator"], backend="django.contrib.auth.backends.ModelBackend")
    unknown, unseen = desk.get("/admin/participants/KALM-BER-9999/"), desk.get("/admin/nonsense/")
    for answer in (unknown, unseen):
        assert answer.status_code == 404
        assert "nothing that you may see" in answer.content.decode()
        assert 'aria-label="Rooms"' in answer.content.decode()
    outside = Client().get("/admin/participants/x/y/z/w/")
    assert 'aria-label="Rooms"' not in outside.content.decode()
    phone = Client().get("/p/some/where/", headers={"accept-language": "de"})
    assert (phone.status_code, "Hier öffnet sich nichts" in phone.content.decode()) == (404, True)
    api = desk.get("/api/nonsense/")
    assert (api.status_code, api["Content-Type"], api.json()["status"]) == (404, "application/problem+json", 404)


def test_a_page_from_before_signing_in_says_that_nothing_was_saved(busy):
    desk = Client(enforce_csrf_checks=True)
    desk.force_login(busy.people["coordinator"], backend="django.contrib.auth.backends.ModelBackend")
    refused = desk.post("/admin/participants/enrol/", {"sex": "F"})
    assert refused.status_code == 403
    assert "Nothing was saved" in refused.content.decode()
