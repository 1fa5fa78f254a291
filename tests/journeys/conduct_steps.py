"""The steps of those who conduct the trial, from signing in to the history of an answer."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.journeys import screening_data
from tests.journeys.journey import Journey, StepFailed, expect, require
from tests.journeys.visitor import Visitor

SITE = ZoneInfo("Europe/Berlin")
REASON = "Misread on the paper form"
PARTICIPANT = re.compile(r"/admin/participants/(KALM-BER-\d+)/")


def doors_are_ready(journey: Journey) -> None:
    """Both doors are alive, and everything behind them answers"""
    for door in (journey.open_door, journey.closed_door):
        visitor = Visitor(door)
        expect(visitor.get("/healthz"), 200, "the process lives")
        ready = expect(visitor.get("/readyz"), 200, "the door is ready").json
        require(set(ready.values()) == {"ok"}, f"not ready: {ready}")


def a_wrong_password_opens_nothing(journey: Journey) -> None:
    """A wrong password opens neither door"""
    for door, sign_in, inside in (
        (journey.open_door, "/admin/login/", "/admin/participants/"),
        (journey.closed_door, "/login/", "/looks/"),
    ):
        visitor = Visitor(door)
        username = "coordinator" if door == journey.open_door else "dsmb"
        visitor.sign_in(sign_in, username, "wrong password")
        landed = visitor.get(inside).address
        require("/login/" in landed, f"a wrong password led to {landed}")


def the_coordinator_sees_today(journey: Journey) -> None:
    """The coordinator signs in and sees what is due today"""
    page = expect(journey.as_("coordinator").get("/admin/"), 200, "the home page")
    require("<h1" in page.text and "Overdue" in page.text, "the home page does not say what is due")


def the_coordinator_enrols(journey: Journey) -> None:
    """The coordinator enrols a participant, who gets a number"""
    coordinator = journey.as_("coordinator")
    [site] = coordinator.get("/api/v1/sites/", code="BER", study__code="KALM").json["results"]
    typed = {"site": site["id"], "sex": "F", "birth": "1974-05", "name": "Frida Example"}
    page = expect(coordinator.fill("/admin/participants/enrol/", typed), 200, "enrol")
    found = PARTICIPANT.search(page.address)
    if found is None:
        raise StepFailed(f"enrolment led to {page.address}, not to the participant's page")
    journey.participant = found[1]


def nothing_is_collected_before_consent(journey: Journey) -> None:
    """Nothing is collected before consent is signed"""
    body = {"form": "laboratory", "values": screening_data.FINDINGS["laboratory"]}
    refused = expect(journey.as_("coordinator").send(journey.api + "findings/", body), 409, "findings before consent")
    require(refused.json["type"] == "urn:trialsite:consent_missing", f"refused for another reason: {refused.json}")


def consent_is_signed(journey: Journey) -> None:
    """Consent is recorded, and the infusion planned: the visits get their windows"""
    coordinator = journey.as_("coordinator")
    signed = datetime.now(SITE) - timedelta(days=9)
    typed = {"version": "1.0", "signed_at": f"{signed:%Y-%m-%dT%H:%M}"}
    expect(coordinator.fill(journey.page + "consent/", typed), 200, "record consent")
    expect(coordinator.fill(journey.page + "plan/", {"on": f"{datetime.now(SITE):%Y-%m-%d}"}), 200, "plan the infusion")
    visits = coordinator.get("/api/v1/visits/", participant__identifier=journey.participant).json["results"]
    windows = {visit["code"]: visit["opens_at"] for visit in visits}
    require(bool(windows) and windows["W4"] is not None, f"week 4 has no window: {windows}")


def the_site_enters_what_it_found(journey: Journey) -> None:
    """The site enters history, vital signs, laboratory, pain class, two interviews and a week of diary"""
    coordinator = journey.as_("coordinator")
    for form, values in screening_data.FINDINGS.items():
        body = {"form": form, "values": values}
        expect(coordinator.send(journey.api + "findings/", body), 204, f"enter {form}")
    now = datetime.now(SITE)
    for instrument, items in (("madrs", screening_data.MADRS), ("cssrs", screening_data.CSSRS)):
        _enter(coordinator, journey, instrument=instrument, visit="SCR", items=items, completed_at=now.isoformat())
    for days_ago, items in zip(range(7, 0, -1), screening_data.DIARY, strict=True):
        evening = (now - timedelta(days=days_ago)).replace(hour=20)
        day = f"{evening:%Y-%m-%d}"
        _enter(coordinator, journey, instrument="diary_daily", day=day, items=items, completed_at=evening.isoformat())


def _enter(visitor: Visitor, journey: Journey, **body: object) -> dict[str, Any]:
    body["participant"] = journey.participant
    saved: dict[str, Any] = expect(visitor.send("/api/v1/responses/", body), 201, f"enter {body['instrument']}").json
    return saved


def nobody_is_randomised_unseen(journey: Journey) -> None:
    """Randomisation is refused while the investigator has not decided"""
    refused = expect(journey.as_("coordinator").send(journey.api + "randomise/"), 409, "randomise before the decision")
    require(refused.json["type"] == "urn:trialsite:not_eligible", f"refused for another reason: {refused.json}")


def the_investigator_includes(journey: Journey) -> None:
    """Every criterion is judged, and the investigator includes the participant"""
    answers = {"answers": screening_data.ANSWERS}
    judged = expect(journey.as_("coordinator").send(journey.api + "criteria/", answers), 200, "judge the criteria").json
    standing = [
        row["criterion"]
        for row in judged
        if row["result"] != ("met" if row["criterion"].startswith("I") else "not_met")
    ]
    require(not standing, f"criteria that stand in the way: {standing}")
    body = {"included": True, "decided_at": datetime.now(SITE).isoformat()}
    expect(journey.as_("investigator").send(journey.api + "eligibility/", body), 201, "include")


def the_coordinator_randomises(journey: Journey) -> None:
    """The coordinator randomises and learns a number and a kit, no arm"""
    coordinator = journey.as_("coordinator")
    page = expect(coordinator.fill(journey.page + "randomise/", {"confirm": journey.participant}), 200, "randomise")
    query = {"participant__identifier": journey.participant}
    [allocation] = coordinator.get("/api/v1/allocations/", **query).json["results"]
    require(allocation["kit_number"] in page.text, "the page does not say which kit")
    require(screening_data.STRATUM in allocation["strata"].values(), f"another stratum: {allocation['strata']}")
    arms = {"KET", "MDZ"} & set(re.findall(r"[A-Z]{3}", str(allocation)))
    require(not arms, "the answer to a randomisation names an arm")


def the_rater_enters_qst(journey: Journey) -> None:
    """The rater enters a QST session; its values are computed"""
    rater = journey.as_("rater")
    body = {
        "participant": journey.participant,
        "visit": "BL",
        "tested_at": datetime.now(SITE).isoformat(),
        "tester": "rater",
        "test_area": "foot",
        "control_area": "foot",
        "trials": screening_data.qst_trials(),
    }
    expect(rater.send("/api/v1/qst-sessions/", body), 201, "enter QST")
    query = {"session__participant__identifier": journey.participant, "parameter": "HPT", "area": "test"}
    [value] = rater.get("/api/v1/qst-values/", **query).json["results"]
    require(value["value"] == 44.0 and value["z"] is not None, f"heat pain threshold of 43, 44, 45: {value}")


def the_coordinator_fills_in_a_form(journey: Journey) -> None:
    """The coordinator types a pain questionnaire; a value out of range is refused beside its item, then saved"""
    coordinator = journey.as_("coordinator")
    path = f"{journey.page}visits/BL/forms/bpi_sf/"
    typed = {f"item-{item}": value for item, value in screening_data.BPI.items()}
    refused = expect(coordinator.fill(path, typed | {"item-8": 45}), 422, "relief of 45, in steps of 10")
    require('id="fault-8"' in refused.text, "the refusal does not stand beside its item")
    expect(coordinator.fill(path, typed), 200, "save the questionnaire")
    query = {"response__participant__identifier": journey.participant, "name": "severity"}
    [score] = coordinator.get("/api/v1/scores/", **query).json["results"]
    require(score["number"] == screening_data.BPI_SEVERITY, f"severity is {score['number']}")
    journey.response = score["response_id"]


def a_correction_needs_a_reason(journey: Journey) -> None:
    """An answer is corrected with a reason; the history says who, from what to what, and why"""
    coordinator = journey.as_("coordinator")
    path = f"/api/v1/responses/{journey.response}/correct/"
    expect(coordinator.send(path, {"items": {"9a": 4}}), 400, "a correction without a reason")
    expect(coordinator.send(path, {"items": {"9a": 4}, "reason": REASON}), 200, "a correction")
    query = {"kind": "response", "record": journey.response}
    page = expect(coordinator.get(journey.page + "history/", **query), 200, "the history").text
    change = next((row for row in page.split("<tr>") if REASON in row and "9a" in row), "")
    told = re.sub(r"(<[^>]+>|\s)+", " ", change)
    require("9a: 5 → 4 " in told, f"the history does not tell the correction: {told}")
    require("coordinator" in change, "the history does not say who")
    require("form entered" in page, "the history does not tell the entry")


def participants_are_exported(journey: Journey) -> None:
    """The participants are exported as CSV, those of the coordinator's site only"""
    answer = expect(journey.as_("coordinator").get("/api/v1/participants/", format="csv"), 200, "export as CSV")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    identifiers = {row["identifier"] for row in rows}
    require(journey.participant in identifiers, "the export lacks the new participant")
    require({row["site"] for row in rows} == {"BER"}, "the export holds other sites' participants")


def the_coordinator_signs_out(journey: Journey) -> None:
    """The coordinator signs out, and the pages are closed"""
    coordinator = journey.as_("coordinator")
    expect(coordinator.fill("/admin/", {}, to="/admin/logout/"), 200, "sign out")
    require("/login/" in coordinator.get(journey.page).address, "signed out, and still let in")
