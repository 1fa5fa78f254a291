"""Mapping files: every mistake at once, with its line; and what protocol or instruments do not have."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from outcomes.imports.mapping import load_mapping
from outcomes.imports.mapping_references import refuse_contradictions
from studies.protocol import DocumentInvalid, load
from tests.outcomes.imports.trial_files import MAPPINGS, protocol_file

ASHAR = (MAPPINGS / "ashar2022.yaml").read_text()
PROTOCOL = load(protocol_file("ashar2022-1.0.yaml").text, source="ashar")
LONG = """
study: ASHAR2022
protocol: "1.0"
source: a paper
licence: CC0 1.0
attestation: {by: somebody, says: All consented.}
participant:
  identifier: id
  arm: {column: group, codes: {1: PRT, 2: PLACEBO}}
visits: {column: time, codes: {1: T1, 2: T2}}
values:
  - {column: pain, instrument: nrs_avg_week, score: value}
"""
WIDE = LONG.replace("visits: {column: time, codes: {1: T1, 2: T2}}\n", "").replace(
    "score: value", "score: value, visit: T1"
)


def problems(text: str, *, against_protocol: bool = False) -> list[str]:
    with pytest.raises(DocumentInvalid) as refusal:
        loaded = load_mapping(text, name="mapping.yaml")
        if against_protocol:
            refuse_contradictions(loaded, PROTOCOL)
    return [str(problem) for problem in refusal.value.problems]


@pytest.mark.parametrize(
    ("mapping", "protocol"),
    [("ashar2022.yaml", "ashar2022-1.0.yaml"), ("vickers2004.yaml", "vickers2004-1.0.yaml")],
)
def test_the_shipped_mappings_agree_with_their_protocols(mapping, protocol):
    loaded = load_mapping((MAPPINGS / mapping).read_text(), name=mapping)
    refuse_contradictions(loaded, load(protocol_file(protocol).text, source=protocol))
    assert loaded.mapping.attestation.by
    assert loaded.mapping.licence.startswith("CC")


@pytest.mark.parametrize("text", [LONG, WIDE], ids=["a row a visit", "a row a participant"])
def test_the_examples_of_this_test_are_mappings(text):
    refuse_contradictions(load_mapping(text, name="mapping.yaml"), PROTOCOL)


def test_a_mapping_is_known_by_the_hash_of_its_text():
    assert load_mapping(LONG, name="a").sha256 == load_mapping(LONG, name="b").sha256
    assert load_mapping(LONG, name="a").sha256 != load_mapping(LONG + "# a note\n", name="a").sha256


def test_codes_are_written_bare_and_compared_as_text():
    mapping = load_mapping(LONG, name="mapping.yaml").mapping
    assert mapping.participant.arm.codes == {"1": "PRT", "2": "PLACEBO"}


def test_every_mistake_is_named_with_its_line():
    text = LONG.replace("identifier: id", "identifyer: id").replace("score: value", "score: value, item: 1")
    assert problems(text) == [
        "line 7, participant.identifier: 'identifier' is missing.",
        "line 8, participant.identifyer: 'identifyer' is not known here. Did you mean 'identifier'? "
        "Allowed: age_years, arm, identifier, sex, site.",
        "line 12, values[1]: Say which value: either a score or an item.",
    ]


def test_who_attests_must_be_named():
    assert problems(LONG.replace("by: somebody, ", "")) == ["line 6, attestation.by: 'by' is missing."]


def test_a_moment_of_completion_needs_its_time_zone():
    [problem] = problems(LONG + "completed_at: 2020-01-05 10:00\n")
    assert problem.startswith("line 13, completed_at: ")


def test_one_row_a_participant_names_the_visit_of_each_value():
    assert problems(WIDE.replace(", visit: T1", "")) == [
        "line 11, values[1]: Without 'visits' at the top each value names its one visit: visit: ..."
    ]


def test_one_row_a_visit_leaves_the_visit_to_the_rows():
    assert problems(LONG.replace("score: value", "score: value, visit: T1")) == [
        "line 12, values[1].visit: The rows say which visit it is. To limit it write visits: [...]"
    ]


def test_a_value_and_a_column_are_mapped_once():
    assert problems(LONG + "  - {column: pain, instrument: nrs_avg_week, score: value}\n") == [
        "line 12, values[1].column: 'pain' is taken more than once.",
        "line 13, values[2]: Another column gives value of nrs_avg_week already.",
        "line 13, values[2].column: 'pain' is taken more than once.",
    ]


def test_an_instrument_comes_as_items_or_as_scores():
    assert problems(LONG + "  - {column: pain2, instrument: nrs_avg_week, item: 1}\n") == [
        "line 13, values[2]: nrs_avg_week comes as items or as scores, not as both."
    ]


def test_a_mapping_takes_something():
    text = LONG[: LONG.index("values:")] + "values: []\n"
    assert problems(text) == ["line 11, values: The mapping takes no value. Name at least one."]


def test_a_filter_says_one_thing():
    [problem] = problems(LONG + "rows:\n  - {column: group}\n")
    assert problem == "line 14, rows[1]: Give either one_of or given: true."


@pytest.mark.parametrize(
    ("written", "instead", "problem"),
    [
        ("study: ASHAR2022", "study: OTHER", "line 2, study: The protocol is that of ASHAR2022."),
        ('protocol: "1.0"', 'protocol: "2.0"', "line 3, protocol: The protocol of ASHAR2022 is version 1.0."),
        (
            "2: PLACEBO",
            "2: SALINE",
            "line 9, participant.arm.codes.2: 'SALINE' is not an arm of the protocol; there is PLACEBO, PRT",
        ),
        ("2: T2", "2: W4", "line 10, visits.codes.2: 'W4' is not a planned visit of the protocol; there is T1, T2."),
        ("instrument: nrs_avg_week", "instrument: nrs", "line 12, values[1].instrument: There is no instrument 'nrs'"),
        ("score: value", "score: mean", "line 12, values[1].score: 'mean' is no number that Average pain in the past"),
        ("score: value", "item: 2", "line 12, values[1].item: Average pain in the past week (NRS) has no item '2'."),
        (
            "instrument: nrs_avg_week",
            "instrument: pgic_reversed",
            "line 12, values[1]: The protocol does not collect pgic_reversed at T1.",
        ),
    ],
)
def test_what_protocol_or_instruments_lack_is_refused(written, instead, problem):
    found = problems(LONG.replace(written, instead), against_protocol=True)
    assert any(each.startswith(problem) for each in found), found


def test_a_study_that_is_conducted_here_takes_no_import():
    text = protocol_file("kalm-1.0.yaml").text
    code = YAML(typ="safe").load(text)["study"]["code"]
    with pytest.raises(DocumentInvalid, match="is conducted here: its protocol does not say origin: imported"):
        refuse_contradictions(
            load_mapping(LONG.replace("ASHAR2022", code), name="mapping.yaml"), load(text, source="kalm")
        )


def test_the_direction_and_range_of_ashars_forms_are_those_of_its_values():
    # In PRT, which did best, the mean of PGIC is 6.1; PANAS runs from 5: the forms of the same name would not fit.
    mapping = load_mapping(ASHAR, name="ashar2022.yaml").mapping
    instruments = {value.column: value.instrument for value in mapping.values}
    assert (instruments["pgic"], instruments["panas_pa"]) == ("pgic_reversed", "panas_sf")
