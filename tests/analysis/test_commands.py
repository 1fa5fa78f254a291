"""The commands that wait for the workers. Whenever they sleep, here, both workers do what is queued."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from analysis import closed_store, cuts, jobs, waiting
from analysis.models import DataCut, Job, Look, Plan
from studies.acting import Program
from tests.analysis.conftest import Calculations
from tests.analysis.small_trial import SmallTrial
from tests.conftest import django_as

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folders", "pushed")]


def _work(_: float) -> None:
    for role in ("app", "unblinded"):
        with django_as(role):
            for key in Job.objects.filter(status="queued").order_by("pk").values_list("pk", flat=True):
                jobs.run(key)


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.waiting.time.sleep", _work)


@pytest.fixture
def registered(plan: Plan) -> Plan:
    with django_as("unblinded"):
        closed_store.register_plan(Program("test"), plan=plan)
    return plan


@pytest.mark.usefixtures("workers")
def test_take_cut_waits_until_the_cut_is_taken(trial: SmallTrial, capsys: pytest.CaptureFixture[str]):
    call_command("take_cut", "SMALL", "--wait")
    cut = DataCut.objects.get()
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Data cut: Queued, 0 of 1 steps"
    assert said[-2].startswith("Data cut: Done")
    assert said[-1] == f"SMALL-cut-1: taken {cut.manifest_sha256}"


@pytest.mark.usefixtures("workers")
def test_the_first_look_can_be_asked_for_again(registered: Plan, calculations: Calculations):
    call_command("first_look")
    call_command("first_look", "SMALL")
    look = Look.objects.get()
    assert (look.number, look.status, look.closed_status) == (1, "reported", "reported")
    assert calculations.runs == ["open", "closed"]


@pytest.mark.usefixtures("workers")
def test_a_command_that_waits_says_which_job_failed_and_why(
    registered: Plan, calculations: Calculations, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as broken:
        broken.setattr(cuts, "take", lambda *_, **__: 1 / 0)
        with pytest.raises(CommandError, match="Data cut failed: An error"):
            call_command("look", "SMALL", "1", "--wait")
    failed = Job.objects.get(kind="cut")
    call_command("retry_job", str(failed.pk))
    waiting.wait_for(list(Job.objects.all()), lambda _: None)
    assert Look.objects.get().closed_status == "reported"


def test_a_command_without_workers_gives_up(
    trial: SmallTrial, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(waiting, "_AT_MOST_SECONDS", 0.0)
    with pytest.raises(CommandError, match="Are both of them running"):
        call_command("take_cut", "SMALL", "--wait")


@pytest.mark.parametrize(
    "command", [("take_cut", "NONE"), ("look", "NONE", "1"), ("freeze_plan", "NONE"), ("first_look", "NONE"),
                ("verify_cut", "NONE"), ("retry_job", "7")]
)  # fmt: skip
def test_what_is_not_there_is_said_to_be_not_there(command: tuple[str, ...], db: None):
    with pytest.raises(CommandError, match=r"no (such )?(study|cut|job)|No study"):
        call_command(*command)
