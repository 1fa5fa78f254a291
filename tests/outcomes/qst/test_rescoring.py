"""QST values after their reference or the rules changed: found, computed anew by command, old and new in the trail."""

from __future__ import annotations

import csv

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from outcomes import qst_values
from outcomes.models import QSTValue
from outcomes.qst import SYNTHETIC_REFERENCE
from outcomes.qst.reference import checksum_of
from outcomes.qst_rescoring import qst_differences, rescore_qst
from outcomes.qst_sessions import save_session
from studies import history
from studies.acting import Program, acting
from studies.models import AuditEvent
from studies.protocol.arm_revealing import Revealing
from tests import factories
from tests.outcomes.qst.sessions import session_entry

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(coordinator, participant, settings):
    settings.QST_REFERENCE = str(SYNTHETIC_REFERENCE)
    with acting(factories.SETTING_UP, "set up"), transaction.atomic():
        participant.age_years = 44
        participant.save(update_fields=["age_years"])
    return save_session(coordinator, entry=session_entry(participant))


@pytest.fixture
def corrected_reference(settings, tmp_path):
    """The same file with another mean of the cold detection threshold in every row of the hand."""
    rows = list(csv.DictReader(SYNTHETIC_REFERENCE.read_text().splitlines()))
    for row in rows:
        if row["parameter"] == "CDT":
            row["mean"] = str(float(row["mean"]) + 0.1)
    sealed = checksum_of(rows)
    path = tmp_path / "corrected.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"checksum": sealed} for row in rows)
    settings.QST_REFERENCE = str(path)


def test_a_corrected_reference_is_found_and_values_follow_by_command_with_old_and_new_in_the_trail(
    session, corrected_reference, coordinator, capsys
):
    before = session.values.get(area="test", parameter="CDT")
    with pytest.raises(CommandError, match="stored QST values differ from what their trials give"):
        call_command("rescore", check=True)
    assert f"QST of {session.visit.code}, test CDT: -1.5, z {before.z:.10g} -> -1.5, z " in capsys.readouterr().out
    assert session.values.get(area="test", parameter="CDT").z == before.z, "a check changes nothing"
    call_command("rescore", reason="the publisher's erratum")
    told = capsys.readouterr().out
    assert "QST values changed" in told
    assert "QST values are the same by another reference file or later rules" in told
    after = session.values.get(area="test", parameter="CDT")
    assert after.value == before.value
    assert abs((after.z or 0) - (before.z or 0)) > 0.01
    assert after.reference_sha256 != before.reference_sha256
    events = AuditEvent.objects.filter(kind="qstsession", record=session.pk, operation="update")
    event = events.get(new__has_key="value test CDT z")
    assert (event.actor, event.reason) == ("rescore", "the publisher's erratum")
    assert (event.old["value test CDT z"], event.new["value test CDT z"]) == (before.z, after.z)
    assert before.reference_sha256[:12] in event.old["reference"]
    [words] = history.in_words(coordinator, session.participant, [event])
    assert {line.field: line.became for line in words.lines}["value test CDT z"] == str(after.z)
    marks = Revealing(records=frozenset({"qstvalue"}))
    [kept] = history.in_words(coordinator, session.participant, [event], revealing=marks)
    assert {line.became for line in kept.lines} == {history.HIDDEN}
    call_command("rescore", check=True)
    assert "stored QST values equal their recomputation" in capsys.readouterr().out
    assert rescore_qst(Program("rescore")) == []


def test_a_later_version_of_the_rules_is_found_although_no_value_changes(session, monkeypatch):
    assert list(qst_differences()) == []
    monkeypatch.setattr(qst_values, "RULES_VERSION", "2")
    found = list(qst_differences())
    assert len(found) == session.values.count()
    assert all(difference.same_value for difference in found)
    assert "(rules 1 -> 2)" in str(found[0])
    assert len(rescore_qst(Program("rescore"))) == len(found)
    assert set(QSTValue.objects.values_list("rules_version", flat=True)) == {"2"}
    event = AuditEvent.objects.filter(kind="qstsession", operation="update").first()
    assert event is not None
    assert (event.old, event.new) == ({"rules version": "1"}, {"rules version": "2"})


def test_a_value_that_somebody_changed_or_that_no_rule_gives_is_found_and_mended(session):
    with acting(factories.SETTING_UP, "by hand"), transaction.atomic():
        session.values.filter(area="test", parameter="PPT").update(value=1.0)
        QSTValue.objects.create(session=session, participant=session.participant, area="test", parameter="old", value=1)
    assert {(d.parameter, d.recomputed is None) for d in qst_differences()} == {("PPT", False), ("old", True)}
    rescore_qst(Program("rescore"))
    assert list(qst_differences()) == []
    gone = AuditEvent.objects.get(kind="qstsession", operation="delete")
    assert gone.old["value test old"] == 1


def test_scores_and_qst_values_are_checked_apart_too(session, corrected_reference, capsys):
    with pytest.raises(CommandError, match="No response to 'phq9'"):
        call_command("rescore", instrument="phq9")
    call_command("rescore", instrument="qst")
    assert "scores changed" not in capsys.readouterr().out
    call_command("rescore", check=True, instrument="qst")
