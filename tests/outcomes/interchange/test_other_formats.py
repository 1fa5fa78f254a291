"""REDCap as its API writes it, and FHIR: the same values as by the files that people export."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from outcomes.imports.refusals import ImportRefused
from outcomes.interchange.definitions import read_definitions
from outcomes.interchange.document import Document
from outcomes.interchange.instrument_drafts import as_yaml, drafts
from outcomes.interchange.reading import Brought, read
from outcomes.interchange.redcap_dictionary import API_NAMES
from outcomes.interchange.sources import Source
from outcomes.scoring.checking import check_instrument
from tests.outcomes.interchange.files import DATA, again, brought
from tests.outcomes.interchange.test_shared_files import without_place

OF_PEOPLE = {column: name for name, column in API_NAMES.items()}


def rows_of(path: str) -> list[dict[str, str]]:
    with (DATA / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def as_api_csv(rows: list[dict[str, str]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, [OF_PEOPLE[column] for column in rows[0]])
    writer.writeheader()
    writer.writerows({OF_PEOPLE[column]: text for column, text in row.items()} for row in rows)
    return out.getvalue().encode()


@pytest.mark.parametrize("project", ["longitudinal", "repeating-instruments-sparse", "simple"])
def test_the_api_of_redcap_gives_what_its_files_give(project: str):
    by_people = read(brought(f"redcap/{project}/data.csv"))
    records = json.dumps(rows_of(f"redcap/{project}/data.csv")).encode()
    metadata = as_api_csv(rows_of(f"redcap/{project}/dictionary.csv"))
    by_api = read(
        Brought(
            Source("records.json", records),
            dictionary=Source("metadata.csv", metadata),
            events=brought(f"redcap/{project}/data.csv").events,
            project=project,
        )
    )
    assert [without_place(cell) for cell in by_api.cells] == [without_place(cell) for cell in by_people.cells]


QUESTIONNAIRE: dict[str, Any] = {
    "resourceType": "Questionnaire",
    "url": "http://example.org/Questionnaire/sleep",
    "title": "Sleep",
    "item": [
        {
            "linkId": "trouble",
            "type": "choice",
            "text": "Trouble sleeping?",
            "answerOption": [
                {"valueCoding": {"code": "0", "display": "No"}},
                {"valueCoding": {"code": "1", "display": "Yes"}},
            ],
        },
        {
            "linkId": "nights",
            "type": "group",
            "repeats": True,
            "item": [
                {
                    "linkId": "hours",
                    "type": "integer",
                    "text": "Hours",
                    "enableWhen": [{"question": "trouble", "operator": "=", "answerCoding": {"code": "1"}}],
                },
                {"linkId": "dreams", "type": "string", "repeats": True, "text": "Dreams"},
            ],
        },
        {"linkId": "thanks", "type": "display", "text": "Thank you"},
        {"linkId": "quality", "type": "decimal", "text": "Quality"},
    ],
}


def response(subject: str, *items: dict[str, Any], **more: Any) -> dict[str, Any]:
    about = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{QUESTIONNAIRE['url']}|1",
        "status": "completed",
    }
    return {**about, "subject": {"reference": subject}, "item": list(items), **more}


def answer(link: str, **value: Any) -> dict[str, Any]:
    return {"linkId": link, "answer": [{name: given} for name, given in value.items()]}


def bundle(*resources: dict[str, Any], stored: Document | None = None) -> Document:
    content = json.dumps({"resourceType": "Bundle", "entry": [{"resource": each} for each in resources]}).encode()
    return read(Brought(Source("bundle.json", content), stored=stored.study if stored else None))


FULL = response(
    "Patient/1",
    answer("trouble", valueCoding={"code": "1"}),
    {"linkId": "nights", "item": [answer("hours", valueInteger=6), answer("dreams", valueString="sea")]},
    {"linkId": "nights", "item": [answer("hours", valueInteger=5)]},
    answer("quality", valueDecimal=6.5),
    authored="2024-05-31",
)


def values(document: Document) -> list[tuple[str, str, str | None]]:
    return [(cell.address.item.rpartition("#")[2], cell.address.group_repeat, cell.value) for cell in document.values]


def test_a_questionnaire_and_its_responses_are_read_from_a_bundle():
    document = bundle(QUESTIONNAIRE, FULL)
    assert values(document) == [
        ("trouble", "1", "1"),
        ("hours", "1", "6"),
        ("dreams", "1", "sea"),
        ("hours", "1.2", "5"),
        ("quality", "1", "6.5"),
    ]
    assert document.subjects == ("Patient/1",)
    assert any("Left out: a text to be shown" in remark.why for remark in document.remarks)


def test_what_fhir_says_goes_out_as_odm_and_comes_in_again():
    document = bundle(QUESTIONNAIRE, FULL)
    back = again(document)
    assert back.study == document.study
    assert {without_place(cell) for cell in back.cells} == {without_place(cell) for cell in document.cells}


def test_responses_find_a_questionnaire_that_is_here_already():
    assert values(bundle(FULL, stored=bundle(QUESTIONNAIRE)))[0] == ("trouble", "1", "1")
    with pytest.raises(ImportRefused, match="and not their questionnaire. Bring the questionnaire first"):
        bundle(FULL)


def test_a_condition_is_kept_in_the_expression_language():
    study = bundle(QUESTIONNAIRE).study
    assert study is not None
    hours = next(item for oid, item in read_definitions(study).items.items() if oid.endswith("#hours"))
    assert hours.condition == "not (trouble == '1')"


def test_a_questionnaire_becomes_a_draft():
    study = bundle(QUESTIONNAIRE).study
    assert study is not None
    (draft,) = drafts(read_definitions(study))
    instrument = check_instrument(as_yaml(draft, source="q.json", sha256="0" * 64), source="sleep.yaml")
    assert (draft.key, list(instrument.items)) == ("sleep", ["trouble"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (response("Patient/1", answer("smell", valueString="x")), "The questionnaire has no such question."),
        (response("", answer("trouble", valueCoding={"code": "1"})), "The response has no subject."),
        ({**FULL, "questionnaire": "http://example.org/other"}, "No questionnaire http://example.org/other is known"),
    ],
)
def test_responses_that_fit_no_question_are_refused(wrong: dict[str, Any], words: str):
    with pytest.raises(ImportRefused) as refused:
        bundle(QUESTIONNAIRE, wrong)
    assert words in str(refused.value)


def test_a_code_that_is_no_option_is_in_doubt():
    document = bundle(QUESTIONNAIRE, response("Patient/1", answer("trouble", valueCoding={"code": "7"})))
    assert [doubt.refusal.why for doubt in document.doubts] == ["The item's codes are 0, 1, and not this."]
