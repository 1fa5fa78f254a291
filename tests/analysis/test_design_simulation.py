"""Simulating a design on the workers: shared out, done once, cancelled, and the same bytes however it was done."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.test import Client

from analysis import jobs
from analysis.design_simulation import chunks, ordering, reading
from analysis.design_simulation.local import simulate_here
from analysis.models import DesignResult, DesignSimulation, Job, SimulationChunk
from analysis.statistics import simulation as statistics
from studies.acting import Program, acting
from studies.errors import AlreadyDone, InvalidEntry, NotAllowed
from studies.models import AuditEvent
from tests import factories
from tests.analysis.small_trial import SmallTrial
from tests.conftest import django_as

pytestmark = [pytest.mark.django_db(transaction=True)]
Pushed = list[tuple[int, str]]
KALM = "studies/protocols/kalm-1.0.yaml"
BY = Program("test")


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of one block, two under way at a time: sharing shows in a few small trials."""
    monkeypatch.setattr(ordering, "CHUNK", statistics.BLOCK)
    monkeypatch.setattr(chunks, "AT_ONCE", 2)


@pytest.fixture
def ordered(trial: SmallTrial, pushed: Pushed) -> DesignSimulation:
    """120 trials of 48 participants under no effect of the drug: three chunks, the last one shorter."""
    return ordering.order_simulation(BY, protocol_version=trial.protocol, scenarios=["small:0"], trials=120, seed=3)


def work_off(simulation: DesignSimulation, *, last_first: bool = False) -> None:
    """Run this simulation's jobs until none is queued."""
    while waiting := list(Job.objects.filter(chunk__simulation=simulation, status="queued").order_by("pk")):
        jobs.run(waiting[-1 if last_first else 0].pk)
    simulation.refresh_from_db()


def rows_of_first_chunk(simulation: DesignSimulation) -> bytes:
    return bytes(simulation.chunks.order_by("pk")[0].rows or b"")


def content(simulation: DesignSimulation) -> bytes:
    return bytes(DesignResult.objects.get(simulation=simulation).content)


def test_chunks_are_whole_blocks():
    # A trial is drawn with the others of its block: a chunk that cut one in two would draw it twice.
    assert ordering.CHUNK % statistics.BLOCK == 0


def test_an_order_is_recorded_with_all_it_depends_on(ordered: DesignSimulation, pushed: Pushed):
    assert (ordered.seed, ordered.trials, ordered.scenarios, ordered.ordered_by) == (3, 120, ["small:0"], "test")
    assert ordered.plan_version == "1.0"
    assert len(ordered.plan_sha256) == 64
    assert "+" in ordered.code_version
    assert list(ordered.chunks.values_list("first", "count")) == [(0, 50), (50, 50), (100, 20)]
    assert AuditEvent.objects.filter(kind="designsimulation", actor="test").count() == 1
    # Two at a time, so that a look ordered next waits for two chunks and not for hundreds.
    assert [queue for _, queue in pushed] == ["blinded", "blinded"]


def test_workers_finish_what_was_ordered_and_keep_one_result(ordered: DesignSimulation):
    work_off(ordered)
    assert ordered.status == "done"
    assert Job.objects.filter(chunk__simulation=ordered, status="done").count() == 3
    result = orjson.loads(content(ordered))
    assert result["trials"] == 120
    [scenario] = result["scenarios"]
    assert scenario["type_i_error"]["estimate"] == scenario["rejected"]["estimate"] < 0.1
    assert scenario["planned_participants"] == 48


def test_the_result_is_the_same_for_any_order_of_work_and_without_a_database(
    ordered: DesignSimulation, trial: SmallTrial, monkeypatch: pytest.MonkeyPatch
):
    work_off(ordered)
    monkeypatch.setattr(ordering, "CHUNK", 2 * statistics.BLOCK)
    again = ordering.order_simulation(BY, protocol_version=trial.protocol, scenarios=["small:0"], trials=120, seed=3)
    work_off(again, last_first=True)
    assert content(again) == content(ordered)
    here = simulate_here(trial.protocol.source, scenarios=["small:0"], trials=120, seed=3, processes=2)
    assert here == content(ordered)
    characteristics = statistics.operating_characteristics(
        trial.protocol.definition, scenarios=["small:0"], trials=120, seed=3
    )
    assert orjson.loads(here)["scenarios"][0]["rejected"]["estimate"] == pytest.approx(
        characteristics["small:0"].rejected.estimate, rel=1e-11
    )


