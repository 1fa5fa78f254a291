"""The command line: shown first, taken when told to, and every refusal a sentence."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from outcomes.interchange.planning import plan
from outcomes.interchange.reading import Brought
from outcomes.interchange.sources import open_source
from outcomes.models import ImportedCell
from studies.models import Study
from tests import factories
from tests.outcomes.interchange.files import ATTESTATION, DATA

pytestmark = pytest.mark.django_db
SNAPSHOT = str(DATA / "odm13/odmlib/odm-data-snapshot.xml")


def records(file: str, *options: str) -> str:
    out = StringIO()
    call_command("import_records", file, "--study", "VIRUS", *options, stdout=out)
    return out.getvalue()


def test_a_file_goes_in_and_comes_out_the_same(tmp_path: Path):
    assert "165 new" in records(SNAPSHOT)
    assert not Study.objects.exists()
    assert "Taken." in records(SNAPSHOT, "--take", "--attested-by", ATTESTATION)
    assert "This file was taken before; its values were not changed." in records(SNAPSHOT, "--take")
    exported, said = tmp_path / "out.xml", StringIO()
    call_command("export_odm", "VIRUS", "--out", str(exported), stderr=said)
    assert "165 values written" in said.getvalue()
    assert plan(Brought(open_source(exported)), study_code="VIRUS").is_nothing
    printed = StringIO()
    call_command("export_odm", "VIRUS", stdout=printed, stderr=StringIO())
    assert printed.getvalue().startswith('<?xml version="1.0" encoding="UTF-8"?>')


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (SNAPSHOT, "Say who answers for it that these people consented"),
        (str(DATA / "odm13/odmlib/test_odm_001.xml"), "The prefix xs is used and not declared"),
        (str(DATA / "missing.xml"), "No such file or directory"),
    ],
)
def test_what_is_refused_is_told_in_a_sentence(file: str, words: str):
    with pytest.raises(CommandError, match=words):
        records(file, "--take")
    assert not ImportedCell.objects.exists()


def test_an_export_needs_a_study_that_was_imported(tmp_path: Path):
    factories.kalm()
    with pytest.raises(CommandError, match="There is no study NOWHERE"):
        call_command("export_odm", "NOWHERE")
    with pytest.raises(CommandError, match="KALM holds nothing that came from a file of another system"):
        call_command("export_odm", "KALM", "--out", str(tmp_path / "out.xml"))
    assert not (tmp_path / "out.xml").exists()
