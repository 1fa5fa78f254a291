"""Which label is which arm: kept apart, drawn once, read with a purpose, and not by whom it would tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from analysis import closed_reading, closed_store, look_results, masking, plans
from analysis.closed_store import Report
from analysis.looks import order_look
from analysis.models import Look, Plan
from studies import closed_door
from studies.acting import Program
from studies.errors import InvalidEntry, NotAllowed
from studies.models import ClosedAccount
from tests.analysis.conftest import Calculations
from tests.analysis.kalm_cut import KALM
from tests.analysis.signing import signed
from tests.analysis.small_trial import SmallTrial
from tests.conftest import django_as
from trialsite.services.connection import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folders", "pushed")]
Connect = Callable[[str], psycopg.Connection]
PROGRAM = Program("test")
MASKED = Report(b'{"kind":"masked"}', b"<p>A and B</p>", b"%PDF")


def account(trial: SmallTrial, role: ClosedAccount.Role) -> ClosedAccount:
    return closed_door.create_account(
        study=trial.study, username=f"{role}-{trial.study.pk}", name="x", role=role, password="x"
    )


def test_labels_are_drawn_once_read_with_a_purpose_and_logged(trial: SmallTrial, as_role: Connect):
    with django_as("unblinded"):
        assert masking.read_masking(PROGRAM, study=trial.study, purpose="to see") is None
        labels = masking.labels_of(PROGRAM, study=trial.study, purpose="masked report of look 1")
        assert masking.labels_of(PROGRAM, study=trial.study, purpose="masked report of look 2") == labels
        with pytest.raises(DatabaseError, match="for a purpose"), connection.cursor() as cursor:
            cursor.execute("SELECT concealed.read_masking(%s, '')", [trial.study.pk])
    assert sorted(labels) == ["KET", "MDZ"]
    assert sorted(labels.values()) == ["A", "B"]
    with psycopg.connect(database_url("auditor", connection.settings_dict["NAME"])) as auditor:
        reads = auditor.execute("SELECT actor, purpose FROM audit.arm_read ORDER BY 1, 2").fetchall()
    assert ("test", "masking: masked report of look 2") in reads
    with psycopg.connect(database_url("owner", connection.settings_dict["NAME"])) as owner:
        owner.execute("SET ROLE concealer")
        [(seed, kept)] = owner.execute("SELECT seed, labels FROM concealed.masking").fetchall()
    assert kept == labels == masking.draw_labels(labels, int(seed))
    assert int(seed).bit_length() > 64


@pytest.mark.parametrize("role", ["app", "auditor", "unblinded"])
def test_the_mapping_is_read_by_its_function_alone(trial: SmallTrial, as_role: Connect, role: str):
    with django_as("unblinded"):
        masking.labels_of(PROGRAM, study=trial.study, purpose="test")
    connected = as_role(role)
    for statement in ("SELECT * FROM concealed.masking", "UPDATE concealed.masking SET labels = '{}'"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connected.transaction():
            connected.execute(statement)
    if role != "unblinded":
        for statement in ("SELECT concealed.read_masking(1, 'x')", "SELECT * FROM concealed.masked_result"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connected.transaction():
                connected.execute(statement)


def masked_look(trial: SmallTrial) -> Look:
    """A look under a plan that shows the DSMB masked arms; both its reports are sealed."""
    text = KALM[KALM.index("analysis:\n") :].replace('  version: "1.0"', '  version: "1.1"\n  dsmb_arms: masked', 1)
    signed(plans.freeze_plan(PROGRAM, protocol_version=trial.protocol, text=text))
    look = order_look(PROGRAM, study=trial.study, number=1)
    with django_as("unblinded"):
        closed_store.seal(look, cut_manifest_sha256="c" * 64, report=Report(b'{"kind":"closed"}', b"", b""))
        closed_store.seal_masked(look, report=MASKED)
    return look


def test_under_a_masking_plan_the_dsmb_reads_a_and_b_and_the_statistician_both(trial: SmallTrial):
    masked_look(trial)
    with django_as("unblinded"):
        member = account(trial, ClosedAccount.Role.DSMB_MEMBER)
        statistician = account(trial, ClosedAccount.Role.UNBLINDED_STATISTICIAN)
        about: dict[str, Any] = {"study": trial.study, "number": 1, "what": "report"}
        assert closed_reading.read_masked(member, **about) == MASKED
        with pytest.raises(NotAllowed, match="its plan masks them"):
            closed_reading.read_result(member, **about)
        with pytest.raises(NotAllowed, match="the plan masks them"):
            closed_reading.unblinded_cuts(member, study=trial.study)
        with pytest.raises(NotAllowed, match="the plan masks them"):
            closed_reading.cut_file(member, study=trial.study, cut="x", file="arm.parquet")
        with pytest.raises(NotAllowed, match="which arm is A"):
            closed_reading.read_masking(member, study=trial.study, purpose="to see")
        assert closed_reading.read_result(statistician, **about) is not None
        with pytest.raises(InvalidEntry, match="for what purpose"):
            closed_reading.read_masking(statistician, study=trial.study, purpose=" ")
        masking.labels_of(PROGRAM, study=trial.study, purpose="test")
        found = closed_reading.read_masking(statistician, study=trial.study, purpose="the DSMB asked to unmask")
        assert sorted(found or {}) == ["KET", "MDZ"]


def test_a_sealed_masked_report_stays_and_nobody_changes_it(trial: SmallTrial, as_role: Connect):
    look = masked_look(trial)
    with django_as("unblinded"):
        closed_store.seal_masked(look, report=MASKED)
        with pytest.raises(closed_store.SealedDifferently, match="another result"):
            closed_store.seal_masked(look, report=Report(b"{}", b"", b""))
    unblinded = as_role("unblinded")
    for statement in ("UPDATE concealed.masked_result SET sha256 = ''", "DELETE FROM concealed.masked_result"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), unblinded.transaction():
            unblinded.execute(statement)


def test_the_command_seals_the_masked_report_of_a_look(
    trial: SmallTrial, plan: Plan, calculations: Calculations, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    look = order_look(PROGRAM, study=trial.study, number=1)
    seen: list[dict[str, str]] = []

    def values(_: Look, __: object, ___: object, labels: dict[str, str]) -> dict[str, Any]:
        seen.append(labels)
        return {"kind": "masked"}

    monkeypatch.setattr(look_results, "_masked_values", values)
    monkeypatch.setattr("analysis.cuts.arms_of", lambda _: None)
    monkeypatch.setattr(look_results, "about_look", lambda *_: {})
    with pytest.raises(CommandError, match="Only the unblinded side"):
        call_command("mask_look", "SMALL", "1")
    with django_as("unblinded"):
        closed_store.register_plan(PROGRAM, plan=plan)
        call_command("mask_look", "SMALL", "1")
        with pytest.raises(CommandError, match="no look 2"):
            call_command("mask_look", "SMALL", "2")
        sealed = closed_store.masked_report(look.pk)
    assert sealed is not None
    assert orjson.loads(sealed.result) == {"about": {}, "kind": "masked"}
    assert sorted(seen[0].values()) == ["A", "B"]
    assert "masked report sealed" in capsys.readouterr().out
