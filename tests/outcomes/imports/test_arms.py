"""Where the arms of an imported trial are, and where they are not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from outcomes.imports.arms import ArmsDiffer, ArmsNotStored, unblinded_process
from outcomes.imports.refusals import SourceChanged
from outcomes.imports.taking import import_trial
from outcomes.models import ImportedFile
from studies.closed_side import read_arms
from studies.models import Allocation, Study
from tests.conftest import django_as
from tests.outcomes.imports.trial_files import (
    IMPORTER,
    MAPPINGS,
    PROTOCOLS,
    TRIALS,
    ClosedSideHere,
    as_csv,
    line,
    protocol_file,
    source,
    two_patients,
)
from trialsite.services.connection import database_url

pytestmark = pytest.mark.django_db(transaction=True)
Connect = Callable[[str], psycopg.Connection]
ASHAR = protocol_file("ashar2022-1.0.yaml")
# Codes that are no words of anything else.
ARMS = ("PRT", "PLACEBO", "USUAL_CARE")


def arms_of(study: Study) -> dict[str, str]:
    """By identifier, read as the unblinded side."""
    with django_as("unblinded"):
        arms = read_arms(IMPORTER, study=study, purpose="test")
    return {each.identifier: arms[each.pk] for each in study.participants.all() if each.pk in arms}


def swapped() -> list[dict[str, str]]:
    """The same two patients in each other's arms."""
    return [each | {"group": {"1": "3", "3": "1"}[each["group"]]} for each in two_patients()]


class Unreachable:
    def store(self, study: Study, arms: Mapping[int, str]) -> None:
        raise ArmsNotStored("no connection")


def test_the_unblinded_side_holds_every_arm(study):
    assert arms_of(study) == {"ASHAR2022-7": "PRT", "ASHAR2022-8": "USUAL_CARE"}


def test_the_open_side_knows_who_was_randomised_by_the_trials_own_number(study):
    rows = Allocation.objects.order_by("participant").values_list(
        "participant__identifier", "randomisation_number", "strata"
    )
    assert list(rows) == [("ASHAR2022-7", "ASHAR2022-7", {}), ("ASHAR2022-8", "ASHAR2022-8", {})]


def test_no_row_that_app_can_read_holds_an_arm(study, as_role: Connect):
    app = as_role("app")
    tables = app.execute(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'v', 'm', 'p') AND n.nspname IN ('public', 'audit', 'concealed')"
        " AND has_table_privilege(c.oid, 'SELECT')"
    ).fetchall()
    assert len(tables) > 30
    holding = set()
    for (table,) in tables:
        rows = app.execute(f"SELECT t::text FROM {table} t").fetchall()
        if any(arm in row for (row,) in rows for arm in ARMS):
            holding.add(table)
    # The protocol names the arms there are, and so does its place in the trail: of all arms, about nobody.
    assert holding <= {"public.studies_protocolversion", "audit.event"}
    events = app.execute("SELECT DISTINCT kind FROM audit.event WHERE new::text ~ %s", ["|".join(ARMS)]).fetchall()
    assert events == [("protocolversion",)]


