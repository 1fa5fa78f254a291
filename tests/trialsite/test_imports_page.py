"""Bringing a file of another system at the desk: looked at first, then taken or put away."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from outcomes.models import ImportedCell, ImportReport, PendingFile, PendingImport
from studies.models import Study
from tests import factories
from tests.outcomes.interchange.files import ATTESTATION, DATA, HEADER, SMALL_DICTIONARY

pytestmark = pytest.mark.django_db
GOOD = "1,7,170.5,2024-05-31,1,1,0,slept badly,Alice,2"


def client_of(role: str, username: str = "dora") -> Client:
    version = factories.kalm()
    site = version.study.sites.first() if role == "coordinator" else None
    client = Client()
    client.force_login(
        factories.person(username, version.study, role, site), backend="django.contrib.auth.backends.ModelBackend"
    )
    return client


@pytest.fixture
def manager() -> Client:
    return client_of("data_manager")


def records(*rows: str) -> dict[str, object]:
    content = "\n".join((HEADER, *rows)) + "\n"
    return {
        "file": SimpleUploadedFile("records.csv", content.encode()),
        "dictionary": SimpleUploadedFile("dictionary.csv", SMALL_DICTIONARY.encode()),
    }


def bring(client: Client, files: dict[str, object], study: str = "SMALL", attestation: str = ATTESTATION):
    about = {"study": study, "attestation": attestation, "encoding": "utf-8", "delimiter": ","}
    return client.post(reverse("admin:imports"), {**files, **about})


def take(client: Client, address: str, **choices: str):
    shown = re.search(r'name="shown" value="([0-9a-f]{64})"', client.get(address).content.decode())
    return client.post(address, {"shown": shown[1] if shown else "", **choices}, follow=True)


def test_a_file_is_looked_at_before_it_is_taken(manager: Client):
    brought = bring(manager, records(GOOD))
    shown = manager.get(brought["Location"]).content.decode()
    assert "<dt>New</dt><dd>10 values</dd>" in shown
    assert not Study.objects.filter(code="SMALL").exists()
    report = take(manager, brought["Location"]).content.decode()
    assert "10 new values" in report
    assert ImportedCell.objects.exclude(item="").count() == 10
    assert not PendingImport.objects.exists()


def test_a_file_that_is_put_away_leaves_nothing(manager: Client):
    brought = bring(manager, records(GOOD))
    assert PendingFile.objects.count() == 2
    manager.post(brought["Location"], {"away": "1"})
    assert not PendingFile.objects.exists()
    assert not Study.objects.filter(code="SMALL").exists()


def test_a_file_that_nobody_decided_about_is_gone_after_a_week(manager: Client):
    bring(manager, records(GOOD))
    PendingImport.objects.update(brought_at=timezone.now() - timedelta(days=8))
    bring(manager, records(GOOD, "2,1,,,,,,,,"))
    assert PendingImport.objects.count() == 1
    assert PendingFile.objects.count() == 2


def test_a_refused_file_shows_each_row_with_its_rule_and_does_not_wait(manager: Client):
    answer = bring(manager, records(GOOD, GOOD))
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "Nothing was taken of records.csv" in shown
    assert "Row 2 holds this record already." in shown
    assert not PendingImport.objects.exists()


def test_values_in_doubt_wait_for_a_choice(manager: Client):
    brought = bring(manager, records(GOOD.replace(",7,", ",seven,")))
    shown = manager.get(brought["Location"]).content.decode()
    assert "Breaks its own definition" in shown
    assert "This is not a number." in shown
    refused = manager.post(brought["Location"], {"doubtful": "keep"})
    assert refused.status_code == 422
    assert "Give the reason for the change." in refused.content.decode()
    report = take(manager, brought["Location"], doubtful="keep", reason="as on paper").content.decode()
    assert "and 1 kept in doubt" in report
    assert "as on paper" in report


def test_a_changed_value_is_left_or_corrected_with_a_reason(manager: Client):
    take(manager, bring(manager, records(GOOD))["Location"])
    changed = bring(manager, records(GOOD.replace(",7,", ",8,")))["Location"]
    shown = manager.get(changed).content.decode()
    assert "Stored otherwise" in shown
    assert "<td>7</td><td>8</td>" in shown
    take(manager, changed, changed="correct", reason="read again")
    assert ImportedCell.objects.get(replaces__isnull=False).value == "8"


def test_what_was_shown_is_what_is_taken(manager: Client):
    """Two people look at the same file: the second one's difference is out of date when they press."""
    first, second = (bring(manager, records(GOOD))["Location"] for _ in range(2))
    stale = re.search(r'name="shown" value="([0-9a-f]{64})"', manager.get(second).content.decode())
    assert stale is not None
    take(manager, first)
    other = bring(manager, records(GOOD, "2,1,,,,,,,,"))["Location"]
    refused = manager.post(other, {"shown": stale[1]})
    assert refused.status_code == 422
    assert "What is stored has changed since" in refused.content.decode()


