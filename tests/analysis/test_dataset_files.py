"""Analysis data sets as files: on which side they lie, who reads them, and that they stay as they were written."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from pathlib import Path

import orjson
import psycopg
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from analysis import closed_reading, cuts, open_reading
from analysis.dataset_files import write_blinded, write_unblinded
from analysis.models import DataCut, Plan
from studies import closed_door
from studies.acting import Program, acting
from studies.errors import InvalidEntry
from studies.models import ClosedAccount, Participant
from tests.analysis.small_trial import CLERK, SmallTrial
from tests.conftest import django_as

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folders", "pushed")]
Connect = Callable[[str], psycopg.Connection]
PROGRAM = Program("test")


@pytest.fixture
def cut(trial: SmallTrial, plan: Plan) -> DataCut:
    with acting(CLERK, "set up"), transaction.atomic():
        Participant.objects.filter(pk=trial.participants[0].pk).update(
            status="withdrawn", ended_on="2026-03-20", end_reason="=HYPERLINK(1)"
        )
    return cuts.take(cuts.order_cut(PROGRAM, study=trial.study), progress=lambda done, of: None)


def test_the_blinded_ones_are_written_once_with_their_hashes_and_labels(
    cut: DataCut, capsys: pytest.CaptureFixture[str]
):
    call_command("analysis_datasets", cut.name)
    folder = write_blinded(cut)
    assert [line.split("/")[-1] for line in capsys.readouterr().out.split()] == [
        "adqs.csv", "adqs.parquet", "adsl.csv", "adsl.parquet", "manifest.json",
    ]  # fmt: skip
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    assert (manifest["part"], manifest["cut_manifest_sha256"]) == ("blinded", cut.manifest_sha256)
    for name, entry in manifest["files"].items():
        assert entry["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert all(column["label"] for column in entry["columns"])
    adsl = pq.read_table(folder / "adsl.parquet")
    assert adsl.num_rows == manifest["files"]["adsl.parquet"]["rows"] == 5
    assert not {"TRT01P", "TRT01A"} & {*adsl.column_names, *pq.read_schema(folder / "adqs.parquet").names}


def test_a_text_like_a_formula_is_made_harmless_in_csv_only(cut: DataCut):
    folder = write_blinded(cut)
    assert "'=HYPERLINK(1)" in (folder / "adsl.csv").read_text()
    assert "=HYPERLINK(1)" in pq.read_table(folder / "adsl.parquet")["DCSREAS"].to_pylist()


def test_the_open_door_hands_out_the_blinded_ones_and_nothing_that_climbs(cut: DataCut):
    assert not [name for name in open_reading.cut_files(cut) if name.startswith("analysis-")]
    write_blinded(cut)
    assert "analysis-1.0-adsl.parquet" in open_reading.cut_files(cut)
    path = open_reading.cut_file(cut, "analysis-1.0-adsl.parquet")
    assert path is not None
    assert path.read_bytes()[:4] == b"PAR1"
    for name in ("analysis-1.0-../../closed/x", "analysis-1.0-arm.parquet", "adsl.parquet"):
        assert open_reading.cut_file(cut, name) is None


def test_those_with_the_arms_lie_on_the_closed_side_and_are_read_there(cut: DataCut, folders: Path, trial: SmallTrial):
    with django_as("unblinded"):
        cuts.take_unblinded(PROGRAM, cut=cut)
        folder = write_unblinded(cut)
        statistician = closed_door.create_account(
            study=trial.study, username="stat", name="x", role=ClosedAccount.Role.UNBLINDED_STATISTICIAN, password="x"
        )
        [listed] = closed_reading.unblinded_cuts(statistician, study=trial.study)
        assert "analysis-1.0-adsl.parquet" in listed.files
        path = closed_reading.cut_file(statistician, study=trial.study, cut=cut.name, file="analysis-1.0-adsl.parquet")
        assert closed_reading.cut_file(statistician, study=trial.study, cut=cut.name, file="arm.parquet") is not None
    assert path == folder / "adsl.parquet"
    assert folder.is_relative_to(folders / "closed")
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    assert set(pq.read_table(path)["TRT01P"].to_pylist()) == {"KET", "PLA", None}
    assert not [name for name in open_reading.cut_files(cut) if name.startswith("analysis-")]


def test_no_version_of_a_plan_chooses_where_the_arms_are_written(cut: DataCut, folders: Path, plan: Plan):
    """The row of a plan is the open side's to insert: of a registered text it may be a second one, of any version."""
    with acting(CLERK, "climbs"), transaction.atomic():
        plan.pk, plan.version = None, "/../../../cuts/p"
        plan.save(force_insert=True)
    with django_as("unblinded"):
        cuts.take_unblinded(PROGRAM, cut=cut)
        with pytest.raises(InvalidEntry, match="is not a plan's version"):
            write_unblinded(cut)
    assert list(folders.rglob("adsl*")) == []


def test_a_file_that_was_changed_is_not_taken_for_what_was_written(cut: DataCut):
    path = write_blinded(cut) / "adsl.csv"
    path.chmod(0o644)
    path.write_text(path.read_text() + "more\n")
    with pytest.raises(CommandError, match="adsl.csv is changed"):
        call_command("analysis_datasets", cut.name)


def test_a_cut_that_is_not_there_or_not_taken_has_none(trial: SmallTrial, plan: Plan):
    with pytest.raises(CommandError, match="no cut NONE"):
        call_command("analysis_datasets", "NONE")
    with pytest.raises(InvalidEntry, match="not taken"):
        write_blinded(cuts.order_cut(PROGRAM, study=trial.study))
