"""Data cuts on the real database: one snapshot, hashed, blinded, and never changed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction

from analysis import cuts
from analysis.cuts import blinded, tables
from analysis.cuts.folders import new_folder
from analysis.cuts.snapshot import Counted, Snapshot, counted_in_file, snapshot
from analysis.models import DataCut, Job
from outcomes.models import ResponseItem
from studies.acting import Program, acting
from studies.errors import InvalidEntry, NotAllowed
from studies.models import Membership, Participant, Role, stamped_models
from studies.protocol.arm_revealing import Revealing
from tests.analysis.small_trial import CLERK, SmallTrial, make_small_trial
from tests.conftest import django_as

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folders", "pushed")]
Connect = Callable[[str], psycopg.Connection]


def unwatched(done: int, of: int) -> None:
    """A progress that nobody looks at."""


@pytest.fixture
def cut(trial: SmallTrial) -> DataCut:
    """A cut that was taken of the small trial."""
    return cuts.take(cuts.order_cut(Program("test"), study=trial.study), progress=unwatched)


def read(folder: Path, kind: str) -> pa.Table:
    return pq.read_table(folder / f"{kind}.parquet")


def test_every_kind_of_row_is_in_a_cut_or_is_named_as_left_out():
    kinds = {model._meta.model_name for model in stamped_models()}
    assert kinds == tables.kinds_in_cuts() | tables.LEFT_OUT
    assert not tables.kinds_in_cuts() & tables.LEFT_OUT


def test_a_taken_cut_holds_every_row_of_the_study_in_the_order_of_its_key(cut: DataCut, trial: SmallTrial):
    folder = cuts.blinded_folder(cut.name)
    participants = read(folder, "participant")
    assert participants["id"].to_pylist() == sorted(p.pk for p in trial.participants)
    assert participants["identifier"].to_pylist() == [p.identifier for p in trial.participants]
    assert {"entered_at", "entered_by", "changed_at", "changed_in", "change_no"} <= set(participants.column_names)
    assert cut.status == DataCut.Status.TAKEN
    assert cut.manifest_sha256 == hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


def test_values_arrive_unchanged_with_their_types(cut: DataCut, trial: SmallTrial):
    folder = cuts.blinded_folder(cut.name)
    infusion = read(folder, "infusion").to_pylist()[0]
    assert str(infusion["weight_kg"]) == "71.5"
    assert infusion["pump_volume_ml"] is None
    assert read(folder, "deviation")["description"].to_pylist() == ['late, "by" an hour\n']
    assert read(folder, "adverseevent")["started_on"].to_pylist() == ["2026-03"]
    assert read(folder, "stratum")["levels"].to_pylist() == ["{}"]
    assert read(folder, "visit").schema.field("target_on").type == pa.date32()
    assert read(folder, "responseitem").schema.field("entered_at").type == pa.timestamp("us", tz="UTC")


def test_an_empty_table_keeps_its_columns_and_types(as_role: Connect):
    trial = make_small_trial(as_role("unblinded"), code="EMPTY", randomised=0)
    cut = cuts.take(cuts.order_cut(Program("test"), study=trial.study), progress=unwatched)
    deviations = read(cuts.blinded_folder(cut.name), "deviation")
    assert deviations.num_rows == 0
    assert deviations.schema.field("description").type == pa.string()
    assert deviations.schema.field("occurred_on").type == pa.date32()


def test_the_blinded_cut_has_no_arm_revealing_row_and_the_restricted_one_has_them_all(cut: DataCut):
    folder, restricted = cuts.blinded_folder(cut.name), cuts.restricted_folder(cut.name)
    assert not (folder / "reading.parquet").exists()
    assert not (folder / "safetyevent.parquet").exists()
    assert set(read(folder, "finding")["key"].to_pylist()) == {"nrs_total"}
    assert set(read(restricted, "finding")["key"].to_pylist()) == {"cadss_total", "bprs_positive_total"}
    assert set(read(folder, "safetyalert")["code"].to_pylist()) == {"nrs_high"}
    responses = read(folder, "response")["id"].to_pylist()
    hidden = read(restricted, "response")["id"].to_pylist()
    assert not set(responses) & set(hidden)
    for kind in ("responseitem", "score"):
        assert set(read(folder, kind)["response_id"].to_pylist()) == set(responses)
        assert set(read(restricted, kind)["response_id"].to_pylist()) == set(hidden)
    assert read(restricted, "reading").num_rows == 1
    assert read(restricted, "safetyevent").num_rows == 1


def test_a_field_that_the_protocol_marks_is_not_a_column_of_the_blinded_cut():
    marks = Revealing(fields=frozenset({("infusion", "delivered_percent")}))
    open_part = {table.kind: table for table in tables.blinded_tables(marks)}
    closed_part = {table.kind: table for table in tables.restricted_tables(marks)}
    assert "delivered_percent" not in open_part["infusion"].schema.names
    assert "delivered_percent" in closed_part["infusion"].schema.names
    assert closed_part["infusion"].condition == open_part["infusion"].condition


def test_a_finding_from_an_arm_revealing_form_or_record_is_not_in_the_blinded_cut(trial: SmallTrial):
    definition = trial.protocol.definition
    marks = definition.arm_revealing.model_copy(update={"forms": ("vitals",), "records": ("visit",)})
    revealing = Revealing.of([definition.model_copy(update={"arm_revealing": marks})])
    assert {f.key for f in definition.findings if f.form == "vitals"} <= revealing.findings
    assert "visit" not in {table.kind for table in tables.blinded_tables(revealing)}


def test_no_arm_nor_name_is_anywhere_in_the_folders_of_a_cut(cut: DataCut, folders: Path):
    # Arms are KET and PLA in the concealed list; the contact details say Ada Lovelace.
    texts = {
        value
        for path in (folders / "cuts").rglob("*.parquet")
        for column in pq.read_table(path).columns
        for value in column.to_pylist()
        if isinstance(value, str | bytes)
    }
    assert not {text for text in texts if str(text) in {"KET", "PLA"} or "Lovelace" in str(text)}
    assert not (folders / "closed").exists()


def test_the_files_of_a_cut_are_the_same_when_all_arms_are_swapped(cut: DataCut, trial: SmallTrial, as_role: Connect):
    with as_role("owner") as owner:
        owner.execute("SET ROLE concealer")
        swapped = owner.execute("UPDATE concealed.list_row SET arm = CASE arm WHEN 'KET' THEN 'PLA' ELSE 'KET' END")
        assert swapped.rowcount == 4
    again = cuts.take(cuts.order_cut(Program("test"), study=trial.study), progress=unwatched)
    for part in (cuts.blinded_folder, cuts.restricted_folder):
        first, second = (cuts.read_manifest(part(each.name)).manifest["files"] for each in (cut, again))
        assert first == second


def test_a_cut_holds_one_study_only(as_role: Connect, trial: SmallTrial):
    other = make_small_trial(as_role("unblinded"), code="OTHER", randomised=1)
    cut = cuts.take(cuts.order_cut(Program("test"), study=other.study), progress=unwatched)
    folder = cuts.blinded_folder(cut.name)
    assert read(folder, "study")["code"].to_pylist() == ["OTHER"]
    ours = {p.pk for p in other.participants}
    for path in folder.glob("*.parquet"):
        table = pq.read_table(path)
        if "participant_id" in table.column_names:
            assert set(table["participant_id"].to_pylist()) <= ours, path.name
    assert read(folder, "qsttrial").num_rows == len(ours)


def test_the_manifest_says_what_the_files_hold(cut: DataCut):
    manifest = orjson.loads((cuts.blinded_folder(cut.name) / "manifest.json").read_bytes())
    assert manifest["cut"] == cut.name
    assert manifest["study"] == "SMALL"
    assert manifest["protocol_versions"] == [{"sha256": cut.study.protocol_versions.get().sha256, "version": "1.0"}]
    assert manifest["code_version"].startswith("0.1.0+")
    assert manifest["snapshot"].count(":") == 2
    items = manifest["files"]["responseitem.parquet"]
    table = read(cuts.blinded_folder(cut.name), "responseitem")
    assert items["rows"] == table.num_rows == 10
    assert items["cells"] == sum(len(c) - c.null_count for c in table.columns)
    assert [c["name"] for c in items["columns"]] == table.column_names
    assert {"name": "missing_reason", "type": "string", "label": "missing reason"} in items["columns"]


def test_a_cut_whose_files_and_database_count_differently_does_not_count_as_taken(
    trial: SmallTrial, monkeypatch: pytest.MonkeyPatch
):
    # A file that lost a cell on its way: one row more is what the database would say.
    honest = counted_in_file
    monkeypatch.setattr(blinded, "counted_in_file", lambda path: Counted(honest(path).rows, honest(path).cells - 1))
    cut = cuts.order_cut(Program("test"), study=trial.study)
    with pytest.raises(cuts.CountsDiffer, match="does not count as taken"):
        cuts.take(cut, progress=unwatched)
    cut.refresh_from_db()
    assert cut.status == DataCut.Status.ORDERED
    assert not cuts.blinded_folder(cut.name).exists()
    assert not cuts.restricted_folder(cut.name).exists()


def test_what_is_entered_while_a_cut_is_written_is_not_in_it(trial: SmallTrial, monkeypatch: pytest.MonkeyPatch):
    """Rows entered between the first and the last table: the snapshot was taken before."""
    written: list[str] = []
    write = Snapshot.write

    def write_and_enter(self: Any, table: Any, study: int, path: Path) -> None:
        if not written:
            enter = threading.Thread(target=_correct_everything)
            enter.start()
            enter.join()
        written.append(table.kind)
        write(self, table, study, path)

    monkeypatch.setattr(Snapshot, "write", write_and_enter)
    cut = cuts.take(cuts.order_cut(Program("test"), study=trial.study), progress=unwatched)
    values = read(cuts.blinded_folder(cut.name), "responseitem")["value"].to_pylist()
    assert ResponseItem.objects.filter(value=99).exists()
    assert 99 not in values
    assert set(read(cuts.blinded_folder(cut.name), "participant")["sex"].to_pylist()) == {"F"}


def _correct_everything() -> None:
    with acting(CLERK, "typing error"), transaction.atomic():
        ResponseItem.objects.filter(value__isnull=False).update(value=99)
        Participant.objects.update(sex="M")
    connection.close()


def test_taking_a_cut_twice_leaves_the_first_one(cut: DataCut):
    before = (cuts.blinded_folder(cut.name) / "manifest.json").read_bytes()
    again = cuts.take(DataCut.objects.get(pk=cut.pk), progress=unwatched)
    assert (cuts.blinded_folder(cut.name) / "manifest.json").read_bytes() == before
    assert again.manifest_sha256 == cut.manifest_sha256


def test_what_a_worker_left_that_died_between_the_two_folders_is_replaced(trial: SmallTrial):
    cut = cuts.order_cut(Program("test"), study=trial.study)
    left = cuts.restricted_folder(cut.name)
    left.mkdir(parents=True)
    (left / "manifest.json").write_text("{}")
    (left.parent / f".{cut.name}.abandoned").mkdir()
    cuts.take(cut, progress=unwatched)
    assert cuts.verify_pair(cut.name)
    assert sorted(path.name for path in left.parent.iterdir()) == [cut.name, left.name]


def test_two_workers_taking_one_cut_at_once_write_it_once(trial: SmallTrial):
    cut = cuts.order_cut(Program("test"), study=trial.study)
    hashes: list[str] = []

    def take() -> None:
        hashes.append(cuts.take(DataCut.objects.get(pk=cut.pk), progress=unwatched).manifest_sha256)
        connection.close()

    workers = [threading.Thread(target=take) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(hashes) == 3
    assert len(set(hashes)) == 1


def test_verify_cut_names_the_file_in_which_one_byte_changed(cut: DataCut, capsys: pytest.CaptureFixture[str]):
    call_command("verify_cut", cut.name)
    assert "as its manifest says" in capsys.readouterr().out
    path = cuts.blinded_folder(cut.name) / "score.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    with pytest.raises(CommandError, match=r"score\.parquet is changed"):
        call_command("verify_cut", cut.name)


def test_verify_cut_finds_missing_and_foreign_files_and_a_rewritten_manifest(cut: DataCut):
    folder = cuts.blinded_folder(cut.name)
    folder.chmod(0o755)
    (folder / "site.parquet").rename(folder / "sites.parquet")
    with pytest.raises(cuts.CutDoesNotVerify, match=r"site\.parquet is missing; sites\.parquet is not in the manifest"):
        cuts.verify_folder(folder)
    (folder / "sites.parquet").rename(folder / "site.parquet")
    manifest = folder / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    with pytest.raises(CommandError, match="the database knows"):
        call_command("verify_cut", cut.name)


def test_the_files_of_a_cut_are_read_only(cut: DataCut):
    folder = cuts.blinded_folder(cut.name)
    assert {path.stat().st_mode & 0o222 for path in [folder, *folder.iterdir()]} == {0}


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path):
    def write_half() -> None:
        with new_folder(tmp_path / "whole", mode=0o555) as folder:
            (folder / "half.parquet").write_text("x")
            assert not (tmp_path / "whole").exists()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../closed", "a/b", ".hidden", "", "a.restricted", "x" * 61])
def test_a_name_that_is_no_plain_folder_is_refused(name: str):
    """A row's name is writable by app: it must not choose where the unblinded worker writes."""
    for folder in (cuts.blinded_folder, cuts.restricted_folder, cuts.unblinded_folder):
        with pytest.raises(InvalidEntry, match="not a cut's name"):
            folder(name)


