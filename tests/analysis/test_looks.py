"""Looks: a number is taken once, the plan is what was registered, the same input gives the same bytes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from datetime import date, timedelta

import orjson
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import TransactionTestCase
from django_celery_beat.models import PeriodicTask

from analysis import closed_store, cuts, due_looks, jobs, plans
from analysis.canonical import sha256_of
from analysis.looks import LookTaken, order_look
from analysis.models import DataCut, Job, Look, OpenReport, Plan
from analysis.schedules import ensure_schedules
from outcomes.models import Response, ResponseItem
from studies.acting import Program, acting
from studies.errors import InvalidEntry, NotAllowed
from studies.models import Study
from tests.analysis.conftest import Calculations
from tests.analysis.signing import PASSWORD, statistician
from tests.analysis.small_trial import CLERK, SmallTrial, instrument, make_small_trial
from tests.conftest import _flush_as_owner, django_as
from trialsite.services.connection import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folders", "pushed")]
Connect = Callable[[str], psycopg.Connection]
PERSON = Program("test")


def run_blinded() -> None:
    for kind in ("cut", "open_report"):
        for key in Job.objects.filter(kind=kind).order_by("pk").values_list("pk", flat=True):
            jobs.run(key)


def run_unblinded(plan: Plan) -> None:
    with django_as("unblinded"):
        closed_store.register_plan(PERSON, plan=plan)
        for kind in ("closed_cut", "closed_report"):
            for key in Job.objects.filter(kind=kind).order_by("pk").values_list("pk", flat=True):
                jobs.run(key)


@pytest.fixture
def look(trial: SmallTrial, plan: Plan, calculations: Calculations) -> Look:
    return order_look(PERSON, study=trial.study, number=1)


def test_a_look_without_a_cut_takes_one_and_reports_on_both_sides(look: Look, plan: Plan, as_role: Connect):
    assert look.cut.status == "ordered"
    run_blinded()
    run_unblinded(plan)
    look.refresh_from_db()
    assert (look.status, look.closed_status) == ("reported", "reported")
    report = OpenReport.objects.get(look=look)
    assert report.sha256 == hashlib.sha256(bytes(report.result)).hexdigest()
    assert set(orjson.loads(report.result)) == {"about", "look", "mean", "plan"}
    with django_as("unblinded"):
        sealed = closed_store.sealed_result(look.pk)
    assert sealed is not None
    assert set(sealed.values["means"]) == {"KET", "PLA"}
    assert sealed.values["readings"] == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_role("app").execute("SELECT result FROM concealed.look_result")


def test_a_result_names_its_cut_plan_and_code_but_no_key_of_this_database(look: Look):
    run_blinded()
    about = orjson.loads(OpenReport.objects.get().result)["about"]
    cut = DataCut.objects.get()
    assert about["cut_manifest_sha256"] == cut.manifest_sha256
    assert about["plan_sha256"] == look.plan.sha256
    assert about["code_version"].startswith("0.1.0+")
    assert set(about) == {
        "study", "look", "planned", "unplanned_reason", "cut", "cut_taken_at", "cut_manifest_sha256",
        "plan_version", "plan_sha256", "plan", "code_version", "datasets",
    }  # fmt: skip
    assert about["plan"]["signature"]["name"] == "Stella"
    assert about["plan"]["sha256"] == look.plan.sha256


def test_running_a_look_again_gives_one_result_with_the_same_bytes(look: Look, plan: Plan, calculations: Calculations):
    run_blinded()
    run_unblinded(plan)
    first = bytes(OpenReport.objects.get().result)
    with django_as("unblinded"):
        sealed = closed_store.sealed_results(look.study_id)
    Job.objects.filter(look=look).update(status="queued", attempt=0)
    run_blinded()
    run_unblinded(plan)
    assert calculations.runs == ["open", "closed", "open", "closed"]
    assert bytes(OpenReport.objects.get().result) == first
    with django_as("unblinded"):
        assert closed_store.sealed_results(look.study_id) == sealed
    assert set(Job.objects.values_list("status", flat=True)) == {"done"}


def test_another_database_that_holds_the_same_cut_gives_the_same_bytes(
    look: Look, plan: Plan, trial: SmallTrial, as_role: Connect, transactional_db: None
):
    run_blinded()
    run_unblinded(plan)
    first = OpenReport.objects.get(look=look).sha256
    with django_as("unblinded"):
        [sealed] = closed_store.sealed_results(look.study_id)
    cut, version = DataCut.objects.get(), trial.protocol
    _flush_as_owner(TransactionTestCase())  # keys go on counting

    # Other keys throughout; the cut's folders are all that is the same.
    make_small_trial(as_role("unblinded"), code="OTHER", randomised=1)
    with acting(CLERK, "restored"), transaction.atomic():
        study = Study.objects.create(code="SMALL", title="A small trial")
        version.pk, version.study = None, study
        version.save(force_insert=True)
        DataCut.objects.create(
            study=study,
            name=cut.name,
            status="taken",
            taken_at=cut.taken_at,
            manifest_sha256=cut.manifest_sha256,
            ordered_by="somebody else",
        )
    with acting(CLERK, "restored"), transaction.atomic():
        elsewhere = plan
        elsewhere.pk, elsewhere.study, elsewhere.protocol_version = None, study, version
        elsewhere.save(force_insert=True)
    with django_as("unblinded"), acting(PERSON, "restored"), transaction.atomic(), connection.cursor() as cursor:
        text = sha256_of(version.source.encode())
        cursor.execute("SELECT concealed.pin_protocol(%s, %s, %s)", [study.pk, version.version, text])
    again = order_look(PERSON, study=study, number=1, cut=DataCut.objects.get())
    run_blinded()
    run_unblinded(elsewhere)
    assert (again.pk, study.pk) != (look.pk, look.study_id)
    assert OpenReport.objects.get().sha256 == first
    with django_as("unblinded"):
        [sealed_again] = closed_store.sealed_results(study.pk)
    assert sealed_again.sha256 == sealed.sha256


def test_a_second_run_with_other_bytes_is_refused_and_the_sealed_result_stays(
    look: Look, plan: Plan, monkeypatch: pytest.MonkeyPatch
):
    run_blinded()
    run_unblinded(plan)
    with django_as("unblinded"):
        sealed = closed_store.sealed_results(look.study_id)
    Job.objects.filter(kind="closed_report").update(status="queued", attempt=0)
    monkeypatch.setattr("analysis.look_results.code_version", lambda: "0.1.0+other")
    run_unblinded(plan)
    assert Job.objects.get(kind="closed_report").failure == "error"
    with django_as("unblinded"):
        assert closed_store.sealed_results(look.study_id) == sealed


def test_a_look_number_is_taken_once(look: Look, trial: SmallTrial):
    with pytest.raises(LookTaken, match="Look 1 was taken on cut SMALL-cut-1"):
        order_look(PERSON, study=trial.study, number=1)
    assert Look.objects.count() == DataCut.objects.count() == 1


def test_the_database_itself_refuses_a_second_look_of_a_number_and_a_second_look_at_a_cut(look: Look, plan: Plan):
    def again(**changes: object) -> None:
        given = {
            "study": look.study,
            "number": 2,
            "plan": plan,
            "cut": look.cut,
            "ordered_by": "x",
            **changes,
        }
        with acting(CLERK, "test"), transaction.atomic():
            Look.objects.create(**given)

    other = cuts.order_cut(PERSON, study=look.study)
    with pytest.raises(IntegrityError, match="look_number_is_taken_once"):
        again(number=1, cut=other)
    with pytest.raises(IntegrityError, match="one_look_per_cut"):
        again()
    with pytest.raises(IntegrityError, match="unplanned_look_has_a_reason"):
        again(cut=other, planned=False)


def test_of_two_who_order_a_look_at_once_one_is_refused(trial: SmallTrial, plan: Plan):
    outcomes: list[str] = []
    start = threading.Barrier(3)

    def order() -> None:
        start.wait()
        try:
            outcomes.append(f"look {order_look(PERSON, study=trial.study, number=1).number}")
        except LookTaken as refusal:
            outcomes.append(refusal.code)
        connection.close()

    threads = [threading.Thread(target=order) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["look 1", "look_taken", "look_taken"]


def test_another_cut_for_a_taken_look_becomes_an_unplanned_one_with_a_reason(
    look: Look, trial: SmallTrial, plan: Plan, calculations: Calculations
):
    second = order_look(PERSON, study=trial.study, number=1, unplanned_reason="the DSMB asked for it")
    # The plan has three looks; an unplanned one never takes the number of a planned one.
    assert (second.number, second.planned, second.unplanned_reason) == (4, False, "the DSMB asked for it")
    run_blinded()
    run_unblinded(plan)
    [first_knew, second_knew] = calculations.earlier
    assert first_knew == []
    assert [result["about"]["look"] for result in second_knew] == [1]
    assert order_look(PERSON, study=trial.study, number=2).number == 2


def test_a_closed_report_waits_for_those_of_the_looks_before_it(look: Look, trial: SmallTrial, plan: Plan):
    later = order_look(PERSON, study=trial.study, number=2)
    run_blinded()
    report = Job.objects.get(kind="closed_report", look=later)
    with django_as("unblinded"):
        closed_store.register_plan(PERSON, plan=plan)
        jobs.run(Job.objects.get(kind="closed_cut", cut=later.cut).pk)
        jobs.run(report.pk)
    report.refresh_from_db()
    assert (report.status, report.failure) == ("queued", "not_ready")
    run_unblinded(plan)
    report.refresh_from_db()
    assert report.status == "done"


@pytest.mark.parametrize(
    ("number", "message"), [(0, "not in the plan"), (4, "looks 1 to 3"), (2, "cannot be taken before look 1")]
)
def test_a_number_out_of_the_plan_or_out_of_order_is_refused(number: int, message: str, trial: SmallTrial, plan: Plan):
    with pytest.raises(InvalidEntry, match=message):
        order_look(PERSON, study=trial.study, number=number)


def test_a_cut_of_another_study_or_one_that_has_its_look_is_refused(look: Look, trial: SmallTrial, as_role: Connect):
    other = make_small_trial(as_role("unblinded"), code="OTHER", randomised=1)
    foreign = cuts.order_cut(PERSON, study=other.study)
    with pytest.raises(InvalidEntry, match="not a cut of SMALL"):
        order_look(PERSON, study=trial.study, number=2, cut=foreign)
    with pytest.raises(LookTaken, match="already belongs to look 1"):
        order_look(PERSON, study=trial.study, number=2, cut=look.cut)


def test_a_look_needs_a_frozen_plan_and_somebody_who_may_order_it(trial: SmallTrial):
    with pytest.raises(NotAllowed, match="order a look"):
        order_look(trial.physician, study=trial.study, number=1)
    with pytest.raises(InvalidEntry, match="no frozen analysis plan"):
        order_look(PERSON, study=trial.study, number=1)


def test_a_plan_is_registered_by_its_text(plan: Plan):
    with django_as("unblinded"):
        assert not closed_store.is_registered(plan)
        assert closed_store.register_plan(PERSON, plan=plan)
        assert not closed_store.register_plan(PERSON, plan=plan)
        assert closed_store.is_registered(plan)


def test_the_unblinded_worker_waits_for_a_plan_that_is_not_registered(look: Look):
    run_blinded()
    report = Job.objects.get(kind="closed_report")
    with django_as("unblinded"):
        jobs.run(report.pk)
    report.refresh_from_db()
    assert (report.status, report.failure) == ("queued", "plan_not_registered")


def test_a_plan_changed_in_its_row_is_not_run(look: Look, plan: Plan, calculations: Calculations):
    """Who gets past the database's own refusal: the closed side hashes the text itself."""
    run_blinded()
    with django_as("unblinded"):
        closed_store.register_plan(PERSON, plan=plan)
    tampered = plan.source.replace('"alpha":0.025', '"alpha":0.25')
    with psycopg.connect(database_url("owner", connection.settings_dict["NAME"])) as owner:
        owner.execute("ALTER TABLE analysis_plan DISABLE TRIGGER USER")
        owner.execute("UPDATE analysis_plan SET source = %s, sha256 = %s", [tampered, sha256_of(tampered.encode())])
        owner.execute("ALTER TABLE analysis_plan ENABLE TRIGGER USER")
    calculations.runs.clear()
    with django_as("unblinded"):
        for kind in ("closed_cut", "closed_report"):
            jobs.run(Job.objects.get(kind=kind).pk)
        changed = Plan.objects.get(pk=plan.pk)
        with pytest.raises(closed_store.PlanNotRegistered, match="not registered"):
            closed_store.registered_plan(changed)
    assert changed.source != plan.source
    assert calculations.runs == []


