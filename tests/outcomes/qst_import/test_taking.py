"""Taking an export: whole or not at all, once, with the file as it came."""

from __future__ import annotations

import hashlib

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, ProgrammingError, transaction

from outcomes.imports.refusals import ImportRefused
from outcomes.models import ImportedFile, OriginalFile, QSTSession, QSTTrial
from outcomes.qst_corrections import correct_session
from outcomes.qst_devices import register_device
from outcomes.qst_import import plan_export, take_export
from outcomes.qst_import.taking import PlanChanged
from outcomes.qst_sessions import TrialEntry
from studies.acting import acting
from studies.errors import ConsentMissing, InvalidEntry, NotAllowed
from studies.models import AuditEvent
from tests import factories
from tests.outcomes.qst_import.exports import MAPPINGS, as_csv, mapping, oracle_rows, with_cell

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def thermode(coordinator, site):
    return register_device(coordinator, site=site, kind="thermode", name="TSA-II", serial="4711")


@pytest.fixture
def rows(participant):
    return oracle_rows(participant.identifier)


def take(user, rows, **about):
    return take_export(user, loaded=mapping(), content=as_csv(rows), name="monday.csv", **about)


def nothing_is_stored() -> bool:
    return not (QSTSession.objects.exists() or ImportedFile.objects.exists() or OriginalFile.objects.exists())


def test_a_session_is_made_of_the_rows_of_a_visit_with_its_file(coordinator, participant, rows, thermode):
    taken = take(coordinator, rows)
    assert (taken.new, taken.sessions, taken.trials) == (True, 1, len(rows))
    session = QSTSession.objects.get(participant=participant)
    assert (session.tester, session.test_side, session.imported_file) == ("cora", "left", taken.file)
    assert [use.device for use in session.device_uses.all()] == [thermode]
    assert session.values.get(area="test", parameter="PPT").value == 180
    content = as_csv(rows)
    kept = OriginalFile.objects.get(imported_file=taken.file)
    assert bytes(kept.content) == content
    assert kept.sha256 == taken.file.sha256 == hashlib.sha256(content).hexdigest()
    assert (kept.mapping_name, kept.mapping) == ("canonical.yaml", (MAPPINGS / "canonical.yaml").read_text())


def test_the_same_file_again_changes_nothing(coordinator, rows):
    take(coordinator, rows)
    events = AuditEvent.objects.count()
    again = take(coordinator, rows)
    assert (again.new, AuditEvent.objects.count()) == (False, events)


def test_one_wrong_cell_refuses_the_whole_file(coordinator, rows):
    with pytest.raises(ImportRefused, match=r"row 7, column value: '60': .* allowed is 0 to 50 °C"):
        take(coordinator, with_cell(rows, 7, "value", "60"))
    assert nothing_is_stored()


def test_the_difference_is_shown_before_anything_is_taken(coordinator, rows):
    plan = plan_export(coordinator, loaded=mapping(), content=as_csv(rows), name="monday.csv")
    assert (plan.count("new"), plan.count("changed"), plan.needs_reason) == (len(rows), 0, False)
    assert nothing_is_stored()


def test_readings_that_differ_are_corrected_with_a_reason_and_equal_ones_left(coordinator, participant, rows):
    take(coordinator, rows)
    ppt = next(number for number, row in enumerate(rows, 2) if row["parameter"] == "PPT")
    later = with_cell(rows, ppt, "value", "200")
    plan = plan_export(coordinator, loaded=mapping(), content=as_csv(later), name="tuesday.csv")
    [changed] = [d for d in plan.differences if d.kind == "changed"]
    assert (changed.row, changed.named, changed.old, changed.new) == (ppt, "test PPT 1", "180", "200")
    assert plan.count("equal") == len(rows) - 1
    with pytest.raises(InvalidEntry, match="give the reason"):
        take(coordinator, later)
    taken = take(coordinator, later, reason="exported again after a repair")
    assert (taken.sessions, taken.corrected, taken.trials) == (0, 1, 1)
    event = AuditEvent.objects.get(kind="qsttrial", operation="update")
    assert (event.reason, event.new) == ("exported again after a repair", {"test PPT 1": 200})
    assert QSTSession.objects.get(participant=participant).values.get(area="test", parameter="PPT").value > 180


