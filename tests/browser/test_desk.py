"""What a person meets at the desk: keys, drafts, mistakes, small screens, and what assistive technology reads."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from outcomes.models import Response
from studies.models import Draft
from tests.browser.conftest import Desk
from tests.trialsite.busy_site import BusySite
from tests.trialsite.desk_pages import PAGES

pytestmark = pytest.mark.django_db(transaction=True)
FORM = "visits/BL/forms/gad7/"
WIDTHS = (1280, 360)
# The innermost element that reaches furthest to the right.
WIDEST = """{
    const right = (element) => element.getBoundingClientRect().right;
    const all = [...document.querySelectorAll("header *, main *")].filter((e) => !e.closest(".scroll, .line, .rooms"));
    all.reduce((a, b) => right(b) >= right(a) ? b : a).outerHTML.slice(0, 150)
}"""


def of_first(busy: BusySite, path: str = "") -> str:
    return f"/admin/participants/{busy.first.identifier}/{path}"


def test_a_form_is_filled_in_and_saved_by_keys_alone(desk: Desk, busy: BusySite):
    desk.sign_in("coordinator")
    desk.open(of_first(busy, FORM))
    desk.page.locator("[data-item] input").first.focus()
    for digit in "2101020":
        desk.page.keyboard.press(digit)
        desk.page.keyboard.press("Enter")
    expect(desk.page.locator("[data-progress]")).to_have_text("7 of 7")
    desk.page.keyboard.press("Control+Enter")
    desk.page.wait_for_url(f"**{of_first(busy)}?visit=BL")
    saved = Response.objects.get(participant=busy.first, instrument__key="gad7")
    assert [item.value for item in saved.items.order_by("item")] == [2, 1, 0, 1, 0, 2, 0]


def test_what_was_typed_is_there_again_after_the_browser_was_closed(desk: Desk, busy: BusySite):
    desk.sign_in("coordinator")
    desk.open(of_first(busy, FORM))
    desk.page.check("input[name=item-3][value='2']")
    expect(desk.page.locator("[data-draft-said]")).to_contain_text("Draft kept")
    assert not Response.objects.filter(instrument__key="gad7").exists()
    desk.open("/admin/")
    desk.open(of_first(busy, FORM))
    expect(desk.page.locator("input[name=item-3][value='2']")).to_be_checked()
    for item in range(1, 8):
        desk.page.check(f"input[name=item-{item}][value='1']")
    desk.page.click("button[data-save]")
    desk.page.wait_for_url(f"**{of_first(busy)}?visit=BL")
    assert not Draft.objects.filter(form__contains="gad7").exists()


def test_a_mistake_is_told_beside_its_item_and_nothing_typed_is_lost(desk: Desk, busy: BusySite):
    desk.sign_in("coordinator")
    desk.open(of_first(busy, "visits/BL/forms/eq5d5l/"))
    desk.page.check("input[name=item-SC][value='3']")
    desk.page.fill("input[name=item-vas]", "145")
    desk.page.click("button[data-save]")
    expect(desk.page.locator("[role=alert]")).to_contain_text("Not saved yet")
    expect(desk.page.locator("#fault-vas")).to_be_visible()
    expect(desk.page.locator("input[name=item-SC][value='3']")).to_be_checked()
    expect(desk.page.locator("input[name=item-vas]")).to_have_value("145")


def test_a_participant_is_found_from_the_keyboard(desk: Desk, busy: BusySite):
    desk.sign_in("coordinator")
    desk.page.keyboard.press("Control+k")
    desk.page.keyboard.type(busy.first.allocation.kit_number)
    desk.page.keyboard.press("Enter")
    expect(desk.page).to_have_url(re.compile(of_first(busy)))


def test_every_page_reads_well_and_fits_the_screen(desk: Desk, busy: BusySite):
    """One walk: signing in for each page would take longer than the pages."""
    faults: list[str] = []
    for who in sorted({page.who for page in PAGES.values()}):
        desk.page.context.clear_cookies()
        desk.sign_in(who)
        for name, page in PAGES.items():
            if page.who == who and name != "protocol":  # a text, no page
                desk.open(page.at(busy))
                faults += [f"{name}: {fault}" for check in CHECKS for fault in check(desk)]
    assert not faults, "\n".join(faults)


def _accessibility(desk: Desk) -> list[str]:
    found = Axe().run(desk.page, options={"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
    return [f"{fault['id']}: {fault['nodes'][0]['html'][:120]}" for fault in found.response["violations"]]


def _widths(desk: Desk) -> list[str]:
    """Pages that must be scrolled sideways; a wide table scrolls by itself."""
    too_wide = []
    for width in WIDTHS:
        desk.page.set_viewport_size({"width": width, "height": 900})
        taken = desk.page.evaluate("document.documentElement.scrollWidth")
        if taken > width:
            too_wide.append(f"{taken} px on a screen of {width}: {desk.page.evaluate(WIDEST)}")
    desk.page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    return too_wide


CHECKS: tuple[Callable[[Desk], list[str]], ...] = (_accessibility, _widths)


def test_nothing_is_lost_or_saved_in_another_name_when_the_session_ends(desk: Desk, busy: BusySite):
    """Signed out while typing: Save sends nothing away. Another signs in: still nothing. Oneself again: it is saved."""
    desk.sign_in("coordinator")
    desk.open(of_first(busy, FORM))
    for item in range(1, 8):
        desk.page.check(f"input[name=item-{item}][value='1']")
    desk.page.context.clear_cookies(name="trialsite")
    said, save = desk.page.locator("[data-draft-said]"), desk.page.locator("button[data-save]")
    save.click()
    expect(said).to_contain_text("You are signed out")
    with desk.page.context.expect_page() as opened:
        said.get_by_role("link", name="Sign in").click()
    beside = Desk(opened.value, desk.door)
    beside.sign_in("efficacy_rater")
    save.click()
    expect(said).to_contain_text("is signed in now")
    assert not Response.objects.filter(instrument__key="gad7").exists()
    beside.page.click("header button.plain")
    beside.sign_in("coordinator")
    save.dblclick()
    desk.page.wait_for_url(f"**{of_first(busy)}?visit=BL")
    saved = Response.objects.get(participant=busy.first, instrument__key="gad7")
    assert (saved.entered_by, [item.value for item in saved.items.all()]) == ("coordinator", [1] * 7)
    desk.complaints = [said for said in desk.complaints if "403" not in said]  # what the end of a session answers


def test_without_a_connection_a_form_stays_where_it_is(desk: Desk, busy: BusySite):
    desk.sign_in("coordinator")
    desk.open(of_first(busy, FORM))
    desk.page.check("input[name=item-1][value='3']")
    desk.page.context.set_offline(True)
    desk.page.click("button[data-save]")
    expect(desk.page.locator("[data-draft-said]")).to_contain_text("no connection")
    expect(desk.page.locator("input[name=item-1][value='3']")).to_be_checked()
    desk.page.context.set_offline(False)
    desk.complaints = [said for said in desk.complaints if "ERR_INTERNET_DISCONNECTED" not in said]