def test_app_cannot_read_the_imported_arms(study, as_role: Connect):
    for statement in (
        "SELECT * FROM concealed.list_row",
        "SELECT * FROM concealed.allocation",
        f"SELECT * FROM concealed.read_arms({study.pk}, 'curious')",
        f"SELECT concealed.import_arms({study.pk}, '[]')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_role("app").execute(statement)


@pytest.mark.parametrize("order", [1, -1], ids=["sorted by arm", "the other way"])
def test_the_order_of_the_files_rows_leaves_no_trace(order, transactional_db):
    lines = sorted((line(n, group=n % 3 + 1) for n in range(1, 10)), key=lambda each: each["group"])[::order]
    done = import_trial(IMPORTER, source=source(as_csv(lines)), protocol_file=ASHAR, closed_side=ClosedSideHere())
    identifiers = [f"ASHAR2022-{n}" for n in range(1, 10)]
    assert list(done.study.participants.order_by("pk").values_list("identifier", flat=True)) == identifiers


def test_repeating_an_import_does_not_touch_the_arms(study, small, as_role: Connect):
    reads = "SELECT count(*) FROM audit.arm_read"
    before = as_role("auditor").execute(reads).fetchone()
    import_trial(IMPORTER, source=small, closed_side=Unreachable())
    assert as_role("auditor").execute(reads).fetchone() == before


def test_other_arms_in_the_file_are_refused_and_named_at_the_closed_side_only(study, as_role: Connect):
    with pytest.raises(ArmsDiffer) as refusal:
        import_trial(IMPORTER, source=source(as_csv(swapped())), closed_side=ClosedSideHere())
    assert "ASHAR2022-7" not in str(refusal.value)
    assert arms_of(study) == {"ASHAR2022-7": "PRT", "ASHAR2022-8": "USUAL_CARE"}
    [what] = as_role("unblinded").execute("SELECT what FROM concealed.event ORDER BY id DESC LIMIT 1").fetchall()
    assert what == ("an import gave another arm than the one stored to ASHAR2022-7, ASHAR2022-8",)


def test_values_are_compared_before_arms_so_that_a_changed_file_asks_nobody_for_arms(study):
    lines = [each | {"pain_avg": "9"} for each in swapped()]
    with pytest.raises(SourceChanged, match="column pain_avg"):
        import_trial(IMPORTER, source=source(as_csv(lines)), closed_side=Unreachable())


def test_an_import_whose_arms_did_not_arrive_goes_on_when_it_is_repeated(transactional_db, small):
    with pytest.raises(ArmsNotStored):
        import_trial(IMPORTER, source=small, protocol_file=ASHAR, closed_side=Unreachable())
    study = Study.objects.get()
    assert arms_of(study) == {}
    done = import_trial(IMPORTER, source=small, closed_side=ClosedSideHere())
    assert (done.new, done.arms_handed_over) == (False, True)
    assert arms_of(study) == {"ASHAR2022-7": "PRT", "ASHAR2022-8": "USUAL_CARE"}


# The command and its child ----------------------------------------------------------------------------


@pytest.fixture
def unblinded_database(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> None:
    """Where a child process of the unblinded side finds the test's database."""
    monkeypatch.setenv("TRIALSITE_UNBLINDED_DATABASE_URL", database_url("unblinded", connection.settings_dict["NAME"]))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    data = tmp_path / "small.csv"
    data.write_text(as_csv(two_patients()))
    return [str(MAPPINGS / "ashar2022.yaml"), str(data)]


PROTOCOL = ["--protocol", str(PROTOCOLS / "ashar2022-1.0.yaml")]


def test_the_command_imports_through_a_child_of_the_unblinded_side(files, unblinded_database, capfd):
    call_command("import_trial", *files, *PROTOCOL)
    said = capfd.readouterr()
    assert "ASHAR2022: 2 participants, 3 visits, 40 values in 3 rows of small.csv" in said.out
    assert "The arms are with the unblinded side" in said.out
    assert not any(arm in said.out + said.err for arm in ARMS)
    assert arms_of(Study.objects.get()) == {"ASHAR2022-7": "PRT", "ASHAR2022-8": "USUAL_CARE"}
    call_command("import_trial", *files)
    assert "ASHAR2022 held all of this already. Nothing was changed." in capfd.readouterr().out


def test_the_child_refuses_other_arms_without_saying_whose(files, study, unblinded_database, capfd):
    Path(files[1]).write_text(as_csv(swapped()))
    with pytest.raises(CommandError, match="The arms in the file are not those stored"):
        call_command("import_trial", *files)
    said = capfd.readouterr()
    assert "ASHAR2022-7" not in said.out + said.err
    assert arms_of(study) == {"ASHAR2022-7": "PRT", "ASHAR2022-8": "USUAL_CARE"}


def test_nothing_is_imported_when_the_unblinded_side_cannot_be_reached(files, monkeypatch, transactional_db):
    monkeypatch.setenv("TRIALSITE_UNBLINDED_DATABASE_URL", "postgresql://unblinded@/nothing?host=/nowhere")
    with pytest.raises(CommandError, match="unblinded side cannot be reached"):
        call_command("import_trial", *files, *PROTOCOL)
    assert not Study.objects.exists()


def test_a_real_server_asks_for_the_unblinded_sides_own_address(files, monkeypatch, transactional_db):
    monkeypatch.delenv("TRIALSITE_UNBLINDED_DATABASE_URL", raising=False)
    monkeypatch.delenv("TRIALSITE_VAR", raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://app@database/trialsite")
    with pytest.raises(CommandError, match="Set TRIALSITE_UNBLINDED_DATABASE_URL"):
        call_command("import_trial", *files, *PROTOCOL)


def test_a_dry_run_says_what_would_happen_and_writes_nothing(files, transactional_db, capsys):
    call_command("import_trial", *files, *PROTOCOL, "--dry-run")
    said = capsys.readouterr().out
    assert "ASHAR2022: 2 participants, 3 visits" in said
    assert "Dry run: nothing was written." in said
    assert not Study.objects.exists()


def test_a_dry_run_reports_what_differs(files, study, capsys):
    call_command("import_trial", *files, "--dry-run")
    assert "ASHAR2022 holds all of this already" in capsys.readouterr().out
    Path(files[1]).write_text(as_csv([line(7, pain_avg=0), *two_patients()[1:]]))
    with pytest.raises(CommandError, match=r"small.csv: 1 value differs from what is stored; nothing was changed\."):
        call_command("import_trial", *files, "--dry-run")
    assert ImportedFile.objects.count() == 1


def test_refusals_are_listed_one_a_line(files, transactional_db):
    Path(files[1]).write_text(as_csv([line(7, pain_avg=11, odi=-1), line(8, group=5)]))
    with pytest.raises(CommandError) as refusal:
        call_command("import_trial", *files, *PROTOCOL)
    assert str(refusal.value).splitlines() == [
        "small.csv: 3 refusals; nothing was imported.",
        "  row 2, column pain_avg: '11': Average pain is 11; allowed is 0 to 10 (whole numbers).",
        "  row 2, column odi: '-1': Disability (per cent) is -1; allowed is 0 to 100.",
        "  row 3, column group: '5': The mapping knows 1, 2, 3 here, and not this.",
    ]
    assert not Study.objects.exists()


def test_a_file_that_is_not_there_is_named(files, transactional_db):
    with pytest.raises(CommandError, match=r"absent\.csv: No such file"):
        call_command("import_trial", files[0], "absent.csv", *PROTOCOL)


def test_only_the_open_side_imports_and_only_the_other_keeps_arms(files, transactional_db):
    with django_as("unblinded"), pytest.raises(CommandError, match="The open side imports"):
        call_command("import_trial", *files)
    with pytest.raises(CommandError, match="Only the unblinded side keeps arms"):
        call_command("store_imported_arms")


def test_the_child_ends_when_nothing_is_handed_over(unblinded_database):
    with unblinded_process() as closed_side:
        process = closed_side._process
    assert process.returncode == 0


def test_the_shipped_data_are_the_published_bytes():
    shipped = MAPPINGS.parent / "data" / "ashar2022_outcomes_demographics.csv"
    assert shipped.read_bytes() == (TRIALS / shipped.name).read_bytes()
    digest = hashlib.sha256(shipped.read_bytes()).hexdigest()
    assert digest in (shipped.parent / "PROVENANCE.md").read_text()
