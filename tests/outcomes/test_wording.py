"""Wording that a licence-holder brings: checked against the instrument, shown on forms, kept out of everything else."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, transaction

from outcomes.models import InstrumentVersion, InstrumentWording, WordingText
from outcomes.scoring import load_instrument
from outcomes.wording import languages_of, load_wording, wording_for
from studies.acting import Program, acting
from studies.errors import InvalidEntry, ProtocolConflict
from studies.models import AuditEvent
from studies.protocol import DocumentInvalid

pytestmark = pytest.mark.django_db
HOLDER = Program("licence-holder")
# Invented: no sentence of a questionnaire is in the repository.
FILE = """\
instrument: gad7
instrument_version: "1.0"
language: de
version: "1.0"
permission: Letter of 3 Feb 2026, for this study, until 2028
title: Sieben Fragen
instructions: Bitte kreuzen Sie an.
choices: {0: nie, 1: selten, 2: oft, 3: immer}
items:
  1: {text: Satz eins}
  2: {text: Satz zwei}
  3: {text: Satz drei}
  4: {text: Satz vier}
  5: {text: Satz fünf}
  6: {text: Satz sechs, choices: {0: gar nicht, 3: ganz}}
  7: {text: Satz sieben}
"""


@pytest.fixture
def gad7(version) -> InstrumentVersion:
    return InstrumentVersion.objects.get(key="gad7")


def loaded(text: str = FILE) -> InstrumentWording:
    return load_wording(HOLDER, text=text, source="gad7-de.yaml")


def test_without_wording_a_form_shows_its_numbers_and_neutral_labels(gad7):
    shown = wording_for(gad7, "de")
    assert not shown.licensed
    assert (shown.language, shown.title) == ("en", "Generalised Anxiety Disorder 7")
    assert {name: item.text for name, item in shown.items.items()} == {
        name: item.label for name, item in load_instrument("gad7").items.items()
    }


def test_a_loaded_wording_is_shown_in_its_language_alone(gad7):
    loaded()
    shown = wording_for(gad7, "de")
    assert shown.licensed
    assert (shown.language, shown.version, shown.title) == ("de", "1.0", "Sieben Fragen")
    assert shown.items["1"].text == "Satz eins"
    assert shown.items["1"].choices == {0: "nie", 1: "selten", 2: "oft", 3: "immer"}
    assert shown.items["6"].choices == {0: "gar nicht", 3: "ganz"}
    assert wording_for(gad7, "de-CH").title == "Sieben Fragen"
    assert not wording_for(gad7, "fr").licensed
    assert languages_of(gad7) == ["de"]


def test_a_wording_of_a_region_comes_before_that_of_its_language_and_the_last_version_before_earlier_ones(gad7):
    loaded(FILE.replace("language: de", "language: de-CH").replace("Sieben Fragen", "Schweiz"))
    loaded()
    loaded(FILE.replace('\nversion: "1.0"', '\nversion: "1.1"').replace("Sieben Fragen", "Verbessert"))
    assert wording_for(gad7, "de-CH").title == "Schweiz"
    assert (wording_for(gad7, "de-AT").title, wording_for(gad7, "de").version) == ("Verbessert", "1.1")


def test_the_text_reaches_neither_the_audit_trail_nor_another_table_and_its_hash_does(gad7):
    wording = loaded()
    event = AuditEvent.objects.get(kind="instrumentwording", record=wording.pk)
    assert (event.actor, event.new["permission"]) == ("licence-holder", wording.permission)
    assert event.new["sha256"] == wording.sha256
    assert not AuditEvent.objects.filter(new__icontains="Satz eins").exists()


def test_loading_the_same_file_again_changes_nothing_and_a_changed_one_needs_a_new_version(gad7):
    assert loaded() == loaded()
    with pytest.raises(ProtocolConflict, match=r"gad7 de 1\.0 has changed but still says version 1\.0"):
        loaded(FILE.replace("Satz eins", "Satz 1"))
    assert WordingText.objects.count() == 1


def test_the_text_of_a_wording_cannot_be_changed_even_by_a_program(gad7):
    loaded()
    with pytest.raises(ProgrammingError, match="permission denied"), acting(HOLDER, "x"), transaction.atomic():
        WordingText.objects.update(content={})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  7: {text: Satz sieben}\n", "", "line 9, items: The wording of item 7 is missing: a form is worded whole."),
        ("  7: {", "  8: {", "line 16, items.8: gad7 has no item 8."),
        ("3: ganz", "4: ganz", "line 15, items.6.choices.4: Item 6 has no code 4."),
        ("3: immer", "9: immer", "line 8, choices.9: No item of gad7 has a code 9."),
        ('instrument_version: "1.0"', 'instrument_version: "0.9"', "gad7 is at version 1.0 here, not 0.9."),
        ("language: de", "language: German", "'German' is not a language tag such as de, de-CH or pt-BR"),
        ("permission:", "licence:", "'licence' is not known here."),
    ],
)
def test_a_wording_that_does_not_fit_is_refused_with_the_line(gad7, old, new, says):
    assert old in FILE
    with pytest.raises(DocumentInvalid) as refused:
        loaded(FILE.replace(old, new))
    assert says in str(refused.value)
    assert not InstrumentWording.objects.exists()


def test_a_wording_of_an_unknown_instrument_is_refused(version):
    with pytest.raises(InvalidEntry, match="no instrument 'gad9'"):
        loaded(FILE.replace("instrument: gad7", "instrument: gad9"))


def test_the_command_loads_a_file_and_tells_what_is_wrong_with_another(gad7, tmp_path, capsys):
    good, bad = tmp_path / "gad7-de.yaml", tmp_path / "bad.yaml"
    good.write_text(FILE, encoding="utf-8")
    bad.write_bytes("title: Größe".encode("latin-1"))
    call_command("load_wording", str(good))
    assert "gad7 de 1.0: loaded" in capsys.readouterr().out
    with pytest.raises(CommandError, match=r"bad\.yaml cannot be read.*Save it as UTF-8"):
        call_command("load_wording", str(bad))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("load_wording", str(tmp_path / "absent.yaml"))
