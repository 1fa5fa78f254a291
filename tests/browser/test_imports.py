"""Bringing a file of another system: on a wide and a narrow screen, with a mistake and without."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import transaction
from playwright.sync_api import expect

from outcomes.interchange.taking import take
from outcomes.models import ImportedCell, Response
from studies.acting import Program, acting
from studies.models import Membership, Study, User
from tests import factories
from tests.browser.conftest import Desk
from tests.outcomes.interchange.files import ATTESTATION, HEADER, SMALL_DICTIONARY
from tests.outcomes.interchange.test_answers import GOOD as GAD
from tests.outcomes.interchange.test_answers import files as answers_of_gad
from tests.trialsite.busy_site import BusySite

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


def test_values_become_answers_of_a_participant(manager: Desk, busy: BusySite):
    participant = busy.participants[0]
    given = answers_of_gad(GAD, GAD.replace("T0001", "T0999"))
    assert given.dictionary is not None
    take(Program("import_records"), brought=given, study_code="GAD", attestation=ATTESTATION)
    dora = User.objects.get(username="dora")
    with acting(Program("import_records"), "for the test"), transaction.atomic():
        Membership.objects.create(user=dora, study=Study.objects.get(code="GAD"), role="data_manager")
    page = manager.page
    manager.open("/admin/imports/studies/GAD/answers/")
    check_the_page(manager)
    page.get_by_role("textbox", name="Participant", exact=True).fill("KALM-BER-{subject}")
    page.get_by_label("Event “baseline_arm_1” is the visit").select_option("BL")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Map gad").click()
    page.get_by_label("Instrument").select_option("gad7")
    page.get_by_role("button", name="Show its items").click()
    expect(page.get_by_label("1. Nervousness (0 to 3)")).to_have_value("gad_1")
    page.get_by_label("Answered on").select_option("gad_on")
    check_the_page(manager)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Show what this would change").click()
    expect(page.locator("main")).to_contain_text("KALM has no participant KALM-BER-T0999.")
    check_the_page(manager)
    page.get_by_text("Leave them out, and take the others").click()
    page.get_by_role("button", name="Take them into KALM").click()
    expect(page.locator("h1")).to_have_text("Answers of GAD, taken into KALM")
    check_the_page(manager)
    assert Response.objects.get(instrument__key="gad7").participant == participant