def test_a_sealed_result_cannot_be_changed_by_the_side_that_sealed_it(look: Look, plan: Plan, as_role: Connect):
    run_blinded()
    run_unblinded(plan)
    unblinded = as_role("unblinded")
    for statement in ("UPDATE concealed.look_result SET sha256 = ''", "DELETE FROM concealed.look_result"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), unblinded.transaction():
            unblinded.execute(statement)


def test_the_commands_say_what_they_did_and_refuse_as_the_verbs_do(
    trial: SmallTrial,
    calculations: Calculations,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    person = statistician(trial.study)
    monkeypatch.setenv("TRIALSITE_SIGNING_PASSWORD", PASSWORD)
    call_command("freeze_plan", "SMALL", "--signed-by", person.username)
    call_command("look", "SMALL", "1")
    assert "SMALL look 1: ordered on SMALL-cut-1" in capsys.readouterr().out
    with pytest.raises(CommandError, match="was taken on cut"):
        call_command("look", "SMALL", "1")
    with pytest.raises(CommandError, match="Only the unblinded side"):
        call_command("register_plan", "SMALL")
    with django_as("unblinded"):
        with pytest.raises(CommandError, match="has SHA-256"):
            call_command("register_plan", "SMALL", "--sha256", "0" * 64)
        with pytest.raises(CommandError, match="A hash is of one plan"):
            call_command("register_plan", "SMALL", "OTHER", "--sha256", "0" * 64)
        call_command("register_plan", "SMALL")
    assert "registered" in capsys.readouterr().out


# What is due -----------------------------------------------------------------------------------------


def test_a_look_is_due_when_its_information_has_come_in_or_its_date_is_past():
    look = {"number": 1, "information": 56, "clinical_cutoff": "2026-06-30"}
    before, on, after = date(2026, 6, 29), date(2026, 6, 30), date(2026, 7, 1)
    assert due_looks.is_due(look, information=56, today=before)
    assert not due_looks.is_due(look, information=55, today=before)
    assert not due_looks.is_due(look, information=55, today=on)
    assert due_looks.is_due(look, information=1, today=after)
    assert not due_looks.is_due(look, information=0, today=after)
    assert due_looks.met_triggers(look, information=56, today=after) == ("information", "calendar")


def test_only_the_triggers_of_the_plan_make_a_look_due():
    look = {"number": 1, "information": 56, "clinical_cutoff": "2026-06-30", "enrolled": 80, "triggers": ["enrolled"]}
    later = date(2027, 1, 1)
    assert not due_looks.is_due(look, information=100, today=later, randomised=79)
    assert due_looks.is_due(look, information=1, today=date(2026, 1, 1), randomised=80)


def test_the_schedule_orders_nothing_under_a_plan_that_is_not_signed(
    trial: SmallTrial, monkeypatch: pytest.MonkeyPatch
):
    plans.freeze_plan(PERSON, protocol_version=trial.protocol)
    monkeypatch.setattr(due_looks, "live_information", lambda _: 10_000)
    assert due_looks.order_due_looks() == []


def plan_judged_by(trial: SmallTrial, value: Mapping[str, str], at: Mapping[str, object]) -> Plan:
    """An unsaved plan whose information unit is one value at one time."""
    timepoint = {"code": "W4", "visit": None, "days": None, "at_least": 1, **at}
    endpoint = {"id": "pain", "item": None, "score": None, "at": "W4", "timepoints": [timepoint], **value}
    contents = {"endpoints": [endpoint], "looks": {"endpoint": "pain", "planned": []}}
    return Plan(study=trial.study, source=orjson.dumps(contents).decode())


def test_information_counts_randomised_participants_with_the_value_at_the_visit(trial: SmallTrial):
    # Four are randomised and one is in screening; all have the form at W4, with item 2 refused.
    week_4 = {"visit": "W4"}
    counts = [
        due_looks.live_information(plan_judged_by(trial, {"instrument": "nrs", **value}, at))
        for value, at in (
            ({"score": "total"}, week_4),
            ({"item": "1"}, week_4),
            ({"item": "2"}, week_4),
            ({"score": "total"}, {"visit": "V3"}),
            ({"score": "other"}, week_4),
        )
    ]
    assert counts == [4, 4, 0, 0, 0]


def test_information_counts_diary_weeks_from_the_day_of_the_infusion_at_the_site(trial: SmallTrial):
    participant = trial.participants[0]
    infusion_day = participant.infusion.started_at.date()
    judged = plan_judged_by(trial, {"instrument": "diary", "item": "average"}, {"days": (22, 28), "at_least": 4})

    def answer(day: int, **answers: object) -> int:
        with acting(CLERK, "diary"), transaction.atomic():
            response = Response.objects.create(
                participant=participant,
                day=infusion_day + timedelta(days=day),
                instrument=instrument("diary"),
                status="complete",
                source="participant",
                completed_at=participant.infusion.started_at,
            )
            ResponseItem.objects.create(response=response, item="average", **answers)
        return due_looks.live_information(judged)

    days = [
        answer(21, value=3),
        answer(22, value=3),
        answer(23, value=3),
        answer(28, value=3),
        answer(29, value=3),
    ]
    assert days == [0] * 5
    assert answer(24, missing_reason="refused") == 0
    assert answer(25, value=0) == 1


def test_the_schedule_orders_the_next_look_once_and_under_its_own_name(
    trial: SmallTrial, plan: Plan, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(due_looks, "live_information", lambda _: 10)
    first = due_looks.next_look(trial.study)
    assert first is not None
    assert (first.number, first.of, first.information, first.planned_information, first.randomised) == (1, 3, 10, 56, 4)
    assert first.is_early == (not first.due_because)
    monkeypatch.setattr(due_looks, "live_information", lambda _: 10_000)
    due = due_looks.next_look(trial.study)
    assert due is not None
    assert ("information" in due.due_because, due.is_early) == (True, False)
    assert [look.number for look in due_looks.order_due_looks()] == [1]
    following = due_looks.next_look(trial.study)
    assert following is not None
    assert following.number == 2
    assert Look.objects.get().ordered_by == "schedule"
    assert due_looks.order_due_looks() == []


def test_the_schedule_waits_for_both_reports_of_a_look_and_leaves_the_final_one_to_people(
    trial: SmallTrial, plan: Plan, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(due_looks, "live_information", lambda _: 10_000)
    due_looks.order_due_looks()

    def reported(**columns: str) -> list[int]:
        with acting(CLERK, "test"), transaction.atomic():
            Look.objects.update(**columns)
        return [look.number for look in due_looks.order_due_looks()]

    assert reported(status="reported") == []
    assert reported(closed_status="reported") == [2]
    # The plan has three looks; the third is the final one.
    assert reported(status="reported", closed_status="reported") == []
    last = due_looks.next_look(trial.study)
    assert last is not None
    assert (last.number, last.final, last.due_because, last.is_early) == (3, True, (), False)


def test_an_imported_study_has_no_schedule(trial: SmallTrial, plan: Plan, monkeypatch: pytest.MonkeyPatch):
    with acting(CLERK, "test"), transaction.atomic():
        Study.objects.update(origin="imported")
    monkeypatch.setattr(due_looks, "live_information", lambda _: 10_000)
    assert due_looks.order_due_looks() == []


def test_the_schedules_are_written_once_and_what_people_changed_stays(db: None):
    tasks = ensure_schedules()
    assert {(task.task, task.queue) for task in tasks} >= {
        ("analysis.sweep", "blinded"),
        ("analysis.sweep", "unblinded"),
        ("analysis.due_looks", "blinded"),
        ("outcomes.tell_physicians", "messages"),
        ("outcomes.escalate", "messages"),
        ("outcomes.remind", "messages"),
        ("outcomes.close_forms", "messages"),
    }
    tasks[2].enabled = False
    tasks[2].save()
    # A site that was set up when messages had no queue of their own.
    PeriodicTask.objects.filter(task="outcomes.tell_physicians").update(queue="blinded")
    assert [task.name for task in ensure_schedules() if not task.enabled] == [tasks[2].name]
    assert PeriodicTask.objects.filter(name__in=[task.name for task in tasks]).count() == len(tasks)
    assert PeriodicTask.objects.get(task="outcomes.tell_physicians").queue == "messages"
