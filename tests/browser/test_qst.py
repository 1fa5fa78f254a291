"""A QST session in a real browser: computed as one types, with what is asked beside the entry, on a small screen."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from outcomes.models import QSTSession
from tests.browser.conftest import Desk
from tests.trialsite.busy_site import BusySite

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_session_is_computed_as_one_types_and_asks_before_it_is_saved(desk: Desk, busy: BusySite):
    desk.sign_in("coordinator")
    desk.open(f"/admin/participants/{busy.first.identifier}/visits/W1/qst/")
    page = desk.page
    page.set_viewport_size({"width": 360, "height": 800})
    page.select_option("[name=test_area]", "foot")
    first = page.locator('[name="test.HPT.trial.1"]')
    first.click()
    for reading in ("44", "44.5", "38"):
        page.keyboard.type(reading)
        page.keyboard.press("Enter")
    value = page.locator('[data-value="test.HPT"]')
    expect(value).to_contain_text("42.17 °C")
    question = page.locator('[data-question="test/outlier HPT 3"]')
    assert "HPT trial 3 lies 6.0 °C from the median" in question.inner_text()
    # The answer and its focus survive the next computation.
    question.locator("input").fill("startled")
    first.fill("44.2")
    expect(value).to_contain_text("42.23 °C")
    assert question.locator("input").input_value() == "startled"
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    found = Axe().run(page, options={"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
    assert [fault["id"] for fault in found.response["violations"]] == []
    first.press("Control+Enter")
    page.wait_for_selector("text=What was asked")
    assert re.search(r"startled", page.content())
    assert (
        QSTSession.objects.get(participant=busy.first, visit__code="W1").flags.get(code="outlier").comment == "startled"
    )
    assert desk.complaints == []
