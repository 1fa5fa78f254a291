"""Bringing a file of another system at the desk: looked at first, then taken or put away."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from outcomes.instrument_versions import load_instruments
from outcomes.interchange.answers_saved import mapping_in, saved_mapping
from outcomes.interchange.records_mapping import AnsweredForm
from outcomes.models import AnswersMapping, ImportedCell, ImportReport, PendingFile, PendingImport, Response, Score
from studies.acting import acting
from studies.models import Participant, Study, User
from tests import factories
from tests.outcomes.interchange.files import ATTESTATION, DATA, HEADER, SMALL_DICTIONARY
from tests.outcomes.interchange.test_answers import GOOD as GAD
from tests.outcomes.interchange.test_answers import files as answers_of_gad

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


def test_codes_for_no_value_are_said_with_the_file(manager: Client):
    files = {**records(GOOD.replace(",7,", ",-99,")), "missing": "-99 = refused"}
    shown = manager.get(bring(manager, files)["Location"]).content.decode()
    assert "<dt>New</dt><dd>10 values</dd>" in shown
    assert "<dt>In doubt</dt><dd>0</dd>" in shown
    wrong = bring(manager, {**records(GOOD), "missing": "-99: refused"})
    assert "Write a code, = and what it is: -99 = refused." in wrong.content.decode()


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


# Answers ---------------------------------------------------------------------------------------------


@pytest.fixture
def gad(manager: Client) -> tuple[Client, Participant]:
    """An imported study with one form that is an instrument here, and its participant."""
    load_instruments(factories.SETTING_UP)
    study = Study.objects.get(code="KALM")
    site = study.sites.get(code="BER")
    cora = factories.person("cora", study, "coordinator", site)
    participant = factories.Participants(study.protocol_versions.get(), cora).ready(site)
    factories.with_visits(participant)
    take(manager, bring(manager, gad_file(GAD), study="GAD")["Location"])
    return manager, participant


def gad_file(*rows: str) -> dict[str, object]:
    given = answers_of_gad(*rows)
    assert given.dictionary is not None
    return {
        "file": SimpleUploadedFile("gad.csv", given.file.content),
        "dictionary": SimpleUploadedFile("dictionary.csv", given.dictionary.content),
    }


GENERAL = {"target": "KALM", "participant": "KALM-BER-{subject}", "event_0": "BL", "missing": "NI = refused"}
ITEMS = {f"item_{n}": f"gad_{n}" for n in range(1, 8)} | {"completed_on": "gad_on"}


def at(name: str, query: str = "") -> str:
    return reverse(f"admin:{name}", args=["GAD"]) + query


def forms_that_are_mapped() -> tuple[AnsweredForm, ...]:
    answers = mapping_in(saved_mapping(Study.objects.get(code="GAD"))).answers
    assert answers is not None
    return answers.forms


def mapped(client: Client, **changes: str) -> None:
    client.post(at("import_answers"), GENERAL)
    client.post(at("import_answers_form", "?form=Form.gad&instrument=gad7"), ITEMS | changes)


def test_values_become_answers_by_a_mapping_that_is_saved_and_used_again(gad: tuple[Client, Participant]):
    manager, participant = gad
    assert b"Say first, above, whose the values are" in manager.get(at("import_answers")).content
    assert manager.get(at("import_answers_difference")).status_code == 409
    manager.post(at("import_answers"), GENERAL)
    suggested = manager.get(at("import_answers_form", "?form=Form.gad&instrument=gad7")).content.decode()
    assert "The names prove nothing" in suggested
    assert re.findall(r'<option value="(gad_\d)" selected', suggested) == [f"gad_{n}" for n in range(1, 8)]
    mapped(manager)
    shown = manager.get(at("import_answers_difference")).content.decode()
    assert "<dt>New</dt><dd>1 form</dd>" in shown
    assert not Response.objects.filter(instrument__key="gad7").exists()
    report = take(manager, at("import_answers_difference")).content.decode()
    assert "1 form taken into KALM" in report
    response = Response.objects.get(instrument__key="gad7")
    assert (response.participant, response.source, response.entered_by) == (participant, "import", "dora")
    assert "everything is stored already" in manager.get(at("import_answers_difference")).content.decode()

    again = bring(manager, gad_file(GAD.replace(",2,1,2,", ",3,1,2,")), study="GAD")["Location"]
    take(manager, again, changed="correct", reason="read again")
    shown = manager.get(at("import_answers_difference")).content.decode()
    assert 'item 1</td><td class="number">2</td><td class="number">3</td>' in shown
    refused = take(manager, at("import_answers_difference"), changed="correct")
    assert "Give the reason for the change." in refused.content.decode()
    report = take(manager, at("import_answers_difference"), changed="correct", reason="read again").content.decode()
    assert "1 corrected" in report
    assert Score.objects.get(response=response, name="total").number == 10
    assert AnswersMapping.objects.count() == 2
    assert b"instrument: gad7" in manager.get(at("import_answers_mapping")).content


def test_forms_that_are_refused_are_shown_with_row_and_rule_and_left_out_when_that_is_chosen(
    gad: tuple[Client, Participant],
):
    manager, _ = gad
    take(manager, bring(manager, gad_file(GAD, GAD.replace("T0001", "T0999")), study="GAD")["Location"])
    mapped(manager)
    shown = manager.get(at("import_answers_difference")).content.decode()
    assert "KALM has no participant KALM-BER-T0999. Nobody is enrolled by an import." in shown
    unchosen = take(manager, at("import_answers_difference"))
    assert unchosen.status_code == 422
    assert not Response.objects.filter(instrument__key="gad7").exists()
    report = take(manager, at("import_answers_difference"), refused="leave").content.decode()
    assert "<dt>Left out</dt><dd>1 refused</dd>" in report
    assert Response.objects.filter(instrument__key="gad7").count() == 1


def test_a_mapping_that_cannot_be_so_is_refused_beside_its_field(gad: tuple[Client, Participant]):
    manager, _ = gad
    wrong = (
        ({"participant": "KALM-BER-T0001"}, "names one person only. Write {subject}"),
        ({"missing": "NI: refused"}, "is not understood. Write a code, = and what it is"),
        ({"missing": "NI = lost"}, "NI = lost: the reason is one of"),
    )
    for changes, words in wrong:
        answer = manager.post(at("import_answers"), GENERAL | changes)
        assert (answer.status_code, words in answer.content.decode()) == (422, True), words
    manager.post(at("import_answers"), GENERAL)
    form = at("import_answers_form", "?form=Form.gad&instrument=gad7")
    twice = manager.post(form, ITEMS | {"item_2": "gad_1"})
    assert "gad_1 is item 1 already; a field is one item." in twice.content.decode()
    assert "No field is chosen yet" in manager.post(form, {}).content.decode()
    assert "A code here is a number: 1 = 0." in manager.post(form, ITEMS | {"codes": "1 = x"}).content.decode()
    assert forms_that_are_mapped() == ()
    mapped(manager)
    manager.post(form, {"forget": "1"})
    assert forms_that_are_mapped() == ()


def test_answers_are_for_who_manages_the_data_of_both_studies(gad: tuple[Client, Participant]):
    manager, _ = gad
    mapped(manager)
    report = take(manager, at("import_answers_difference"))
    other = client_of("data_manager", "dan")
    for address in (at("import_answers"), at("import_answers_difference"), report.wsgi_request.path):
        assert other.get(address).status_code == 404
    dora = User.objects.get(username="dora")
    with acting(factories.SETTING_UP, "for the test"):
        dora.memberships.filter(study__code="KALM").update(ended_at=timezone.now())
    assert manager.get(at("import_answers_difference")).status_code == 403
    assert b"You manage the data of no study" in manager.get(at("import_answers")).content
