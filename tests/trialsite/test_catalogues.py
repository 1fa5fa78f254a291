"""The German catalogue: every text of the participants' pages is in it, and what is compiled is what is written."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.utils import translation

from outcomes.scoring import load_instrument
from studies.protocol import load
from tests.factories import PROTOCOLS
from trialsite.participant_door.neutral_labels import translated

ROOT = Path(__file__).resolve().parent.parent.parent / "trialsite"
CATALOGUE = ROOT / "locale" / "de" / "LC_MESSAGES"
# The same word in both languages.
ALIKE = {"Code", "Depression"}


def written() -> dict[str, str]:
    """What stands in the source of the catalogue."""
    text = (CATALOGUE / "django.po").read_text(encoding="utf-8")
    pairs = re.findall(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"\n?)+)', text, re.MULTILINE)
    joined = (["".join(ast.literal_eval(line) for line in part.splitlines()) for part in pair] for pair in pairs)
    return {source: german for source, german in joined if source}


def test_what_is_compiled_is_what_is_written():
    with (CATALOGUE / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    assert {source: compiled.gettext(source) for source in written()} == written()


def test_every_text_of_the_pages_has_its_german():
    used = set()
    for page in (ROOT / "templates" / "participant_door").iterdir():
        used |= {found[2] for found in re.finditer(r"""{% translate (["'])(.*?)\1""", page.read_text())}
    assert used <= written().keys()
    assert {source for source, german in written().items() if not german} == set()
    assert {source for source, german in written().items() if source == german} == ALIKE


def askable() -> list[str]:
    """The instruments that the demonstration protocol may ask participants for."""
    definition = load((PROTOCOLS / "kalm-1.0.yaml").read_text(), source="kalm")
    keys = {a.instrument for visit in definition.visits for a in visit.assessments if a.instrument}
    asked = sorted(keys | {definition.diary.instrument if definition.diary else ""})
    return [key for key in asked if load_instrument(key).completed_by != "clinician"]


@pytest.mark.parametrize("key", askable())
def test_every_neutral_label_that_a_participant_meets_is_german_on_a_german_page(key):
    instrument = load_instrument(key)
    labels = {item.label for item in instrument.items.values()} | {instrument.recall}
    labels |= {word for item in instrument.items.values() for word in item.choices.values()}
    with translation.override("de"):
        english = {label for label in labels if translated(label) == label}
    assert {re.sub(r" \d+$", "", label) for label in english} <= ALIKE