def test_the_unblinded_cut_holds_the_arm_of_each_participant_randomised_in_the_cut(
    cut: DataCut, trial: SmallTrial, as_role: Connect
):
    with django_as("unblinded"):
        folder = cuts.take_unblinded(Program("unblinded worker"), cut=cut)
        arms = cuts.arms_of(cut)
        cuts.take_unblinded(Program("unblinded worker"), cut=cut)
    # The list gives its odd rows PLA and its even rows KET.
    assert arms.to_dict() == dict(zip([p.pk for p in trial.participants], ["PLA", "KET"] * 2, strict=False))
    assert {path.stat().st_mode & 0o277 for path in [folder, *folder.iterdir()]} == {0}
    assert counted_in_file(folder / "concentration.parquet") == Counted(0, 0), "no laboratory has sent any yet"
    reads = as_role("auditor").execute("SELECT actor, purpose FROM audit.arm_read").fetchall()
    purpose = f"unblinded data cut {cut.name}"
    assert reads == [("unblinded worker", purpose), ("unblinded worker", f"concentrations: {purpose}")]


def test_app_cannot_take_the_unblinded_cut(cut: DataCut, folders: Path):
    with pytest.raises(ProgrammingError, match="permission denied"):
        cuts.take_unblinded(Program("somebody"), cut=cut)
    assert list((folders / "closed").rglob("*")) == [] or not (folders / "closed").exists()


