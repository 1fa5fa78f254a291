"""Looks run again, and looks that are only tried: what differs is named to the place, and nothing is written."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import orjson
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from analysis import closed_store, cuts, jobs, open_reading
from analysis.dataset_files import folder_of
from analysis.differences import ABSENT, differences
from analysis.looks import order_look
from analysis.models import Job, Look, OpenReport, Plan
from analysis.replay import replay_closed, replay_open
from studies.acting import Program
from tests.analysis.conftest import Calculations
from tests.analysis.small_trial import SmallTrial
from tests.conftest import django_as
from trialsite.services.connection import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folders", "pushed")]
PROGRAM = Program("test")


@pytest.fixture
def look(trial: SmallTrial, plan: Plan, calculations: Calculations) -> Look:
    """A look that is reported on both sides."""
    ordered = order_look(PROGRAM, study=trial.study, number=1)
    for kind in ("cut", "open_report"):
        jobs.run(Job.objects.get(kind=kind).pk)
    with django_as("unblinded"):
        closed_store.register_plan(PROGRAM, plan=plan)
        for kind in ("closed_cut", "closed_report"):
            jobs.run(Job.objects.get(kind=kind).pk)
    ordered.refresh_from_db()
    return ordered


def tamper(statement: str, role: str = "owner") -> None:
    """Get past what no role may do, as somebody with the machine in hands could."""
    with psycopg.connect(database_url("owner", connection.settings_dict["NAME"]), autocommit=True) as owner:
        owner.execute(f"SET ROLE {role}")
        owner.execute(statement)


def rows_of_everything() -> list[tuple[object, ...]]:
    with psycopg.connect(database_url("owner", connection.settings_dict["NAME"])) as owner:
        owner.execute("SET ROLE recorder")
        return owner.execute("SELECT count(*), max(id) FROM audit.event").fetchall()


def test_a_look_run_again_is_the_same_to_the_byte(look: Look, capsys: pytest.CaptureFixture[str]):
    assert replay_open(look) == []
    call_command("replay", str(look.pk))
    assert "every byte is the same" in capsys.readouterr().out
    with django_as("unblinded"):
        assert replay_closed(look) == []
        call_command("replay", str(look.pk))


def test_a_tampered_open_result_is_named_by_file_and_path(look: Look, capsys: pytest.CaptureFixture[str]):
    kept = orjson.loads(bytes(OpenReport.objects.get().result))
    changed = orjson.dumps({**kept, "mean": 99}, option=orjson.OPT_SORT_KEYS)
    html = "replace(encode(html, 'escape'), '<p>', '<b>')::bytea"
    tamper(f"UPDATE analysis_openreport SET result = '\\x{changed.hex()}', html = {html}")
    with pytest.raises(CommandError, match="3 places differ") as refusal:
        call_command("replay", str(look.pk))
    assert refusal.value.returncode == 1
    said = capsys.readouterr().out
    assert f"open/result.json mean: kept 99, again {kept['mean']}" in said
    assert "open/result.json SHA-256 of what is kept" in said
    assert "open/report.html line 1" in said


def test_a_tampered_sealed_result_is_named_by_file_and_path(look: Look):
    tamper("ALTER TABLE concealed.look_result DISABLE TRIGGER USER", "concealer")
    tamper(
        "UPDATE concealed.look_result SET result = replace(encode(result, 'escape'), 'KET', 'PLX')::bytea", "concealer"
    )
    with django_as("unblinded"):
        found = replay_closed(look)
    assert {each.file for each in found} == {"closed/result.json"}
    assert {each.where for each in found} >= {"SHA-256 of what is kept", "means.PLX", "means.KET"}


def test_a_tampered_cut_is_not_run_and_says_which_file(look: Look):
    path = cuts.blinded_folder(look.cut.name) / "score.parquet"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"\0")
    for role in ("app", "unblinded"):
        with django_as(role), pytest.raises(CommandError, match=r"score.parquet is changed") as refusal:
            call_command("replay", str(look.pk))
        assert refusal.value.returncode == 2


def test_the_data_sets_of_a_look_are_hashed_in_its_results_and_compared_with_it(look: Look, trial: SmallTrial):
    result = orjson.loads(bytes(OpenReport.objects.get().result))
    folder = folder_of(look, unblinded=False)
    assert result["about"]["datasets"] == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("adqs.csv", "adqs.parquet", "adsl.csv", "adsl.parquet")
    }
    assert "TRT01P" not in (folder / "adsl.csv").read_text()
    assert {each["name"]: each["sha256"] for each in open_reading.look_datasets(look)} == {
        f"analysis-1.0-look-1-{name}": sha256 for name, sha256 in result["about"]["datasets"].items()
    }
    described = {each["name"]: each for each in open_reading.described_files(look.cut)}
    assert described["analysis-1.0-look-1-adsl.csv"]["rows"] == 5
    with django_as("unblinded"):
        sealed = closed_store.sealed_result(look.pk)
        assert sealed is not None
        closed = folder_of(look, unblinded=True)
        assert (
            sealed.values["about"]["datasets"]["adsl.csv"]
            == hashlib.sha256((closed / "adsl.csv").read_bytes()).hexdigest()
        )
    assert sealed.values["about"]["datasets"]["adsl.csv"] != result["about"]["datasets"]["adsl.csv"]
    for side, place in (("open", folder), ("closed", closed)):
        file = place / "adsl.csv"
        file.chmod(0o600)
        file.write_bytes(file.read_bytes().replace(b"BER", b"BAR", 1))
        place.chmod(0o700)
        (place / "adqs.parquet").unlink()
        with django_as("unblinded" if side == "closed" else "app"):
            found = replay_closed(look) if side == "closed" else replay_open(look)
        assert [(each.file, each.where) for each in found] == [
            (f"{side}/datasets/adqs.parquet", "as a whole"),
            (f"{side}/datasets/adsl.csv", "line 2"),
        ]
        assert "BAR" in found[1].kept


def test_other_code_shows_where_it_says_so(look: Look, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("analysis.look_results.code_version", lambda: "9.9+other")
    [result] = [each for each in replay_open(look) if each.file == "open/result.json"]
    assert (result.where, result.again) == ("about.code_version", "'9.9+other'")


def test_a_look_that_is_not_there_or_not_reported_cannot_be_run_again(look: Look, trial: SmallTrial):
    waiting = order_look(PROGRAM, study=trial.study, number=2)
    for key, message in ((look.pk + 1000, "no look with the key"), (waiting.pk, "no open report")):
        with pytest.raises(CommandError, match=message) as refusal:
            call_command("replay", str(key))
        assert refusal.value.returncode == 2


def test_a_dry_run_computes_its_side_of_a_look_and_writes_nothing(
    look: Look,
    calculations: Calculations,
    folders: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    def open_result(*_: object, **__: object) -> dict[str, object]:
        return {"kind": "open", "enrolment": {"screened": 5, "randomised": 4}}

    def closed_result(*_: object, **__: object) -> dict[str, object]:
        return {"kind": "closed", "decision": {"estimable": False, "why": "too early"}}

    before = rows_of_everything(), sorted(folders.rglob("*"))
    interim = sys.modules["analysis.interim"]  # the stand-in of `calculations`
    monkeypatch.setattr(interim, "open_result", open_result)
    monkeypatch.setattr(interim, "closed_result", closed_result)
    call_command("look", "SMALL", "2", "--cut", look.cut.name, "--dry-run")
    said = capsys.readouterr().out
    assert "Nothing is written" in said
    assert "5 screened, 4 randomised" in said
    assert "SHA-256 of the result" in said
    with django_as("unblinded"):
        call_command("look", "SMALL", "2", "--cut", look.cut.name, "--dry-run")
    assert "no decision. too early" in capsys.readouterr().out
    assert (rows_of_everything(), sorted(folders.rglob("*"))) == before
    assert Look.objects.count() == 1
    for words in (["SMALL", "2", "--dry-run"], ["SMALL", "2", "--cut", "none", "--dry-run"]):
        with pytest.raises(CommandError, match=r"needs a cut|no such cut"):
            call_command("look", *words)


def test_differences_name_their_place():
    before = {"a": 1, "rows": [{"id": "x", "n": 1}, {"id": "y", "n": 2}], "list": [1, 2], "same": True}
    after = {"a": 1.0, "rows": [{"id": "y", "n": 3}, {"id": "x", "n": 1}], "list": [1, 2, 4], "new": None, "same": True}
    assert [(each.path, each.before, each.after) for each in differences(before, after)] == [
        ("rows[y].n", 2, 3),
        ("rows (order)", ["x", "y"], ["y", "x"]),
        ("list[2]", ABSENT, 4),
        ("new", ABSENT, None),
    ]
    assert list(differences(True, 1))
    assert not list(differences([{"id": "x"}, {"id": "x"}], [{"id": "x"}, {"id": "x"}]))
