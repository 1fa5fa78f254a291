"""Drafts of instruments: valid files with numbers and neutral labels, and a list of what they do not hold."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from outcomes.interchange.definitions import read_definitions
from outcomes.interchange.instrument_drafts import Draft, as_wording, as_yaml, drafts, languages
from outcomes.interchange.reading import Brought, read
from outcomes.interchange.sources import Source
from outcomes.scoring.checking import check_instrument
from outcomes.scoring.wording_file import check_wording, read_wording
from tests.outcomes.interchange.files import DATA, FIELDS, brought
from tests.outcomes.interchange.test_shared_files import TAKEN

SHA = "0" * 64


def drafts_of(*lines: str) -> dict[str, Draft]:
    content = "\n".join((FIELDS, *lines)) + "\n"
    document = read(Brought(Source("dictionary.csv", content.encode()), project="P"))
    assert document.study is not None
    return {draft.key: draft for draft in drafts(read_definitions(document.study))}


def reasons(draft: Draft) -> dict[str, str]:
    return {each.item: each.why for each in draft.left_out}


WELLBEING = (
    "record_id,wb,,text,Record,,,,,,,,",
    'wb_1,wb,,radio,"How are you, ""really""?","0, Never: no | 1, Some | 2, Always",,,,,,,',
    'wb_2,wb,,radio,How do you sleep?,"0, Never | 1, Some | 2, Always",,,,,,,',
    'wb_3,wb,,yesno,Pain?,,,,,,,"[wb_1] = ""2""",',
    "wb_total,wb,,calc,Total,[wb_1] + [wb_2],,,,,,,",
    "wb_mean,wb,,calc,Mean,([wb_1] + [wb_2]) / 2,,,,,,,",
    'wb_odd,wb,,calc,Odd,"round([wb_1], 1)",,,,,,,',
    "wb_temp,wb,,text,Temperature,,,number,30,45,,,",
)


@pytest.mark.parametrize("path", TAKEN)
def test_every_draft_of_a_real_file_is_a_valid_instrument_whose_example_comes_out(path: str):
    study = read(brought(path)).study
    assert study is not None
    for draft in drafts(read_definitions(study)):
        if not draft.items:
            continue
        text = as_yaml(draft, source=path, sha256=SHA)
        instrument = check_instrument(text, source=f"{draft.key}.yaml")
        assert list(instrument.items) == [item.id for item in draft.items]
        for language in languages(draft):
            tag = language or "en"
            wording = as_wording(draft, of_language=language, language=tag, permission="made up")
            check_wording(wording, read_wording(wording, source="w"), instrument, source="w")


def test_a_draft_has_ranges_conditions_and_simple_scores():
    draft = drafts_of(*WELLBEING)["wb"]
    instrument = check_instrument(as_yaml(draft, source="d.csv", sha256=SHA), source="wb.yaml")
    assert {name: (item.min, item.max) for name, item in instrument.items.items()} == {
        "wb_1": (0, 2),
        "wb_2": (0, 2),
        "wb_3": (0, 1),
        "wb_temp": (30, 45),
    }
    assert instrument.items["wb_3"].asked_when is not None
    assert instrument.items["wb_3"].asked_when.at_least == 2
    assert {name: score.rule for name, score in instrument.scores.items()} == {"wb_total": "sum", "wb_mean": "mean"}


def test_a_draft_ships_no_wording():
    text = as_yaml(drafts_of(*WELLBEING)["wb"], source="d.csv", sha256=SHA)
    for word in ("really", "sleep", "Always", "Never"):
        assert word not in text


def test_the_wording_goes_into_a_file_of_its_own():
    draft = drafts_of(*WELLBEING)["wb"]
    instrument = check_instrument(as_yaml(draft, source="d.csv", sha256=SHA), source="wb.yaml")
    text = as_wording(draft, of_language="", language="en", permission="Letter of the author")
    wording = read_wording(text, source="w")
    check_wording(text, wording, instrument, source="w")
    assert wording.permission == "Letter of the author"
    assert wording.items["wb_1"].text == 'How are you, "really"?'
    assert wording.items["wb_1"].choices == {0: "Never: no", 1: "Some", 2: "Always"}


def test_what_an_instrument_cannot_hold_is_listed_with_the_reason():
    draft = drafts_of(
        *WELLBEING,
        'gap,wb,,radio,Gap,"0, No | 1, Yes | 9, Unknown",,,,,,,',
        'letters,wb,,radio,Letters,"a, No | b, Yes",,,,,,,',
        "free,wb,,notes,Free,,,,,,,,",
        "open,wb,,text,Open,,,integer,,,,,",
        "name,wb,,text,Name,,,integer,0,9,y,,",
        'early,wb,,yesno,Early,,,,,,,"[wb_1] = ""1""",',
    )["wb"]
    said = reasons(draft)
    assert "Its codes leave gaps (0, 1, 9)" in said["gap"]
    assert "Its codes are not whole numbers: a, b." in said["letters"]
    assert "a text, a date or a file" in said["free"]
    assert "not defined, and none is invented" in said["open"]
    assert "It says who somebody is" in said["name"]
    assert "is asked when another one has at least a code" in said["early"]
    assert "round() is a function" in said["wb_odd"]


def test_a_form_in_two_languages_gives_two_wordings():
    made = {draft.key: draft for draft in drafts(read_definitions(read(brought("odm13/openedc/metadata.xml")).study))}
    assert languages(made["f_4"]) == ["en", "de"]
    assert reasons(made["f_4"])["WHO-5 Score"].endswith("It is written in OpenEDC.")


def run(*options: str) -> str:
    out = StringIO()
    call_command("import_instruments", str(DATA / "redcap/survey/dictionary.csv"), *options, stdout=out)
    return out.getvalue()


def test_the_command_shows_drafts_and_writes_nothing_unasked(tmp_path: Path):
    shown = run()
    assert "participant_morale_questionnaire: 4 items, scores: none; 0 left out" in shown
    assert "Nothing was written." in shown
    run("--out", str(tmp_path))
    names = {path.name for path in tmp_path.iterdir()}
    assert "participant_morale_questionnaire.yaml" in names
    assert not any("wording" in name for name in names)


def test_the_command_writes_wording_under_a_permission_and_overwrites_nothing(tmp_path: Path):
    run("--out", str(tmp_path), "--permission", "Letter of the author")
    wording = tmp_path / "participant_morale_questionnaire.wording.en.yaml"
    assert read_wording(wording.read_text(), source="w").permission == "Letter of the author"
    run("--out", str(tmp_path), "--permission", "Letter of the author")
    wording.write_text("changed by hand")
    with pytest.raises(CommandError, match="with another content; nothing was written"):
        run("--out", str(tmp_path), "--permission", "Letter of the author")
    assert wording.read_text() == "changed by hand"
