"""The API of the open door: what each person reads and enters through it, page by page, as JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token

from outcomes.models import Response
from outcomes.qst import SYNTHETIC_REFERENCE
from studies.acting import Program, acting
from studies.models import AdverseEvent, Allocation, Consent, Participant, User
from tests import factories
from tests.trialsite.busy_site import AE, CADSS_TOTAL, FORMULA, KNOWN_VALUES, BusySite
from trialsite.urls_api import router

pytestmark = pytest.mark.django_db
# What each list can be narrowed by, beyond the study and site that all lists of participants' records share.
FILTERS = {
    "studies": {"code": "KALM", "origin": "conducted"},
    "sites": {"study__code": "KALM", "code": "BER", "country": "DE"},
    "participants": {"study__code": "KALM", "site__code": "BER", "status": "randomised"},
    "visits": {"participant__identifier": "KALM-BER-T0001", "code": "BL", "status": "planned"},
    "consents": {"participant__study__code": "KALM"},
    "criteria": {"participant__site__code": "BER"},
    "eligibility-decisions": {"participant__identifier": "KALM-BER-T0001"},
    "allocations": {"participant__identifier": "KALM-BER-T0001"},
    "deviations": {"participant__identifier": "KALM-BER-T0001"},
    "intercurrent-events": {"participant__identifier": "KALM-BER-T0001"},
    "stratum-corrections": {"participant__identifier": "KALM-BER-T0001"},
    "infusions": {"participant__identifier": "KALM-BER-T0001"},
    "adverse-events": {"participant__identifier": "KALM-BER-T0001", "serious": "false", "grade": "2"},
    "responses": {"participant__identifier": "KALM-BER-T0001", "instrument__key": "phq9", "visit__code": "BL"},
    "response-items": {"response__instrument__key": "phq9", "item": "9"},
    "scores": {"response__visit__code": "BL", "name": "total"},
    "qst-sessions": {"participant__study__code": "KALM", "visit__code": "BL"},
    "qst-trials": {"session__visit__code": "BL", "parameter": "HPT", "area": "test"},
    "qst-values": {"parameter": "HPT"},
    "qst-flags": {"session__visit__code": "BL", "code": "calibration_unknown", "standing": "true"},
    "qst-conditioning": {"session__visit__code": "BL"},
    "qst-devices": {"site__code": "BER", "kind": "thermode"},
    "qst-device-uses": {"session__visit__code": "BL"},
    "cuts": {"study__code": "KALM"},
    "design-simulations": {"study__code": "KALM", "status": "done"},
    "plans": {"study__code": "KALM", "version": "1.0"},
    "looks": {"study__code": "KALM"},
    "jobs": {"study__code": "KALM"},
}
# Nothing of these is on a busy site before an analysis (tests/analysis/test_api.py) or a judgement.
EMPTY = {
    "criteria",
    "deviations",
    "stratum-corrections",
    "design-simulations",
    "cuts",
    "plans",
    "looks",
    "jobs",
}
# Lists that belong to participants, so that another site's are not in them.
OF_PARTICIPANTS = sorted(
    set(FILTERS) - {"studies", "sites", "qst-devices", "design-simulations", "cuts", "plans", "looks", "jobs"}
)


def url(path: str) -> str:
    return f"/api/v1/{path}"


def rows(client: Client, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(url(path), query)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def send(client: Client, path: str, **body: Any) -> Any:
    return client.post(url(path), body, content_type="application/json")


def is_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem of a refused request, of the form of RFC 9457."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert (problem["type"], problem["status"]) == (f"urn:trialsite:{code}", status)
    assert problem["title"]
    assert problem["detail"]
    return problem


def test_every_list_is_tested_here():
    assert set(FILTERS) == {prefix for prefix, _, _ in router.registry}


# Reading ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILTERS)
def test_a_list_is_paged_narrowed_and_read_row_by_row_in_few_queries(name: str, busy: BusySite):
    client = busy.as_("investigator")
    found = rows(client, f"{name}/", **FILTERS[name])
    assert bool(found) is (name not in EMPTY)
    for row in found[:1]:
        key = row["identifier"] if name == "participants" else row["id"]
        assert client.get(url(f"{name}/{key}/")).json() == row
    with CaptureQueriesContext(connection) as before:
        rows(client, f"{name}/")
    busy.add(2)
    with CaptureQueriesContext(connection) as after:
        rows(client, f"{name}/")
    assert len(after) <= len(before) <= 7


@pytest.mark.parametrize("name", sorted(set(FILTERS) - EMPTY))
def test_a_filter_that_fits_nothing_gives_nothing_and_nonsense_is_refused(name: str, busy: BusySite):
    client = busy.as_("investigator")
    key = next(iter(FILTERS[name]))
    assert rows(client, f"{name}/", **{key: "XXXX"}) == []
    problem = is_problem(client.get(url(f"{name}/"), {"changed_since": "yesterday"}), 400, "invalid_entries")
    assert "changed_until" in problem["errors"][0]["message"]


@pytest.mark.parametrize("name", OF_PARTICIPANTS)
def test_another_site_sees_none_of_it_and_cannot_tell_that_it_is_there(name: str, busy: BusySite):
    mine, outsider = busy.as_("investigator"), busy.as_("outsider")
    theirs = {f"{busy.stranger}"}
    assert {row.get("participant", row.get("identifier")) for row in rows(outsider, f"{name}/")} <= theirs
    for row in rows(mine, f"{name}/")[:1]:
        key = row["identifier"] if name == "participants" else row["id"]
        is_problem(outsider.get(url(f"{name}/{key}/")), 404, "not_found")
    is_problem(outsider.get(url(f"{name}/987654321/")), 404, "not_found")


def test_side_effects_are_read_by_the_infusion_unit_only(busy: BusySite):
    query = {"response__instrument__key": "cadss23"}
    for who in ("coordinator", "efficacy_rater", "data_manager", "monitor", "statistician", "auditor"):
        client = busy.as_(who)
        assert rows(client, "responses/", instrument__key="cadss23") == [], who
        assert rows(client, "response-items/", **query) == rows(client, "scores/", **query) == [], who
        for row in rows(client, "scores/"):
            assert row["number"] != CADSS_TOTAL
    hidden = Response.objects.filter(instrument__key="cadss23").earliest("pk")
    is_problem(busy.as_("efficacy_rater").get(url(f"responses/{hidden.pk}/")), 404, "not_found")
    correction = {"items": {"1": 0}, "reason": "x"}
    is_problem(send(busy.as_("coordinator"), f"responses/{hidden.pk}/correct/", **correction), 404, "not_found")
    for who in ("infusion_nurse", "investigator"):
        totals = rows(busy.as_(who), "scores/", **query, name="total")
        assert [row["number"] for row in totals] == [CADSS_TOTAL] * len(busy.participants)


def test_no_answer_of_the_api_tells_an_arm(busy: BusySite):
    client = busy.as_("data_manager")
    for name in FILTERS:
        content = client.get(url(f"{name}/")).content.decode()
        assert not any(arm in content for arm in ('"KET"', '"MDZ"', "Ketamine", "Midazolam", '"arm"')), name


def test_pages_follow_each_other_without_gap_or_repetition(busy: BusySite):
    client = busy.as_("investigator")
    whole = [row["id"] for row in rows(client, "response-items/")]
    paged: list[int] = []
    address: str | None = url("response-items/") + "?page_size=7"
    while address:
        page = client.get(address).json()
        paged += [row["id"] for row in page["results"]]
        address = page["next"]
    assert paged == whole
    assert len(whole) > 14


def test_a_page_never_holds_more_than_is_allowed(busy: BusySite):
    assert len(rows(busy.as_("investigator"), "response-items/", page_size=10**9)) < 5000
    is_problem(busy.as_("investigator").get(url("visits/"), {"cursor": "x"}), 404, "not_found")


# CSV --------------------------------------------------------------------------------------------------


def test_a_list_as_csv_has_the_fields_as_columns_and_the_same_values(busy: BusySite):
    client = busy.as_("investigator")
    answer = client.get(url("visits/"), {"format": "csv"})
    assert answer["Content-Type"].startswith("text/csv")
    [*table] = csv.DictReader(io.StringIO(answer.content.decode()))
    plain = rows(client, "visits/")
    assert [row["id"] for row in table] == [str(row["id"]) for row in plain]
    assert list(table[0]) == list(plain[0])
    for column in ("participant", "code", "target_on", "opens_at", "entered_at"):
        assert [row[column] for row in table] == [row[column] or "" for row in plain]
    wanted = client.get(url("visits/"), HTTP_ACCEPT="text/csv")
    assert wanted.content == answer.content


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_a_spreadsheet_would_run_is_made_a_text_in_csv(start: str, busy: BusySite):
    with acting(Program("test"), "hostile"):
        AdverseEvent.objects.filter(participant=busy.first).update(term=f"{start}1+1")
    query = {"participant__identifier": busy.first.identifier}
    client = busy.as_("investigator")
    content = client.get(url("adverse-events/"), query | {"format": "csv"}).content.decode()
    [row] = csv.DictReader(io.StringIO(content, newline=""))
    assert row["term"] == f"'{start}1+1"
    assert rows(client, "adverse-events/", **query)[0]["term"] == f"{start}1+1"


# Signing in -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILTERS)
def test_nobody_reads_without_signing_in(name: str, busy: BusySite):
    answer = Client().get(url(f"{name}/"))
    is_problem(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Token"


def test_a_token_opens_what_its_owner_may_see_until_the_next_one_is_made(busy: BusySite):
    made = send(busy.as_("coordinator"), "token/")
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    first = {"Authorization": f"Token {made.json()['token']}"}
    seen = Client().get(url("participants/"), headers=first).json()["results"]
    assert {row["site"] for row in seen} == {"BER"}
    renewed = Client().post(url("token/"), headers=first)
    second = {"Authorization": f"Token {renewed.json()['token']}"}
    is_problem(Client().get(url("participants/"), headers=first), 401, "authentication_failed")
    assert Client().get(url("participants/"), headers=second).status_code == 200
    is_problem(Client().post(url("token/")), 401, "not_authenticated")


def test_the_token_of_somebody_who_has_left_opens_nothing(busy: BusySite):
    token = Token.objects.create(user=busy.people["coordinator"])
    with acting(Program("test"), "left"):
        User.objects.filter(pk=busy.people["coordinator"].pk).update(is_active=False)
    header = {"Authorization": f"Token {token.key}"}
    is_problem(Client().get(url("participants/"), headers=header), 401, "authentication_failed")


def test_a_session_changes_nothing_without_the_token_of_a_page(busy: BusySite):
    client = Client(enforce_csrf_checks=True)
    client.force_login(busy.people["coordinator"], backend="django.contrib.auth.backends.ModelBackend")
    body = {"study": "KALM", "site": "BER", "sex": "F", "birth": "1974"}
    is_problem(client.post(url("participants/"), body, content_type="application/json"), 403, "permission_denied")


# Entering ---------------------------------------------------------------------------------------------


@pytest.fixture
def enrolled(busy: BusySite) -> str:
    body = {"study": "KALM", "site": "BER", "sex": "F", "birth": "1974-05"}
    answer = send(busy.as_("coordinator"), "participants/", **body)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["identifier"])


def test_a_participant_is_enrolled_in_the_name_of_whose_request_it_is(busy: BusySite, enrolled: str):
    [row] = [r for r in rows(busy.as_("coordinator"), "participants/") if r["identifier"] == enrolled]
    assert (row["status"], row["entered_by"], row["protocol_version"]) == ("screening", "coordinator", "1.0")


def test_who_may_not_enrol_is_refused_and_another_sites_code_is_unknown(busy: BusySite):
    body = {"study": "KALM", "site": "BER", "sex": "F", "birth": "1974-05"}
    is_problem(send(busy.as_("monitor"), "participants/", **body), 403, "not_allowed")
    is_problem(send(busy.as_("outsider"), "participants/", **body), 404, "not_found")
    problem = is_problem(send(busy.as_("coordinator"), "participants/", site="BER", sex="?"), 400, "invalid_entries")
    assert {error["field"] for error in problem["errors"]} == {"study", "sex", "birth"}


def test_the_steps_to_randomisation_are_taken_in_order(busy: BusySite, enrolled: str):
    cora, person = busy.as_("coordinator"), f"participants/{enrolled}/"
    laboratory = {"form": "laboratory", "values": {"egfr": 92}}
    is_problem(send(cora, f"{person}findings/", **laboratory), 409, "consent_missing")
    signed_at = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    is_problem(send(cora, f"{person}consent/", version="9.9", signed_at=signed_at), 400, "invalid_entry")
    assert send(cora, f"{person}consent/", version="1.0", signed_at=signed_at).status_code == 201
    is_problem(send(cora, f"{person}consent/", version="1.0", signed_at=signed_at), 409, "already_done")
    assert send(cora, f"{person}findings/", **laboratory).status_code == 204
    changed = {"form": "laboratory", "values": {"egfr": 20}}
    is_problem(send(cora, f"{person}findings/", **changed), 400, "invalid_entries")
    assert send(cora, f"{person}findings/", **changed, reason="typing error").status_code == 204
    planned = send(cora, f"{person}plan/", on="2026-12-01")
    assert planned.json()["planned_infusion_on"] == "2026-12-01"
    judged = {row["criterion"]: row["result"] for row in send(cora, f"{person}criteria/", answers={"E2": "met"}).json()}
    assert (judged["E2"], judged["I2"]) == ("met", "unknown")
    is_problem(send(cora, f"{person}randomise/"), 409, "randomisation_refused")
    included = {"included": True, "decided_at": signed_at}
    is_problem(send(cora, f"{person}eligibility/", **included), 403, "not_allowed")
    is_problem(send(busy.as_("investigator"), f"{person}eligibility/", **included), 409, "not_eligible")
    excluded = send(busy.as_("investigator"), f"{person}eligibility/", included=False, decided_at=signed_at)
    assert "E2" in excluded.json()["failed_criteria"]
    assert Participant.objects.get(identifier=enrolled).status == "screen_failure"


def test_randomising_answers_with_a_number_and_a_kit_once(busy: BusySite):
    made = factories.Participants(busy.version, busy.people["investigator"], made=50).ready(busy.site())
    cora = busy.as_("coordinator")
    answer = send(cora, f"participants/{made.identifier}/randomise/")
    assert answer.status_code == 201, answer.content
    allocation = Allocation.objects.get(participant=made)
    assert answer.json()["kit_number"] == allocation.kit_number
    is_problem(send(cora, f"participants/{made.identifier}/randomise/"), 409, "already_done")
    is_problem(send(busy.as_("efficacy_rater"), f"participants/{made.identifier}/randomise/"), 403, "not_allowed")


def test_values_of_the_wrong_kind_are_refused_by_name(busy: BusySite):
    cora, person = busy.as_("coordinator"), f"participants/{busy.first.identifier}/"
    for value in ([1], {"a": 1}, None, 10**400):
        problem = send(cora, f"{person}findings/", form="laboratory", values={"egfr": value})
        assert is_problem(problem, 400, "invalid_entries")["errors"][0]["field"] == "values.egfr"
    problem = send(cora, f"{person}findings/", form="laboratory", values={"egfr": 500, "mood": 1})
    assert {e["field"] for e in is_problem(problem, 400, "invalid_entries")["errors"]} == {"egfr", "mood"}


def test_a_questionnaire_is_entered_once_scored_and_corrected_with_a_reason(busy: BusySite):
    cora = busy.as_("coordinator")
    body = {
        "participant": busy.first.identifier,
        "visit": "W1",
        "instrument": "phq9",
        "items": KNOWN_VALUES["phq9"],
        "completed_at": "2026-11-20T10:00:00Z",
    }
    problem = is_problem(send(cora, "responses/", **body | {"items": {"1": 9, "77": 1}}), 400, "invalid_entries")
    assert {error["field"] for error in problem["errors"]} == {"1", "77"}
    saved = send(cora, "responses/", **body)
    assert (saved.status_code, saved.json()["entered_by"]) == (201, "coordinator")
    is_problem(send(cora, "responses/", **body), 409, "already_done")
    path = f"responses/{saved.json()['id']}/correct/"
    is_problem(send(cora, path, items={"1": 3}), 400, "invalid_entries")
    assert send(cora, path, items={"1": 3}, reason="misread").status_code == 200
    query = {"response__participant__identifier": busy.first.identifier, "response__visit__code": "W1"}
    [total] = rows(cora, "scores/", **query, name="total")
    assert total["number"] == 11
    is_problem(send(busy.as_("outsider"), "responses/", **body), 404, "not_found")
    is_problem(send(busy.as_("auditor"), "responses/", **body | {"visit": "W2"}), 403, "not_allowed")


def test_a_qst_session_is_entered_with_its_values_computed(busy: BusySite, settings: Any):
    # Outside demonstrations values are compared with a reference only where one is named.
    settings.QST_REFERENCE = str(SYNTHETIC_REFERENCE)
    body = {
        "participant": busy.first.identifier,
        "visit": "W1",
        "tested_at": "2026-11-20T10:00:00Z",
        "tester": "rita",
        "test_area": "foot",
        "trials": [{"area": "test", "parameter": "HPT", "trial": n, "value": 46.0 + n} for n in (1, 2, 3)],
    }
    rater = busy.as_("efficacy_rater")
    nonsense = body | {"trials": [{"area": "test", "parameter": "XXX", "trial": 1, "value": 400.0}]}
    is_problem(send(rater, "qst-sessions/", **nonsense), 400, "invalid_entries")
    assert send(rater, "qst-sessions/", **body).status_code == 201
    query = {"session__participant__identifier": busy.first.identifier, "session__visit__code": "W1"}
    [value] = rows(rater, "qst-values/", **query, parameter="HPT")
    assert (value["value"], round(value["z"], 6)) == (48.0, round((44.2 - 48) / 3, 6))
    content = rater.get(url("qst-values/"), query | {"parameter": "HPT", "format": "csv"}).content.decode()
    [row] = csv.DictReader(io.StringIO(content))
    assert float(row["z"]) == value["z"]  # a number below zero is no formula
    is_problem(send(rater, "qst-sessions/", **body), 409, "already_done")
    is_problem(send(busy.as_("infusion_nurse"), "qst-sessions/", **body), 403, "not_allowed")


def test_a_qst_session_is_previewed_interpreted_and_asked_about(busy: BusySite, settings: Any):
    settings.QST_REFERENCE = str(SYNTHETIC_REFERENCE)
    device = rows(busy.as_("coordinator"), "qst-devices/")[0]["id"]
    ppt = [{"area": "test", "parameter": "PPT", "trial": n, "value": 100.0} for n in (1, 2, 3)]
    cpm = [
        {"area": "test", "parameter": "CPM", "direction": direction, "trial": 1, "value": value}
        for direction, value in (("before", 300), ("during", 360))
    ]
    body = {
        "participant": busy.first.identifier,
        "visit": "W1",
        "tested_at": "2026-11-20T10:00:00Z",
        "tester": "efficacy_rater",
        "test_area": "foot",
        "test_side": "left",
        "duration_minutes": 61,
        "devices": [device],
        "conditioning": {"test_stimulus": "ppt", "timing": "parallel", "kind": "cold_pressor", "seconds": 60},
        "trials": [*ppt, *cpm],
    }
    rater = busy.as_("efficacy_rater")
    seen = send(rater, "qst-sessions/preview/", **body).json()
    assert {v["parameter"]: v["value"] for v in seen["values"]}["cpm_effect"] == -60
    long = next(flag for flag in seen["flags"] if flag["code"] == "session_length")
    query = {"session__participant__identifier": busy.first.identifier, "session__visit__code": "W1"}
    assert rows(rater, "qst-values/", **query) == []  # a preview writes nothing
    is_problem(send(rater, "qst-sessions/", **body | {"devices": [10**9]}), 400, "invalid_entry")
    body["comments"] = {f"{long['area']}/{long['key']}": "waited for the thermode"}
    saved = send(rater, "qst-sessions/", **body).json()
    assert (saved["test_side"], saved["duration_minutes"]) == ("left", 61)
    found = rater.get(url(f"qst-sessions/{saved['id']}/findings/")).json()
    [finding] = found["areas"][0]["findings"]
    assert (finding["words"], finding["kind"]) == ("Pressure hyperalgesia", "gain")
    assert found["areas"][0]["profile"] == "L0G2"
    flags = {flag["code"]: flag for flag in rows(rater, "qst-flags/", **query)}
    assert flags["session_length"]["comment"] == "waited for the thermode"
    # The first session of the busy site was tested by somebody else.
    open_one = flags["examiner_changed"]
    assert open_one["comment"] == ""
    is_problem(send(rater, f"qst-flags/{open_one['id']}/answer/", comment=" "), 400, "invalid_entries")
    assert send(rater, f"qst-flags/{open_one['id']}/answer/", comment="on leave").json()["comment"] == "on leave"
    is_problem(send(busy.as_("auditor"), f"qst-flags/{open_one['id']}/answer/", comment="x"), 403, "not_allowed")


def test_an_adverse_event_is_reported_with_all_mistakes_told_at_once(busy: BusySite):
    nurse = busy.as_("infusion_nurse")
    body = {
        "participant": busy.first.identifier,
        "term": FORMULA,
        "started_on": "2026-11",
        "grade": AE.grade,
        "relatedness": AE.relatedness,
        "outcome": AE.outcome,
    }
    wrong = body | {"started_on": "soon", "grade": 9}
    fields = {e["field"] for e in is_problem(send(nurse, "adverse-events/", **wrong), 400, "invalid_entries")["errors"]}
    assert fields == {"started_on", "grade"}
    reported = send(nurse, "adverse-events/", **body)
    assert (reported.status_code, reported.json()["number"]) == (201, 2)
    is_problem(send(busy.as_("statistician"), "adverse-events/", **body), 403, "not_allowed")


def test_a_withdrawn_consent_stops_what_comes_by_the_api(busy: BusySite):
    with acting(Program("test"), "withdrawn"):
        now = datetime.now(UTC)
        Consent.objects.filter(participant=busy.first).update(withdrawn_at=now, withdrawal_scope="collection")
    body = {"participant": busy.first.identifier, "visit": "W2", "instrument": "phq9", "items": {}}
    answer = send(busy.as_("coordinator"), "responses/", **body, completed_at="2026-11-20T10:00:00Z")
    is_problem(answer, 409, "consent_missing")


# Refusals ---------------------------------------------------------------------------------------------

Ask = Callable[[Client], Any]
REFUSED: dict[str, tuple[Ask, int, str]] = {
    "no such row": (lambda c: c.get(url("visits/0/")), 404, "not_found"),
    "no such key": (lambda c: c.get(url("visits/first/")), 404, "not_found"),
    "no such method": (lambda c: c.delete(url("visits/1/")), 405, "method_not_allowed"),
    "not JSON": (lambda c: c.post(url("responses/"), "{", content_type="application/json"), 400, "parse_error"),
    "brackets without end": (
        lambda c: c.post(url("adverse-events/"), "[" * 100_000, content_type="application/json"),
        400,
        "parse_error",
    ),
    "a name twice": (
        lambda c: c.post(url("adverse-events/"), '{"grade": 1, "grade": 2}', content_type="application/json"),
        400,
        "parse_error",
    ),
    "no object": (lambda c: c.post(url("responses/"), "[]", content_type="application/json"), 400, "invalid_entries"),
    "other media": (lambda c: c.post(url("responses/"), "x", content_type="image/png"), 415, "unsupported_media_type"),
    "other format": (lambda c: c.get(url("visits/"), {"format": "xml"}), 404, "not_found"),
    "a filter of another kind": (lambda c: c.get(url("responses/"), {"day": "soon"}), 400, "invalid_entries"),
    "a number too large": (lambda c: c.get(url("visits/"), {"changed_since": "9" * 30}), 400, "invalid_entries"),
    "a null in a text": (lambda c: c.get(url("visits/"), {"code": "a\0b"}), 400, "invalid_entries"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_every_refusal_is_a_problem_with_a_code(what: str, busy: BusySite):
    ask, status, code = REFUSED[what]
    is_problem(ask(busy.as_("coordinator")), status, code)


def test_an_address_of_the_api_that_leads_nowhere_is_a_problem_too(busy: BusySite):
    is_problem(busy.as_("coordinator").get(url("arms/")), 404, "not_found")