def test_a_chunk_whose_worker_died_before_it_went_on_is_not_simulated_again(
    ordered: DesignSimulation, monkeypatch: pytest.MonkeyPatch
):
    first = Job.objects.filter(chunk__simulation=ordered).order_by("pk")[0]
    with monkeypatch.context() as patched:
        patched.setattr(chunks, "_go_on", lambda *_: (_ for _ in ()).throw(jobs.JobLost()))
        jobs.run(first.pk)
    Job.objects.filter(pk=first.pk).update(status="queued")
    kept = rows_of_first_chunk(ordered)
    with monkeypatch.context() as patched:
        patched.setattr(chunks, "_simulate", lambda *_: pytest.fail("simulated again"))
        jobs.run(first.pk)
    assert rows_of_first_chunk(ordered) == kept
    work_off(ordered)
    assert ordered.status == "done"


def test_a_message_that_comes_twice_changes_nothing(ordered: DesignSimulation):
    work_off(ordered)
    before = content(ordered)
    for job in Job.objects.filter(chunk__simulation=ordered):
        jobs.run(job.pk)
    assert content(ordered) == before


def test_a_cancelled_simulation_is_left_at_the_next_block(ordered: DesignSimulation, pushed: Pushed):
    first, second = Job.objects.filter(chunk__simulation=ordered).order_by("pk")
    jobs.run(first.pk)
    ordering.cancel_simulation(BY, simulation=ordered)
    work_off(ordered)
    assert ordered.status == "cancelled"
    assert SimulationChunk.objects.filter(simulation=ordered, rows=None).count() == 2
    assert Job.objects.filter(chunk__simulation=ordered, status="queued").count() == 0
    assert not DesignResult.objects.exists()
    with pytest.raises(AlreadyDone, match="is cancelled: there is nothing to cancel"):
        ordering.cancel_simulation(BY, simulation=ordered)
    assert Job.objects.get(pk=second.pk).status == "done"


def test_a_failure_shows_and_what_failed_can_be_ordered_again(
    ordered: DesignSimulation, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patched:
        patched.setattr(statistics, "simulate", lambda *_, **__: 1 / 0)
        jobs.run(Job.objects.filter(chunk__simulation=ordered).order_by("pk")[0].pk)
    ordered.refresh_from_db()
    assert ordered.status == "failed"
    assert [job.failure for job in reading.failures(ordered)] == ["error"]
    ordering.retry_simulation(BY, simulation=ordered)
    assert ordered.status == "ordered"
    work_off(ordered)
    assert ordered.status == "done"
    with pytest.raises(AlreadyDone):
        ordering.retry_simulation(BY, simulation=ordered)


@pytest.mark.parametrize(
    ("entry", "field", "message"),
    [
        ({"scenarios": ["nobody"]}, "scenarios", "there is no 'nobody'"),
        ({"scenarios": []}, "scenarios", "one or more"),
        ({"scenarios": [f"default:{n}" for n in range(1, 23)]}, "scenarios", "at most 20"),
        ({"trials": 0}, "trials", "1 to 100000"),
        ({"seed": -1}, "seed", "a whole number from 0"),
    ],
)
def test_an_order_that_cannot_be_names_the_entry(
    trial: SmallTrial, pushed: Pushed, entry: dict[str, Any], field: str, message: str
):
    given = {"protocol_version": trial.protocol, "scenarios": ["small"], "trials": 10, "seed": 1, **entry}
    with pytest.raises(InvalidEntry, match=message) as refused:
        ordering.order_simulation(BY, **given)
    assert refused.value.field == field
    assert not DesignSimulation.objects.exists()
    assert pushed == []


def test_a_coordinator_may_not_order_nor_cancel_one(trial: SmallTrial, ordered: DesignSimulation):
    coordinator = factories.person("coordinator", trial.study, "coordinator", trial.site)
    with pytest.raises(NotAllowed):
        ordering.order_simulation(coordinator, protocol_version=trial.protocol, scenarios=["small"], trials=1, seed=1)
    with pytest.raises(NotAllowed):
        ordering.cancel_simulation(coordinator, simulation=ordered)
    assert not reading.visible_simulations(coordinator).exists()


# What the database keeps --------------------------------------------------------------------------------


def test_a_simulation_without_trials_is_refused_by_the_database(ordered: DesignSimulation):
    with pytest.raises(IntegrityError, match="simulation_has_trials"), acting(BY, "test"), transaction.atomic():
        DesignSimulation.objects.update(trials=0)


def test_a_trial_is_kept_once(ordered: DesignSimulation):
    with pytest.raises(IntegrityError, match="simulated_trial_once"):
        SimulationChunk.objects.create(simulation=ordered, scenario="small:0", first=50, count=50)


def test_a_result_is_never_changed_nor_taken_away(ordered: DesignSimulation):
    work_off(ordered)
    for change in ("UPDATE analysis_designresult SET sha256 = ''", "DELETE FROM analysis_designresult"):
        with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
            cursor.execute(change)


def test_the_unblinded_side_neither_orders_nor_runs_one(
    ordered: DesignSimulation, as_role: Callable[[str], psycopg.Connection]
):
    with django_as("unblinded"):
        jobs.run(Job.objects.filter(chunk__simulation=ordered)[0].pk)
    assert Job.objects.filter(chunk__simulation=ordered, status="queued").count() == 2
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_role("unblinded").execute("UPDATE analysis_simulationchunk SET rows = NULL")


# Command ------------------------------------------------------------------------------------------------


def test_the_command_simulates_here_and_keeps_the_numbers(tmp_path: Path, trial: SmallTrial):
    said = StringIO()
    call_command(
        "simulate_design", KALM, scenario=["small"], trials=20, seed=1, processes=1,
        json=tmp_path / "x.json", csv=tmp_path / "x.csv", stdout=said,
    )  # fmt: skip
    assert "small" in said.getvalue()
    lines = (tmp_path / "x.csv").read_text().splitlines()
    assert lines[0].startswith("study,plan_version,seed,trials,scenario,true_effect,look")
    assert any(line.startswith("KALM,1.0,1,20,small,-0.878") and ",power," in line for line in lines)
    assert orjson.loads((tmp_path / "x.json").read_bytes())["seed"] == 1
    assert not DesignSimulation.objects.exists()


def test_the_command_orders_a_run_of_the_version_that_is_loaded(trial: SmallTrial, pushed: Pushed):
    said = StringIO()
    call_command("simulate_design", KALM, scenario=["small"], trials=20, workers="celery", stdout=said)
    assert "ordered, 1 chunks" in said.getvalue()
    assert DesignSimulation.objects.get().protocol_version == trial.protocol
    assert len(pushed) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.yaml",), "cannot be read"),
        (("studies/protocols/vickers2004-1.0.yaml",), "no looks"),
        ((KALM, "--scenario", "nobody"), "there is no 'nobody'"),
        ((KALM, "--trials", "0"), "--trials is a number"),
        (("studies/protocols/ashar2022-1.0.yaml", "--workers", "celery"), "is not loaded here"),
    ],
)
def test_the_command_says_what_is_wrong(trial: SmallTrial, arguments: tuple[str, ...], message: str):
    with pytest.raises(CommandError, match=message):
        call_command("simulate_design", *arguments)


