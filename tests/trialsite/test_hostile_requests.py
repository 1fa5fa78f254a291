"""Requests that no page of ours sends: each gets an answer in words, none an error of the server."""

from __future__ import annotations

import pytest

from studies.acting import current
from studies.api.views import StudyView
from tests.trialsite.busy_site import BusySite

pytestmark = pytest.mark.django_db
NUL, SUPERSCRIPT, FAR = "%00", "\u00b2", "9" * 40


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/participants/%00/", 400),
        ("/api/v1/studies/KALM/timeline/?site=%00", 400),
        ("/admin/participants/?q=%00", 400),
        ("/admin/studies/visit/?status__exact=%00", 400),
        ("/p/%00/", 400),
        (f"/api/v1/looks/{SUPERSCRIPT}/result/", 404),
        (f"/api/v1/design-simulations/{SUPERSCRIPT}/result/", 404),
        (f"/api/v1/participants/?changed_since={SUPERSCRIPT}", 400),
        ("/api/v1/participants/?cursor=cD14", 404),
        ("/api/v1/jobs/?cursor=cD14", 404),
        (f"/api/v1/responses/{FAR}/", 404),
        (f"/admin/alerts/{FAR}/", 404),
    ],
)
def test_an_address_that_no_page_of_ours_leads_to_is_refused_in_words(busy: BusySite, path: str, status: int):
    assert busy.as_("statistician").get(path).status_code == status


def test_a_form_that_no_page_of_ours_sends_is_refused_in_words(busy: BusySite):
    browser, person = busy.as_("coordinator"), f"/admin/participants/{busy.first.identifier}/"
    form = "application/x-www-form-urlencoded"
    event = browser.post(f"{person}adverse-events/new/", "term=a%00b", content_type=form)
    assert event.status_code == 400
    for key in ("x", SUPERSCRIPT, FAR, "-1", ""):
        answer = browser.post(f"{person}self-completion/", {"do": "link", "invitation": key})
        assert answer.status_code == 404, key
    day = {"participant": busy.first.identifier, "instrument": "diary_daily", "day": "0001-01-01", "items": {}}
    refused = browser.post("/api/v1/responses/", day | {"completed_at": "2026-01-01T00:00:00Z"}, "application/json")
    assert refused.status_code == 400
    assert "No diary was kept before 1950" in refused.content.decode()


def test_nobody_acts_for_a_request_of_the_api_that_broke_off(busy: BusySite, monkeypatch: pytest.MonkeyPatch):

    seen = []

    def breaks(*_: object, **__: object) -> None:
        seen.append(current().username)
        raise RuntimeError("broken")

    monkeypatch.setattr(StudyView, "visible", breaks)
    with pytest.raises(RuntimeError, match="broken"):
        busy.as_("coordinator").get("/api/v1/studies/")
    assert (seen, current().username) == (["coordinator"], "")