def test_what_was_shown_is_what_is_taken(coordinator, participant, rows):
    take(coordinator, rows)
    ppt = next(number for number, row in enumerate(rows, 2) if row["parameter"] == "PPT")
    later = with_cell(rows, ppt, "value", "200")
    shown = plan_export(coordinator, loaded=mapping(), content=as_csv(later), name="tuesday.csv").digest
    session = QSTSession.objects.get(participant=participant)
    correct_session(coordinator, session=session, trials=[TrialEntry("test", "PPT", 1, 195.0)], reason="reread")
    with pytest.raises(PlanChanged, match="has changed since"):
        take(coordinator, later, reason="again", shown=shown)


def test_a_session_without_a_test_area_is_refused(coordinator, rows):
    control = [row | {"area": "control hand"} for row in rows]
    with pytest.raises(ImportRefused, match="has no row of the test area"):
        take(coordinator, control)
    assert nothing_is_stored()


def test_nothing_is_taken_of_somebody_without_consent(coordinator, version, site):
    silent = factories.Participants(version, coordinator, made=40).ready(site, consented=False)
    factories.with_visits(silent)
    with pytest.raises(ConsentMissing):
        take(coordinator, oracle_rows(silent.identifier))
    assert nothing_is_stored()


def test_who_may_not_enter_qst_imports_none_and_another_sites_participants_are_not_known(nurse, version, rows):
    with pytest.raises(NotAllowed, match="import QST at site BER"):
        take(nurse, rows)
    elsewhere = factories.person("ed", version.study, "coordinator", version.study.sites.get(code="EDI"))
    with pytest.raises(ImportRefused, match="has this identifier here"):
        take(elsewhere, rows)
    assert nothing_is_stored()


def test_nothing_is_left_when_the_last_step_fails(coordinator, rows, monkeypatch):
    monkeypatch.setattr("outcomes.qst_import.taking._store", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        take(coordinator, rows)
    assert nothing_is_stored()


def test_the_database_holds_the_bytes_to_their_hash_and_lets_nobody_change_them(coordinator, rows):
    take(coordinator, rows)
    kept = OriginalFile.objects.all()
    with pytest.raises(ProgrammingError, match="permission denied"):
        with acting(coordinator, "tidy"), transaction.atomic():
            kept.update(content=b"other")
    with pytest.raises(ProgrammingError, match="permission denied"):
        with acting(coordinator, "tidy"), transaction.atomic():
            kept._raw_delete(kept.db)
    file = ImportedFile.objects.get()
    with acting(coordinator, "again"), transaction.atomic():
        another = ImportedFile.objects.create(
            study=file.study, name="x", sha256="0" * 64, bytes=1, mapping_sha256="", rows=0
        )
    with pytest.raises(IntegrityError, match="original_file_is_what_its_hash_says"):
        with acting(coordinator, "again"), transaction.atomic():
            OriginalFile.objects.create(imported_file=another, sha256="0" * 64, content=b"x", mapping="")


def test_the_command_shows_takes_and_says_what_was_taken_before(participant, rows, tmp_path, capsys):
    path = tmp_path / "monday.csv"
    path.write_bytes(as_csv(rows))
    arguments = ("import_qst", str(MAPPINGS / "canonical.yaml"), str(path))
    call_command(*arguments, "--dry-run")
    assert "Dry run: nothing was written." in capsys.readouterr().out
    assert nothing_is_stored()
    call_command(*arguments)
    assert f"1 sessions entered, 0 corrected, {len(rows)} trials taken." in capsys.readouterr().out
    call_command(*arguments)
    assert "Nothing was changed." in capsys.readouterr().out
    assert QSTTrial.objects.count() == len(rows)
    path.write_bytes(as_csv(with_cell(rows, 2, "value", "warm")))
    with pytest.raises(CommandError, match="row 2, column value"):
        call_command(*arguments)


def test_a_study_that_is_not_conducted_here_is_refused(coordinator, rows):
    text = (MAPPINGS / "canonical.yaml").read_text().replace("study: KALM", "study: NONE")
    from outcomes.qst_import import load_device_mapping

    loaded = load_device_mapping(text, name="mine.yaml")
    with pytest.raises(InvalidEntry, match="There is no study NONE"):
        plan_export(coordinator, loaded=loaded, content=as_csv(rows), name="monday.csv")