# API ----------------------------------------------------------------------------------------------------


def signed_in(trial: SmallTrial, role: str) -> Client:
    client = Client()
    site = trial.site if role == "coordinator" else None
    person = factories.person(role, trial.study, role, site)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_a_simulation_is_ordered_followed_and_read_through_the_api(trial: SmallTrial, pushed: Pushed):
    client = signed_in(trial, "statistician")
    body = {"study": "SMALL", "scenarios": ["small"], "trials": 60, "seed": 5}
    answer = client.post("/api/v1/design-simulations/", body, content_type="application/json")
    assert answer.status_code == 201, answer.content
    found = answer.json()
    assert (found["chunks"], found["chunks_done"], found["status"]) == (2, 0, "ordered")
    address = f"/api/v1/design-simulations/{found['id']}/"
    assert client.get(f"{address}result/").status_code == 404
    work_off(DesignSimulation.objects.get())
    assert client.get(address).json()["chunks_done"] == 2
    result = client.get(f"{address}result/")
    assert result.content == content(DesignSimulation.objects.get())
    assert result["X-Content-SHA256"] == DesignResult.objects.get().sha256
    table = client.get(f"{address}result.csv/")
    assert table["Content-Type"].startswith("text/csv")
    assert len(table.content.decode().splitlines()) > 10


def test_the_api_cancels_and_refuses_as_the_verbs_do(trial: SmallTrial, ordered: DesignSimulation):
    statistician, coordinator = signed_in(trial, "statistician"), signed_in(trial, "coordinator")
    address = f"/api/v1/design-simulations/{ordered.pk}/"
    assert coordinator.get(address).status_code == 404
    body = {"study": "SMALL", "scenarios": ["small"], "trials": 1, "seed": 1}
    refused = coordinator.post("/api/v1/design-simulations/", body, content_type="application/json")
    assert refused.status_code == 403
    assert statistician.post(f"{address}cancel/").json()["status"] == "cancelled"
    assert statistician.post(f"{address}cancel/").status_code == 409
    wrong = statistician.post(
        "/api/v1/design-simulations/", {**body, "scenarios": ["nobody"]}, content_type="application/json"
    )
    assert wrong.status_code == 400
    assert "there is no 'nobody'" in wrong.json()["detail"]
