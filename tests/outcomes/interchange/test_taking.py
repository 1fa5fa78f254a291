"""A file is shown before it is taken, taken whole or not at all, and overwrites nothing."""

from __future__ import annotations

import io

import pytest
from django.db import ProgrammingError, connection, transaction

from outcomes.imports.refusals import ImportRefused, SourceChanged
from outcomes.interchange.exporting import export_odm
from outcomes.interchange.planning import plan
from outcomes.interchange.reading import Brought
from outcomes.interchange.sources import Source
from outcomes.interchange.stored import cells_now
from outcomes.interchange.taking import Choices, Taken, take
from outcomes.models import ImportedCell, ImportedDefinitions, ImportedFile, ImportReport, OriginalFile
from studies.acting import Program, acting
from studies.errors import InvalidEntry, NotAllowed
from studies.models import Membership, Study
from tests import factories
from tests.outcomes.interchange.files import ATTESTATION, CREATED, brought, odm, small, subject
from tests.outcomes.interchange.test_shared_files import TAKEN, without_place

pytestmark = pytest.mark.django_db
IMPORTER = Program("import_records")
TABLES = (Study, Membership, ImportedFile, OriginalFile, ImportedDefinitions, ImportedCell, ImportReport)
ALICE = "1,7,170.5,2024-05-31,1,1,0,slept badly,Alice,2"


def taken(files: Brought, code: str = "SMALL", choices: Choices | None = None, reason: str = "") -> Taken:
    return take(
        IMPORTER, brought=files, study_code=code, attestation=ATTESTATION, choices=choices or Choices(), reason=reason
    )


def counts() -> list[int]:
    return [table.objects.count() for table in TABLES]


def values(code: str = "SMALL") -> dict[str, str | None]:
    return {cell.address.item: cell.value for cell in cells_now(Study.objects.get(code=code)) if cell.is_value}


@pytest.mark.parametrize("path", TAKEN)
def test_every_value_of_a_file_is_stored_once_and_goes_out_again(path: str):
    done = taken(brought(path))
    stored = TAKEN[path][0]
    assert done.report.taken == stored == ImportedCell.objects.exclude(item="").count()
    out = io.StringIO()
    assert export_odm(done.study, out, created_at=CREATED) == stored
    back = plan(Brought(Source("back.xml", out.getvalue().encode())), study_code="SMALL")
    assert back.difference.is_nothing
    assert back.definitions.is_nothing
    now = cells_now(done.study)
    assert [without_place(cell) for cell in back.document.cells] == [without_place(cell) for cell in now]


def test_the_original_file_is_kept_with_its_hash_and_nobody_may_change_it():
    files = small(ALICE)
    done = taken(files)
    original = OriginalFile.objects.get(imported_file=done.file)
    assert (bytes(original.content), original.sha256) == (files.file.content, files.file.sha256)
    for table in ("outcomes_originalfile", "outcomes_importedcell", "outcomes_importreport"):
        for statement in (f"UPDATE {table} SET entered_by = 'x'", f"DELETE FROM {table}"):
            with pytest.raises(ProgrammingError, match="permission denied"):
                with acting(IMPORTER, "try"), transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute(statement)


def test_other_roles_of_the_database_do_not_read_what_may_name_people(as_role):
    for role in ("unblinded", "auditor"):
        with pytest.raises(Exception, match="permission denied"):
            as_role(role).execute("SELECT value FROM outcomes_importedcell")


def test_looking_at_the_difference_writes_nothing():
    before = counts()
    planned = plan(small(ALICE), study_code="SMALL")
    assert [cell.value for cell in planned.difference.new if cell.address.item == "name"] == ["Alice"]
    assert counts() == before


def test_the_same_file_again_changes_nothing():
    first = taken(small(ALICE))
    before = counts()
    second = taken(small(ALICE))
    assert (second.new, second.report) == (False, first.report)
    assert counts() == before


def test_a_file_that_says_the_same_in_other_bytes_brings_nothing_new():
    taken(small(ALICE))
    done = taken(small(ALICE, ""))
    assert (done.report.taken, done.report.equal) == (0, 10)
    assert ImportedCell.objects.exclude(item="").count() == 10


def test_more_records_are_new_and_what_is_not_in_the_file_stays():
    taken(small(ALICE))
    planned = plan(small("2,3,,,,,,,,"), study_code="SMALL")
    assert {(cell.address.subject, cell.value) for cell in planned.difference.new} == {("2", "2"), ("2", "3")}
    taken(small("2,3,,,,,,,,"))
    assert {cell.address.subject for cell in cells_now(Study.objects.get(code="SMALL"))} == {"1", "2"}


CHANGED = ALICE.replace(",7,", ",8,")


def test_a_changed_value_is_shown_with_its_row_and_never_overwritten_silently():
    taken(small(ALICE))
    before = counts()
    with pytest.raises(SourceChanged) as refused:
        taken(small(CHANGED))
    assert "row 2, column worst" in str(refused.value)
    assert "stored '7', in the file '8'" in str(refused.value)
    assert counts() == before


def test_a_correction_needs_its_reason():
    taken(small(ALICE))
    with pytest.raises(InvalidEntry, match="Give the reason"):
        taken(small(CHANGED), choices=Choices(changed="correct"))
    assert values()["worst"] == "7"


def test_a_correction_replaces_a_value_and_keeps_the_old_one_with_the_reason():
    taken(small(ALICE))
    done = taken(small(CHANGED), choices=Choices(changed="correct"), reason="read again from paper")
    assert values()["worst"] == "8"
    row = ImportedCell.objects.get(replaces__isnull=False)
    assert (row.replaces.value, row.reason, row.entered_by) == ("7", "read again from paper", "import_records")
    assert (done.report.corrected, done.report.left_out) == (1, 0)


