"""What tells the arm is the protocol's to say: an instrument and a form that no file flags are kept from raters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from analysis.cuts.tables import blinded_tables, restricted_tables
from outcomes.arm_revealing import flagged_instruments, revealing_of, visible_findings
from outcomes.models import Response
from outcomes.responses import ResponseEntry, correct_response, save_response
from studies.acting import acting
from studies.errors import NotAllowed
from studies.findings import enter_findings
from studies.models import Finding, Participant, ProtocolVersion, User
from studies.protocol.arm_revealing import Revealing
from tests import factories
from tests.trialsite.busy_site import KNOWN_VALUES, BusySite

pytestmark = pytest.mark.django_db
UNIT, OTHERS = ("infusion_nurse", "investigator"), ("coordinator", "efficacy_rater", "statistician", "data_manager")
Mark = Callable[[], None]


@pytest.fixture
def mark(busy: BusySite) -> Mark:
    """Let the protocol of everybody mark the PHQ-9 and the laboratory form."""
    assert not {"phq9"} & flagged_instruments()

    def write() -> None:
        source = busy.version.source.replace("bprs_positive]", "bprs_positive, phq9]", 1)
        source = source.replace("forms: [pharmacokinetics]", "forms: [pharmacokinetics, laboratory]", 1)
        assert source.count("phq9]") > busy.version.source.count("phq9]")
        with acting(factories.SETTING_UP, "marked"):
            marked = ProtocolVersion.objects.create(study=busy.study, version="1.1", source=source, sha256="0")
            Participant.objects.filter(study=busy.study).update(protocol_version=marked)

    return write


def again(busy: BusySite) -> Participant:
    return Participant.objects.select_related("site", "study", "protocol_version").get(pk=busy.first.pk)


def _listed(busy: BusySite, who: str, path: str) -> int:
    """How many rows of the PHQ-9 a person is shown, as JSON and as CSV alike."""
    response = "" if path == "responses" else "response__"
    about = {f"{response}participant__identifier": busy.first.identifier, f"{response}instrument__key": "phq9"}
    browser = busy.as_(who)
    rows = browser.get(f"/api/v1/{path}/", about).json()["results"]
    sheet = browser.get(f"/api/v1/{path}/", {**about, "format": "csv"}).content.decode()
    assert max(len(sheet.strip().splitlines()) - 1, 0) == len(rows)
    return len(rows)


@pytest.mark.parametrize("path", ["responses", "response-items", "scores"])
def test_the_api_lists_a_marked_instrument_to_the_infusion_unit_only(busy: BusySite, mark: Mark, path: str):
    assert all(_listed(busy, who, path) for who in (*UNIT, *OTHERS))
    mark()
    assert [_listed(busy, who, path) for who in OTHERS] == [0] * len(OTHERS)
    assert all(_listed(busy, who, path) for who in UNIT)


def test_the_desk_shows_and_takes_a_marked_instrument_from_the_infusion_unit_only(busy: BusySite, mark: Mark):
    person = f"/admin/participants/{busy.first.identifier}/"
    form = f"{person}visits/BL/forms/phq9/"
    mark()
    for who, status in (("efficacy_rater", 403), ("coordinator", 403), ("infusion_nurse", 200)):
        browser = busy.as_(who)
        assert browser.get(form).status_code == status
        assert (form in browser.get(f"{person}?visit=BL").content.decode()) is (status == 200)


def test_answers_to_a_marked_instrument_are_entered_and_corrected_by_the_infusion_unit_only(busy: BusySite, mark: Mark):
    mark()
    person = again(busy)
    visit = person.visits.get(code="W2")
    entry = ResponseEntry(person, "phq9", KNOWN_VALUES["phq9"], factories.LONG_AGO, visit=visit)
    with pytest.raises(NotAllowed):
        save_response(busy.people["coordinator"], entry=entry)
    saved = save_response(fresh(busy, "infusion_nurse"), entry=entry)
    change: dict[str, Any] = {"response": saved, "items": {"1": 2.0}, "reason": "misread"}
    with pytest.raises(NotAllowed):
        correct_response(busy.people["coordinator"], **change)
    assert correct_response(fresh(busy, "infusion_nurse"), **change)


def fresh(busy: BusySite, who: str) -> User:
    return User.objects.get(pk=busy.people[who].pk)


def test_the_history_keeps_the_answers_of_a_marked_instrument(busy: BusySite, mark: Mark):
    response = Response.objects.get(participant=busy.first, instrument__key="phq9", visit__code="BL")
    asked = {"kind": "response", "record": str(response.pk)}
    path = f"/admin/participants/{busy.first.identifier}/history/"
    mark()
    assert "kept at the infusion unit" in busy.as_("efficacy_rater").get(path, asked).content.decode()
    assert "PHQ" not in busy.as_("efficacy_rater").get(path, asked).content.decode()
    assert "kept at the infusion unit" not in busy.as_("infusion_nurse").get(path, asked).content.decode()


def test_alerts_from_a_marked_instrument_are_the_infusion_units(busy: BusySite, mark: Mark):
    path = f"/admin/alerts/{busy.first.safety_alerts.order_by('pk')[0].pk}/"
    assert busy.as_("coordinator").get(path).status_code == 200
    mark()
    assert busy.as_("coordinator").get(path).status_code == 404
    assert busy.as_("investigator").get(path).status_code == 200


def test_a_marked_form_is_the_infusion_units_with_what_was_found_on_it(busy: BusySite, mark: Mark):
    values = {"alt_times_uln": 1.0}
    page = f"/admin/participants/{busy.first.identifier}/findings/laboratory/"
    enter_findings(busy.people["coordinator"], participant=again(busy), form="laboratory", values=values)
    assert busy.as_("coordinator").get(page).status_code == 200
    assert visible_findings(fresh(busy, "coordinator")).filter(key="alt_times_uln").exists()
    mark()
    assert busy.as_("coordinator").get(page).status_code == 403
    assert busy.as_("infusion_nurse").get(page).status_code == 200
    assert not visible_findings(fresh(busy, "coordinator")).filter(key="alt_times_uln").exists()
    assert visible_findings(fresh(busy, "infusion_nurse")).filter(key="alt_times_uln").exists()
    change: dict[str, Any] = {
        "participant": again(busy),
        "form": "laboratory",
        "values": {"alt_times_uln": 1.5},
        "reason": "misread",
    }
    with pytest.raises(NotAllowed):
        enter_findings(fresh(busy, "coordinator"), **change)
    enter_findings(fresh(busy, "investigator"), **change)
    assert Finding.objects.get(participant=busy.first, key="alt_times_uln").number == 1.5


def test_a_cut_keeps_a_marked_instrument_out_of_the_blinded_part(busy: BusySite, mark: Mark):
    mark()
    revealing = Revealing.of([again(busy).protocol_version.definition], flagged=flagged_instruments())
    assert revealing == revealing_of(again(busy))
    telling = set(Response.objects.filter(instrument__key="phq9").values_list("pk", flat=True))
    parts = [_responses_of(tables(revealing), busy) for tables in (blinded_tables, restricted_tables)]
    assert (telling & parts[0], telling <= parts[1]) == (set(), True)


def _responses_of(tables: list[Any], busy: BusySite) -> set[int]:
    table = next(table for table in tables if table.kind == "response")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM ({table.select(busy.study.pk)}) rows")
        return {key for (key,) in cursor.fetchall()}