def test_the_unblinded_worker_refuses_a_cut_with_a_changed_byte(cut: DataCut, folders: Path):
    path = cuts.restricted_folder(cut.name) / "reading.parquet"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"\0")
    with django_as("unblinded"), pytest.raises(cuts.CutDoesNotVerify, match=r"reading\.parquet is changed"):
        cuts.take_unblinded(Program("unblinded worker"), cut=cut)
    assert not cuts.unblinded_folder(cut.name).exists()


def test_a_cut_is_ordered_by_the_data_manager_and_refused_to_others(trial: SmallTrial):
    with acting(CLERK, "set up"), transaction.atomic():
        Membership.objects.create(user=trial.physician, study=trial.study, role=Role.STATISTICIAN)
    with pytest.raises(NotAllowed, match="order a data cut"):
        cuts.order_cut(trial.physician, study=trial.study)
    with acting(CLERK, "set up"), transaction.atomic():
        Membership.objects.create(user=trial.physician, study=trial.study, role=Role.DATA_MANAGER)
    del trial.physician._current_memberships  # type: ignore[attr-defined]
    first, second = (cuts.order_cut(trial.physician, study=trial.study) for _ in range(2))
    assert (first.name, second.name) == ("SMALL-cut-1", "SMALL-cut-2")
    job = Job.objects.get(cut=first)
    assert (job.kind, job.side, job.status) == ("cut", "blinded", "queued")


def test_a_snapshot_reads_only():
    with snapshot() as database, pytest.raises(Exception, match="read-only transaction"):
        database.rows("CREATE TABLE forbidden (id integer)")