def test_changed_values_that_are_left_out_are_in_the_report():
    taken(small(ALICE))
    done = taken(small(CHANGED, "2,1,,,,,,,,"), choices=Choices(changed="leave"))
    assert [cell.value for cell in cells_now(done.study) if cell.address.item == "worst"] == ["7", "1"]
    assert (done.report.taken, done.report.corrected, done.report.left_out) == (2, 0, 1)
    assert [(line.line, line.stored, line.value) for line in done.report.changes] == [(2, "7", "8")]
    assert not ImportedCell.objects.filter(replaces__isnull=False).exists()


DOUBTFUL = ALICE.replace(",7,", ",seven,")


def test_a_value_that_breaks_its_definition_stops_the_whole_file():
    before = counts()
    with pytest.raises(ImportRefused, match="row 2, column worst: 'seven': This is not a number"):
        taken(small(DOUBTFUL, "2,3,,,,,,,,"))
    assert counts() == before


def test_doubtful_values_can_be_left_out_and_are_reported():
    done = taken(small(DOUBTFUL), choices=Choices(doubtful="leave"))
    assert "worst" not in values()
    assert (done.report.taken, done.report.left_out) == (9, 1)
    assert done.report.doubts[0].why.startswith("This is not a number")


def test_doubtful_values_can_be_kept_with_a_reason_and_carry_the_rule_they_break():
    with pytest.raises(InvalidEntry, match="Give the reason"):
        taken(small(DOUBTFUL), choices=Choices(doubtful="keep"))
    done = taken(small(DOUBTFUL), choices=Choices(doubtful="keep"), reason="as the form says it")
    assert values()["worst"] == "seven"
    assert ImportedCell.objects.get(item="worst").doubt.startswith("This is not a number")
    assert (done.report.taken, done.report.kept_in_doubt) == (9, 1)
    assert not plan(small(DOUBTFUL), study_code="SMALL").doubts


def test_the_last_step_failing_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch):
    before = counts()

    def broken(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("outcomes.interchange.taking.ImportReport.objects.create", broken)
    with pytest.raises(OSError, match="no space left"):
        taken(small(ALICE))
    assert counts() == before


def test_a_new_study_needs_somebody_who_answers_for_the_consents():
    with pytest.raises(InvalidEntry, match="Say who answers for it"):
        take(IMPORTER, brought=small(ALICE), study_code="SMALL")
    assert not Study.objects.exists()


def test_values_do_not_go_into_a_study_that_is_conducted_here():
    factories.kalm()
    with pytest.raises(ImportRefused, match="KALM is conducted here"):
        taken(small(ALICE), code="KALM")


def test_a_file_of_another_study_is_refused():
    taken(brought("odm13/odmlib/odm-data-snapshot.xml"))
    with pytest.raises(ImportRefused, match="of the study S; 1001_virus is here under this name"):
        taken(Brought(odm(subject("1", "7"))))


def test_values_without_definitions_find_those_that_are_stored():
    taken(Brought(odm("")))
    only_values = odm(subject("1", "7")).content
    begin, end = only_values.index(b"<Study"), only_values.index(b"<ClinicalData")
    files = Brought(Source("values.xml", only_values[:begin] + only_values[end:]))
    assert taken(files).report.taken == 1
    with pytest.raises(ImportRefused, match="not its definitions"):
        taken(files, code="OTHER")


def test_a_transactional_file_says_one_after_the_other_what_became_of_a_value():
    taken(Brought(odm(subject("1", "7") + subject("2", "5"))))
    steps = subject("1", "8") + subject("2", "5", attributes=' TransactionType="Remove"')
    source = odm(steps + subject("1", "9"))
    files = Brought(Source("t.xml", source.content.replace(b"Snapshot", b"Transactional")))
    done = taken(files, choices=Choices(changed="correct"), reason="sent by the other system")
    cells = {cell.address.subject: cell.value for cell in cells_now(done.study) if cell.is_value}
    assert cells == {"1": "9"}
    assert done.report.corrected == 2


def test_definitions_that_a_file_leaves_out_stay():
    taken(brought("redcap/longitudinal/dictionary.csv"))
    done = taken(brought("redcap/longitudinal/event.csv"))
    assert done.report.definitions["absent"] > 200
    newest = ImportedDefinitions.objects.order_by("-pk").first()
    before = ImportedDefinitions.objects.order_by("pk").first()
    assert len(newest.content[3][1][3]) >= len(before.content[3][1][3])


def test_a_person_needs_to_manage_the_data_of_a_study():
    version = factories.kalm()
    manager = factories.person("dora", version.study, "data_manager")
    coordinator = factories.person("cora", version.study, "coordinator", version.study.sites.first())
    with pytest.raises(NotAllowed):
        take(coordinator, brought=small(ALICE), study_code="SMALL", attestation=ATTESTATION)
    done = take(manager, brought=small(ALICE), study_code="SMALL", attestation=ATTESTATION)
    other = factories.person("dan", version.study, "data_manager")
    assert done.study.import_attestation == ATTESTATION
    with pytest.raises(NotAllowed):
        take(other, brought=small("2,3,,,,,,,,"), study_code="SMALL")


def test_names_and_addresses_are_left_out_of_an_export_on_request():
    done = taken(small(ALICE))
    out = io.StringIO()
    export_odm(done.study, out, created_at=CREATED, identifying=False)
    assert "Alice" not in out.getvalue()
    assert "slept badly" in out.getvalue()
