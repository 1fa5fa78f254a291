"""A corrected rule of scoring, from the file to the trail: old and new value, old and new version of the rule."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from outcomes.instrument_versions import load_instruments
from outcomes.models import InstrumentVersion, Response
from outcomes.rescoring import differences, rescore
from outcomes.responses import ResponseEntry, correct_response, save_response
from studies.acting import Program, acting
from studies.errors import InvalidEntry, ProtocolConflict
from studies.models import AuditEvent
from tests.outcomes.site_instruments import CHECKLIST

pytestmark = pytest.mark.django_db
ANSWERED_AT = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
CORRECTED = CHECKLIST.replace('scoring_version: "1"', 'scoring_version: "2"').replace(
    "2: {label: Rested}", "2: {label: Rested, reverse: true}"
)


@pytest.fixture
def folder(version, site_folder):
    """Puts a file into the folder of the site's own instruments, where one is registered already."""
    site_folder(CHECKLIST)
    load_instruments(Program("test"))
    return site_folder


def answered(coordinator, participant, visit: str = "BL", **answers: float) -> Response:
    items = {"1": 4.0, "2": 0.0, "3": 2.0} | {name.removeprefix("i"): value for name, value in answers.items()}
    at = participant.visits.get(code=visit)
    return save_response(coordinator, entry=ResponseEntry(participant, "rest3", items, ANSWERED_AT, visit=at))


def test_a_corrected_rule_rescores_by_command_and_the_trail_has_old_and_new(folder, coordinator, participant, capsys):
    saved = answered(coordinator, participant)
    assert [(s.name, s.number, s.scoring_version) for s in saved.scores.order_by("name")] == [
        ("band", None, "1"),
        ("total", 6, "1"),
    ]
    folder(CORRECTED)
    call_command("load_instruments")
    assert "rest3 1.0: scoring version 1 -> 2; run rescore --instrument rest3" in capsys.readouterr().out
    with pytest.raises(CommandError, match="2 stored scores differ"):
        call_command("rescore", check=True)
    assert f"response {saved.pk}, rest3 total: 6 -> 10 (scoring version 1 -> 2)" in capsys.readouterr().out
    call_command("rescore", instrument="rest3", reason="Item 2 was not reversed")
    assert "1 scores changed" in capsys.readouterr().out
    total = saved.scores.get(name="total")
    assert (total.number, total.scoring_version) == (10, "2")
    event = AuditEvent.objects.get(kind="response", record=saved.pk, operation="update", new__has_key="score total")
    assert (event.actor, event.reason, event.participant_id) == ("rescore", "Item 2 was not reversed", participant.pk)
    assert event.old == {"score total": 6, "scoring version": "1"}
    assert event.new == {"score total": 10, "scoring version": "2"}
    call_command("rescore", check=True)
    assert "equal their recomputation" in capsys.readouterr().out


def test_the_registration_of_a_correction_is_audited_too(folder):
    folder(CORRECTED)
    load_instruments(Program("test"))
    version = InstrumentVersion.objects.get(key="rest3")
    event = AuditEvent.objects.get(kind="instrumentversion", record=version.pk, operation="update")
    assert (event.old["scoring_version"], event.new["scoring_version"]) == ("1", "2")


def test_until_rescored_old_scores_say_the_old_version_and_new_ones_the_new(folder, coordinator, participant):
    old = answered(coordinator, participant)
    folder(CORRECTED)
    load_instruments(Program("test"))
    new = answered(coordinator, participant, visit="SCR")
    assert old.scores.get(name="total").scoring_version == "1"
    assert (new.scores.get(name="total").scoring_version, new.scores.get(name="total").number) == ("2", 10)
    assert {d.response_id for d in differences("rest3")} == {old.pk}


def test_a_rule_whose_correction_changes_no_value_still_leaves_its_version(folder, coordinator, participant):
    saved = answered(coordinator, participant, i2=2.0)
    folder(CORRECTED)
    load_instruments(Program("test"))
    changed = rescore(Program("rescore"), instrument="rest3")
    assert [(d.name, d.same_value) for d in changed] == [("total", True), ("band", True)]
    assert saved.scores.get(name="total").scoring_version == "2"
    assert rescore(Program("rescore"), instrument="rest3") == []


def test_a_changed_file_with_the_same_numbers_is_refused(folder):
    folder(CORRECTED.replace('scoring_version: "2"', 'scoring_version: "1"'))
    with pytest.raises(ProtocolConflict, match=r"rest3 has changed but still says version 1\.0, scoring version 1\."):
        load_instruments(Program("test"))


def test_a_correction_of_scoring_that_drops_an_answered_item_is_refused(folder, coordinator, participant):
    answered(coordinator, participant)
    lacking = CORRECTED.replace("  3: {label: Weak}\n", "").replace(", 3: 0}", "}").replace("[1-3]", "[1-2]")
    lacking = lacking.replace("range: [0, 12]", "range: [0, 8]").replace("2/3", "2/2")
    folder(lacking)
    with pytest.raises(ProtocolConflict, match="rest3 lacks item 3, which responses under version 1.0 have answered"):
        load_instruments(Program("test"))


def test_a_response_is_scored_and_corrected_by_the_version_it_was_answered_under(folder, coordinator, participant):
    saved = answered(coordinator, participant)
    folder(CHECKLIST, name="earlier/rest3-1.0.yaml")
    second = CORRECTED.replace('\nversion: "1.0"', '\nversion: "2.0"').replace("label: Weak", "label: Heavy")
    folder(second)
    load_instruments(Program("test"))
    assert list(differences("rest3")) == []
    correct_response(coordinator, response=saved, items={"3": 4.0}, reason="misread")
    assert (saved.scores.get(name="total").number, saved.scores.get(name="total").scoring_version) == (8, "1")
    assert answered(coordinator, participant, visit="SCR").instrument.version == "2.0"


def test_without_the_file_of_an_earlier_version_its_responses_are_not_scored_by_another(
    folder, coordinator, participant
):
    answered(coordinator, participant)
    folder(CORRECTED.replace('\nversion: "1.0"', '\nversion: "2.0"'))
    load_instruments(Program("test"))
    with pytest.raises(CommandError, match=r"Version 1\.0 of rest3 is not here; in use is 2\.0\..*rest3-1\.0\.yaml"):
        call_command("rescore", check=True)


def test_a_finding_that_the_protocol_takes_from_a_score_follows_it(coordinator, participant):
    visit = participant.visits.get(code="SCR")
    no_thoughts = {f"i{n}": 0.0 for n in range(1, 6)}
    behaviours = {f"b_{name}": 0.0 for name in ("actual", "interrupted", "aborted", "preparatory")}
    entry = ResponseEntry(participant, "cssrs", no_thoughts | behaviours, ANSWERED_AT, visit=visit)
    saved = save_response(coordinator, entry=entry)
    finding = participant.findings.get(key="cssrs_ideation")
    with acting(Program("test"), "spoilt for this test"), transaction.atomic():
        saved.scores.filter(name="ideation_severity").update(number=3)
        participant.findings.filter(pk=finding.pk).update(number=3)
    rescore(Program("rescore"), instrument="cssrs")
    assert participant.findings.get(key="cssrs_ideation").number == 0


def test_rescoring_an_instrument_that_nobody_answered_is_refused(version):
    with pytest.raises(InvalidEntry, match="No response to 'phq8' is stored"):
        rescore(Program("rescore"), instrument="phq8")
