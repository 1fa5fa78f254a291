"""Bringing a file of another system: on a wide and a narrow screen, with a mistake and without."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from outcomes.models import ImportedCell
from studies.models import Study
from tests import factories
from tests.browser.conftest import Desk
from tests.outcomes.interchange.files import ATTESTATION, HEADER, SMALL_DICTIONARY

pytestmark = pytest.mark.django_db(transaction=True)
GOOD = "1,7,170.5,2024-05-31,1,1,0,slept badly,Alice,2"


@pytest.fixture
def manager(desk: Desk) -> Desk:
    factories.person("dora", Study.objects.get(code="KALM"), "data_manager")
    desk.sign_in("dora")
    return desk


def bring(desk: Desk, folder: Path, *rows: str) -> None:
    (folder / "records.csv").write_text("\n".join((HEADER, *rows)) + "\n")
    (folder / "dictionary.csv").write_text(SMALL_DICTIONARY)
    desk.open("/admin/imports/")
    desk.page.set_input_files("input[name=file]", folder / "records.csv")
    desk.page.set_input_files("input[name=dictionary]", folder / "dictionary.csv")
    desk.page.fill("input[name=study]", "BACKPAIN")
    desk.page.fill("textarea[name=attestation]", ATTESTATION)
    desk.page.get_by_role("button", name="Show the difference").click()


def check_the_page(desk: Desk) -> None:
    """Nothing must be scrolled sideways at 360 px, and axe finds nothing."""
    desk.page.set_viewport_size({"width": 360, "height": 740})
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= 360
    found = Axe().run(desk.page, options={"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
    assert [violation["id"] for violation in found.response["violations"]] == []
    desk.page.set_viewport_size({"width": 1280, "height": 800})


def test_a_file_is_refused_then_looked_at_then_taken(manager: Desk, tmp_path: Path):
    bring(manager, tmp_path, GOOD, GOOD)
    expect(manager.page.locator(".errors")).to_contain_text("Nothing was taken of records.csv")
    expect(manager.page.locator("main")).to_contain_text("Row 2 holds this record already.")
    check_the_page(manager)

    bring(manager, tmp_path, GOOD, "2,seven,,,,,,,,")
    expect(manager.page.locator("h1")).to_have_text("What records.csv would change")
    expect(manager.page.locator("main")).to_contain_text("2 · pain · worst")
    check_the_page(manager)
    manager.page.get_by_text("Leave them out").click()
    manager.page.get_by_role("button", name="Take it into BACKPAIN").click()

    expect(manager.page.locator("h1")).to_have_text("Import of records.csv")
    expect(manager.page.locator("main")).to_contain_text("11 new values")
    check_the_page(manager)
    assert ImportedCell.objects.exclude(item="").count() == 11
