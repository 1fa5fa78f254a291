"""The steps from a data cut to the sealed result of a look, and to those who may not read it."""

from __future__ import annotations

import hashlib
import time

from tests.journeys.journey import PASSWORD, Journey, StepFailed, expect, require
from tests.journeys.visitor import Visitor

LONGEST_JOB = 300.0  # seconds


def the_data_manager_orders_a_cut(journey: Journey) -> None:
    """The data manager makes a token, orders a cut, and its files agree with its manifest"""
    journey.token = expect(journey.as_("datamanager").send("/api/v1/token/"), 201, "make a token").json["token"]
    program = Visitor(journey.open_door, token=journey.token)
    journey.cut = expect(program.send("/api/v1/cuts/", {"study": "KALM"}), 201, "order a cut").json["name"]
    _await_jobs(program, journey.cut)
    files = f"/api/v1/cuts/{journey.cut}/files/"
    manifest = expect(program.get(files + "manifest.json/"), 200, "read the manifest").json
    rows = expect(program.get(files + "participant.parquet/"), 200, "read a file of the cut")
    digest = hashlib.sha256(rows.body).hexdigest()
    require(digest == manifest["files"]["participant.parquet"]["sha256"], "a file does not agree with the manifest")


def a_look_is_ordered(journey: Journey) -> None:
    """The data manager orders the next look on that cut, and both workers do their part"""
    program = Visitor(journey.open_door, token=journey.token)
    taken = program.get("/api/v1/looks/", study__code="KALM", planned="true").json["results"]
    number = max((look["number"] for look in taken), default=0) + 1
    body = {"study": "KALM", "number": number, "cut": journey.cut}
    ordered = expect(program.send("/api/v1/looks/", body), 201, f"order look {number}").json
    _await_jobs(program, journey.cut)
    journey.look = program.get(f"/api/v1/looks/{ordered['id']}/").json
    status = {journey.look["status"], journey.look["closed_status"]}
    require(status == {"reported"}, f"the look is {journey.look['status']}, closed {journey.look['closed_status']}")


def _await_jobs(program: Visitor, cut: str) -> None:
    """Wait until the background work for a cut is done. Raises StepFailed when some failed, or takes too long."""
    deadline = time.monotonic() + LONGEST_JOB
    while True:
        jobs = expect(program.get("/api/v1/jobs/", cut__name=cut), 200, "follow the jobs").json["results"]
        if failed := [f"{job['kind']}: {job['failure_text']}" for job in jobs if job["status"] == "failed"]:
            raise StepFailed("; ".join(failed))
        if jobs and all(job["status"] == "done" for job in jobs):
            return
        if time.monotonic() > deadline:
            raise StepFailed(f"still at work: {[(job['kind'], job['status']) for job in jobs]}")
        time.sleep(0.5)


def the_open_result_is_read(journey: Journey) -> None:
    """The open result is read through the API, in the bytes whose hash it carries"""
    program = Visitor(journey.open_door, token=journey.token)
    answer = expect(program.get(f"/api/v1/looks/{journey.look['id']}/result/"), 200, "read the open result")
    require(answer.headers["X-Content-SHA256"] == hashlib.sha256(answer.body).hexdigest(), "another hash")
    require(journey.cut in answer.text, "the result does not name its cut")
    page = expect(journey.as_("coordinator").get(f"/admin/reports/KALM/{journey.look['number']}/"), 200, "its report")
    require(journey.cut in page.text, "the report does not name its cut")


def the_closed_result_is_not_at_the_open_door(journey: Journey) -> None:
    """The closed result is not at the open door, for nobody"""
    number, key = journey.look["number"], journey.look["id"]
    for visitor in (Visitor(journey.open_door, token=journey.token), journey.as_("administrator")):
        for path in (f"looks/{key}/closed/", f"looks/{key}/closed-result/", f"looks/{number}/closed_result/"):
            expect(visitor.get(f"/api/v1/{path}"), 404, "the closed result at the open door")
    expect(journey.as_("administrator").get(f"/looks/{number}/result.json"), 404, "the closed page at the open door")


def the_open_token_is_refused_at_the_closed_door(journey: Journey) -> None:
    """Neither a token nor an account of the open door opens the closed one"""
    stranger = Visitor(journey.closed_door, token=journey.token)
    expect(stranger.get(f"/api/v1/looks/{journey.look['number']}/result/"), 401, "the open token at the closed door")
    person = Visitor(journey.closed_door)
    person.sign_in("/login/", "datamanager", PASSWORD)
    require("/login/" in person.get("/looks/").address, "an account of the open door is let in at the closed one")


def the_dsmb_reads_the_closed_result(journey: Journey) -> None:
    """A member of the DSMB reads the closed report and result, by arm, at the closed door"""
    member = journey.at_closed_door("dsmb")
    number = journey.look["number"]
    answer = expect(member.get(f"/api/v1/looks/{number}/result/"), 200, "read the closed result")
    require(answer.headers["X-Content-SHA256"] == hashlib.sha256(answer.body).hexdigest(), "another hash")
    require(journey.cut in answer.text, "the closed result is of another cut")
    report = expect(member.get(f"/looks/{number}/"), 200, "read the closed report").text
    require("Ketamine" in report and "Midazolam" in report, "the closed report does not tell the arms apart")
    pdf = expect(member.get(f"/looks/{number}/report.pdf"), 200, "the closed report as PDF")
    require(pdf.body.startswith(b"%PDF"), "the closed report is no PDF")


def the_pharmacist_sees_no_result(journey: Journey) -> None:
    """The pharmacist prepares the kit, and sees no result"""
    pharmacist = journey.at_closed_door("pharmacist")
    expect(pharmacist.get(f"/looks/{journey.look['number']}/"), 403, "the closed report, for the pharmacist")
    page = expect(pharmacist.fill("/kits/", {"label": journey.participant}), 200, "prepare the kit")
    require("mg" in page.text, "the page does not say what to prepare")
