"""The desk page for exports of QST devices: choose, see the difference, take it or leave it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from outcomes.models import ImportedFile, QSTSession
from studies.models import Draft
from tests.outcomes.qst_import.exports import MAPPINGS, as_csv, oracle_rows, with_cell
from tests.trialsite.busy_site import BusySite

pytestmark = pytest.mark.django_db
PAGE = "/admin/qst/import/"
MAPPING = (MAPPINGS / "canonical.yaml").read_bytes()


@pytest.fixture
def rows(busy: BusySite) -> list[dict[str, str]]:
    """A session of W1, tested by the site's coordinator."""
    found = oracle_rows(busy.first.identifier, "W1")
    return [row | {"examiner": "coordinator", "timestamp": "2026-11-20T10:00:00"} for row in found]


def choose(client: Client, content: bytes, **about: Any) -> Any:
    files = {"data": SimpleUploadedFile("monday.csv", content)}
    if not about:
        files["mapping"] = SimpleUploadedFile("canonical.yaml", MAPPING)
    return client.post(PAGE, {**files, **about})


def test_the_difference_is_shown_and_then_taken(busy: BusySite, rows: list[dict[str, str]]):
    cora = busy.as_("coordinator")
    shown = choose(cora, as_csv(rows))
    assert shown.status_code == 200
    content = shown.content.decode()
    assert f"<dt>New</dt><dd>{len(rows)} readings</dd>" in content
    assert "1 new, 0 changed" in content
    assert not QSTSession.objects.filter(participant=busy.first, visit__code="W1").exists()
    digest = content.split('name="shown" value="')[1].split('"')[0]
    assert cora.post(PAGE, {"take": "1", "shown": digest}).status_code == 302
    session = QSTSession.objects.get(participant=busy.first, visit__code="W1")
    assert session.imported_file == ImportedFile.objects.get()
    after = cora.get(PAGE).content.decode()
    assert f"monday.csv: {len(rows)} readings taken; 1 sessions entered, 0 corrected." in after
    assert not Draft.objects.filter(form="qst_export").exists()
    assert "from monday.csv" in cora.get(f"/admin/participants/{busy.first.identifier}/visits/W1/qst/").content.decode()


def test_the_mapping_of_an_earlier_file_can_be_used_again_and_a_change_takes_a_reason(
    busy: BusySite, rows: list[dict[str, str]]
):
    cora = busy.as_("coordinator")
    choose(cora, as_csv(rows))
    cora.post(PAGE, {"take": "1"})
    kept = ImportedFile.objects.get().original
    changed = choose(cora, as_csv(with_cell(rows, 2, "value", "30.0")), earlier=str(kept.pk))
    assert "0 new, 1 changed" in changed.content.decode()
    without = cora.post(PAGE, {"take": "1"})
    assert (without.status_code, "give the reason" in without.content.decode()) == (422, True)
    assert cora.post(PAGE, {"take": "1", "reason": "exported again"}).status_code == 302
    session = QSTSession.objects.get(participant=busy.first, visit__code="W1")
    assert session.trials.get(parameter="CDT", trial=1).value == 30


def test_what_is_refused_is_listed_row_by_row_and_does_not_wait(busy: BusySite, rows: list[dict[str, str]]):
    cora = busy.as_("coordinator")
    wrong = with_cell(with_cell(rows, 3, "value", "<b>60</b>"), 9, "visit", "W9")
    refused = choose(cora, as_csv(wrong))
    assert refused.status_code == 422
    content = refused.content.decode()
    assert "2 cells cannot be taken" in content
    assert "&lt;b&gt;60&lt;/b&gt;" in content
    assert "The participant has no visit W9." in content
    assert not Draft.objects.filter(form="qst_export").exists()


def test_a_file_is_left_and_nothing_of_it_stays(busy: BusySite, rows: list[dict[str, str]]):
    cora = busy.as_("coordinator")
    choose(cora, as_csv(rows))
    assert Draft.objects.filter(form="qst_export").exists()
    cora.post(PAGE, {"leave": "1"})
    assert not Draft.objects.filter(form="qst_export").exists()
    late = cora.post(PAGE, {"take": "1"})
    assert (late.status_code, "No file waits here" in late.content.decode()) == (422, True)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no file": ({"mapping": SimpleUploadedFile("m.yaml", MAPPING)}, "Choose the file that the device"),
    "no mapping": ({"data": SimpleUploadedFile("d.csv", b"a")}, "Choose a mapping"),
    "a mapping that is none": (
        {"data": SimpleUploadedFile("d.csv", b"a"), "mapping": SimpleUploadedFile("m.yaml", b"study: KALM")},
        "line 1",
    ),
    "a mapping in another encoding": (
        {"data": SimpleUploadedFile("d.csv", b"a"), "mapping": SimpleUploadedFile("m.yaml", b"\xff\xfe")},
        "A mapping is a text in UTF-8.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_was_chosen_wrongly_is_said_in_a_sentence(case: str, busy: BusySite):
    chosen, message = WRONG[case]
    for upload in chosen.values():
        upload.seek(0)
    answer = busy.as_("coordinator").post(PAGE, chosen)
    assert answer.status_code == 422
    assert message in answer.content.decode()


def test_who_may_not_enter_qst_does_not_open_the_page(busy: BusySite):
    for who in ("infusion_nurse", "auditor", "statistician"):
        assert busy.as_(who).get(PAGE).status_code == 403
