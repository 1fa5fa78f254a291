"""What an import stores, what it leaves as it is, and that it is all or nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from outcomes import rescoring
from outcomes.imports.mapping import load_mapping
from outcomes.imports.refusals import SourceChanged
from outcomes.imports.taking import import_trial
from outcomes.models import ImportedFile, Response, ResponseItem, Score
from outcomes.responses import correct_response
from studies.acting import acting
from studies.errors import InvalidEntry, ProtocolConflict
from studies.models import AuditEvent, Consent, Finding, Participant, SafetyAlert, Study, Visit
from tests import factories
from tests.outcomes.imports.trial_files import (
    IMPORTER,
    MAPPINGS,
    ClosedSideHere,
    as_csv,
    line,
    mapping_file,
    protocol_file,
    source,
    two_patients,
)

pytestmark = pytest.mark.django_db(transaction=True)
ASHAR = protocol_file("ashar2022-1.0.yaml")
VICKERS = protocol_file("vickers2004-1.0.yaml")
HEADACHE = (
    "id,age,sex,migraine,chronicity,group,pk1,pk2,pk5,f1,f2,f5\n"
    "1,40,1,1,5,1,10.75,,4.5,8,0,2\n"
    "2,61,0,,12,0,30,28,31,20,18,19\n"
)


def take(read, protocol=ASHAR):
    return import_trial(IMPORTER, source=read, protocol_file=protocol, closed_side=ClosedSideHere())


def headache(content: str = HEADACHE):
    return source(content, mapping=mapping_file("vickers2004.yaml"), protocol="vickers2004-1.0.yaml")


def rows_of_the_database() -> dict[str, int]:
    kinds = (Study, Participant, Visit, Response, ResponseItem, Score, ImportedFile, AuditEvent)
    return {kind.__name__: kind.objects.count() for kind in kinds}


def test_participants_have_the_studys_code_and_their_own_number_and_are_completed(study):
    assert list(study.participants.values_list("identifier", "status", "sex", "age_years", "screening_number")) == [
        ("ASHAR2022-7", "completed", "F", 41, 1),
        ("ASHAR2022-8", "completed", "F", 41, 2),
    ]


def test_visits_are_in_order_without_dates_and_missed_where_the_file_has_nothing(study):
    visits = Visit.objects.filter(participant__study=study)
    assert list(visits.values_list("participant__identifier", "code", "position", "status", "missed_reason")) == [
        ("ASHAR2022-7", "T1", 1, "done", ""),
        ("ASHAR2022-7", "T2", 2, "done", ""),
        ("ASHAR2022-8", "T1", 1, "done", ""),
        ("ASHAR2022-8", "T2", 2, "missed", "No value in the imported file"),
    ]
    dates = visits.values_list("target_on", "opens_at", "closes_at", "started_at")
    assert {value for row in dates for value in row} == {None}


def test_an_attestation_stands_in_place_of_consents(study):
    study.refresh_from_db()
    assert study.import_attestation.startswith("Consent and ethical approval are reported in the publication")
    assert "Attested by whoever loads this file" in study.import_attestation
    assert not Consent.objects.exists()


def test_a_score_without_items_is_an_imported_score_with_its_column_and_file(study):
    score = Score.objects.get(name="severity", participant__identifier="ASHAR2022-8")
    assert (score.number, score.imported, score.source_column) == (2.5, True, "bpi_intensity")
    assert score.scoring_version == "imported"
    assert score.response.source == Response.Source.IMPORT
    assert score.response.imported_file == study.imported_files.get()
    assert not ResponseItem.objects.exists()


def test_of_the_file_only_what_it_is_known_by_is_kept(study, small):
    [file] = study.imported_files.values("name", "sha256", "bytes", "mapping_sha256", "rows")
    assert file == {
        "name": "trial.csv",
        "sha256": small.table.sha256,
        "bytes": len(as_csv(two_patients())),
        "mapping_sha256": mapping_file("ashar2022.yaml").sha256,
        "rows": 3,
    }


def test_forms_count_as_completed_at_the_time_of_import_unless_a_moment_is_stated(study):
    moments = set(Response.objects.values_list("completed_at", flat=True))
    assert len(moments) == 1
    assert timezone.now() - moments.pop() < timedelta(minutes=1)


def test_a_moment_that_the_mapping_states_is_kept():
    text = (MAPPINGS / "ashar2022.yaml").read_text() + "completed_at: 2020-01-05T10:00:00Z\n"
    take(source(as_csv(two_patients()), mapping=load_mapping(text, name="mapping.yaml")))
    assert set(Response.objects.values_list("completed_at", flat=True)) == {datetime(2020, 1, 5, 10, tzinfo=UTC)}


def test_a_value_that_is_missing_beside_another_has_its_reason():
    take(source(as_csv([line(7, bpi_intensity="NaN")])))
    score = Score.objects.get(name="severity")
    assert (score.number, score.missing_reason) == (None, "not_in_source")
    assert score.response.status == Response.Status.PARTIAL


def test_a_form_of_which_the_file_has_nothing_at_a_visit_that_took_place_is_not_done():
    take(source(as_csv([line(7, odi="NaN")])))
    response = Response.objects.get(instrument__key="odi")
    assert (response.status, response.not_done_reason) == ("not_done", "No value in the imported file")
    assert not response.scores.exists()


def test_items_are_kept_and_scored_here():
    take(headache(), VICKERS)
    response = Response.objects.get(instrument__key="headache_history", participant__identifier="VICKERS2004-2")
    assert list(response.items.order_by("item").values_list("item", "value", "missing_reason")) == [
        ("migraine", None, "not_in_source"),
        ("years", 12.0, None),
    ]
    assert list(response.scores.order_by("name").values_list("name", "number", "imported")) == [
        ("migraine", None, False),
        ("years", 12.0, False),
    ]
    assert response.status == Response.Status.PARTIAL


def test_columns_of_one_row_go_to_their_visits():
    take(headache(), VICKERS)
    scores = Score.objects.filter(participant__identifier="VICKERS2004-1", name="severity", number__isnull=False)
    assert dict(scores.values_list("response__visit__code", "number")) == {"BASE": 10.75, "M12": 4.5}
    missed = Visit.objects.get(participant__identifier="VICKERS2004-1", code="M3")
    assert missed.status == Visit.Status.MISSED


def test_an_imported_score_is_never_rescored(study, capsys):
    before = list(Score.objects.order_by("pk").values_list("pk", "number", "change_no"))
    assert list(rescoring.differences()) == []
    assert rescoring.rescore(IMPORTER) == []
    call_command("rescore", check=True)
    assert "0 stored scores equal" in capsys.readouterr().out
    assert list(Score.objects.order_by("pk").values_list("pk", "number", "change_no")) == before


def test_a_form_that_came_as_scores_cannot_be_corrected_into_having_none(study):
    coordinator = factories.person("cora", study, "coordinator", study.sites.get())
    response = Response.objects.get(instrument__key="odi", participant__identifier="ASHAR2022-8")
    with pytest.raises(InvalidEntry, match="came as scores, without its answers"):
        correct_response(coordinator, response=response, items={"1": 5}, reason="a slip")
    assert response.scores.get().number == 10


def test_nothing_of_a_finished_trial_calls_for_a_person(study):
    assert not SafetyAlert.objects.exists()
    assert not Finding.objects.exists()


def test_the_import_is_in_the_audit_trail_with_its_reason(study):
    events = AuditEvent.objects.filter(kind="participant", operation="insert")
    assert set(events.values_list("actor", "reason")) == {("import_trial", "finished trial imported")}


def test_repeating_an_import_changes_nothing(study, small):
    before = rows_of_the_database()
    done = take(small)
    assert (done.new, done.arms_handed_over) == (False, False)
    assert rows_of_the_database() == before


def test_the_same_content_in_other_bytes_changes_nothing(study):
    before = rows_of_the_database()
    backwards = source(b"\xef\xbb\xbf" + as_csv(two_patients()[::-1]).replace("\n", "\r\n").encode())
    assert not take(backwards).new
    assert rows_of_the_database() == before


def test_a_changed_source_is_reported_and_overwrites_nothing(study):
    before = rows_of_the_database()
    lines = [
        line(7, group=1, pain_avg=5),
        line(7, group=1, time=2, pain_avg=1, pgic="NaN"),
        line(8, group=3, age=42),
        line(8, group=3, time=2, age=42, pain_avg=0, **dict.fromkeys(["odi", "pcs", "tsk11", "sopa_emo"], "NaN")),
        line(9),
    ]
    with pytest.raises(SourceChanged) as changed:
        take(source(as_csv(lines)))
    found = [str(difference) for difference in changed.value.differences]
    assert found[:3] == [
        "row 2, column pain_avg (ASHAR2022-7 at T1): stored '4', in the file '5'",
        "row 3, column pgic (ASHAR2022-7 at T2): stored '6', in the file nothing",
        "row 4, column age (ASHAR2022-8): stored '41', in the file '42'",
    ]
    assert "row 5, column pain_avg (ASHAR2022-8 at T2): stored nothing, in the file '0'" in found
    assert found[-1] == "row 6, column id (participant): stored nothing, in the file 'ASHAR2022-9'"
    assert rows_of_the_database() == before


def test_what_the_source_has_lost_is_reported(study):
    with pytest.raises(SourceChanged) as changed:
        take(source(as_csv(two_patients()[:1])))
    found = [str(difference) for difference in changed.value.differences]
    assert "no row, column id (participant): stored 'ASHAR2022-8', in the file nothing" in found
    assert "no row, column pain_avg (ASHAR2022-7 at T2): stored '1', in the file nothing" in found


def test_changed_items_are_reported():
    take(headache(), VICKERS)
    with pytest.raises(
        SourceChanged, match=r"column chronicity \(VICKERS2004-2 at BASE\): stored '12', in the file '13'"
    ):
        take(headache(HEADACHE.replace(",12,", ",13,")), VICKERS)


def test_a_protocol_that_changed_under_its_version_stops_the_import(study, small):
    changed = type(ASHAR)(ASHAR.text + "# another\n", ASHAR.name)
    with pytest.raises(ProtocolConflict):
        take(small, changed)


def test_without_its_protocol_nothing_is_imported(transactional_db, small):
    with pytest.raises(InvalidEntry, match=r"Protocol 1.0 of ASHAR2022 is not loaded: give its file with --protocol\."):
        take(small, protocol=None)
    assert not Study.objects.exists()


def test_a_study_that_is_conducted_here_takes_nothing(study, small):
    with acting(IMPORTER, "test"), transaction.atomic():
        Study.objects.update(origin=Study.Origin.CONDUCTED)
    with pytest.raises(InvalidEntry, match="ASHAR2022 is conducted here: nothing can be imported into it"):
        take(small)


def test_nothing_is_left_when_the_last_step_fails(transactional_db, small, monkeypatch):
    def refuse(rows):
        raise IntegrityError("the answers are refused")

    monkeypatch.setattr("outcomes.imports.taking.insert_imported", refuse)
    with pytest.raises(IntegrityError):
        take(small)
    assert not Study.objects.exists()
    assert not Participant.objects.exists()
    assert not ImportedFile.objects.exists()
    assert not AuditEvent.objects.exclude(kind="instrumentversion").exists()