def test_a_new_study_needs_an_attestation_and_a_code(manager: Client):
    for about, words in (({"attestation": ""}, "who answers for it"), ({"study": "no code!"}, "is no code")):
        answer = bring(manager, records(GOOD), **about)
        assert answer.status_code == 422
        assert words in answer.content.decode()


def test_a_study_that_is_conducted_here_takes_no_file_of_another_system(manager: Client):
    answer = bring(manager, records(GOOD), study="KALM")
    assert answer.status_code == 422
    assert "KALM is conducted here" in answer.content.decode()


def test_a_study_out_of_sight_tells_nothing_of_itself(manager: Client):
    take(manager, bring(manager, records(GOOD))["Location"])
    other = client_of("data_manager", "dan")
    answer = bring(other, records(GOOD))
    assert "This code cannot be used." in answer.content.decode()
    report = ImportReport.objects.get()
    assert other.get(reverse("admin:import_report", args=[report.imported_file_id])).status_code == 404
    assert other.get(reverse("admin:import_odm", args=["SMALL"])).status_code == 404


def test_only_the_data_manager_brings_files():
    coordinator = client_of("coordinator", "cora")
    assert coordinator.get(reverse("admin:imports")).status_code == 403
    assert bring(coordinator, records(GOOD)).status_code == 403


def test_names_are_neither_in_the_difference_nor_in_the_download(manager: Client):
    take(manager, bring(manager, records(GOOD))["Location"])
    changed = bring(manager, records(GOOD.replace("Alice", "Alicia")))["Location"]
    shown = manager.get(changed).content.decode()
    assert "(identifying: not shown)" in shown
    assert "Alic" not in shown
    exported = manager.get(reverse("admin:import_odm", args=["SMALL"]))
    assert exported["Content-Type"].startswith("application/xml")
    assert b"Alice" not in exported.content
    assert b"slept badly" in exported.content


def test_a_real_odm_file_is_taken_and_downloaded(manager: Client):
    file = SimpleUploadedFile("snapshot.xml", (DATA / "odm13/odmlib/odm-data-snapshot.xml").read_bytes())
    report = take(manager, bring(manager, {"file": file}, study="VIRUS")["Location"]).content.decode()
    assert "165 new values" in report
    assert b"<ClinicalData" in manager.get(reverse("admin:import_odm", args=["VIRUS"])).content


def test_the_forms_of_an_imported_study_are_offered_as_drafts(manager: Client):
    report = take(manager, bring(manager, records(GOOD))["Location"]).content.decode()
    assert "Forms of the study" in report
    draft = manager.get(reverse("admin:import_draft", args=["SMALL", "pain"]))
    assert b'worst: {label: "worst", min: 0, max: 10}' in draft.content
    assert manager.get(reverse("admin:import_draft", args=["SMALL", "none"])).status_code == 404
    assert client_of("data_manager", "dan").get(draft.wsgi_request.path).status_code == 404
