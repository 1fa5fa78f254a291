"""Rows that are taken, and every kind of cell that is refused with its row, its column and the reason."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcomes.imports.mapping import load_mapping
from outcomes.imports.numbers import number
from outcomes.imports.refusals import ImportRefused
from tests.outcomes.imports.trial_files import (
    MAPPINGS,
    as_csv,
    ashar,
    line,
    mapping_file,
    source,
    two_patients,
    vickers,
)

ASHAR = (MAPPINGS / "ashar2022.yaml").read_text()


def trial(lines: list[dict[str, str]]):
    return source(as_csv(lines)).trial


def refused(lines: list[dict[str, str]]) -> list[str]:
    with pytest.raises(ImportRefused) as refusal:
        trial(lines)
    return [str(each) for each in refusal.value.refusals]


def values(found, participant: str, visit: str, instrument: str) -> dict[str, float | None]:
    [answers] = [a for a in found.answers if (a.participant, a.visit, a.instrument) == (participant, visit, instrument)]
    return {each.name: each.value for each in answers.values}


def test_rows_become_participants_visits_and_answers():
    found = trial(two_patients())
    assert [(p.identifier, p.site, p.sex, p.age_years, p.row) for p in found.participants] == [
        ("ASHAR2022-7", "BOULDER", "F", 41, 2),
        ("ASHAR2022-8", "BOULDER", "F", 41, 4),
    ]
    assert found.visits_done == {("ASHAR2022-7", "T1"), ("ASHAR2022-7", "T2"), ("ASHAR2022-8", "T1")}
    assert values(found, "ASHAR2022-7", "T2", "nrs_avg_week") == {"value": 1}
    assert values(found, "ASHAR2022-8", "T1", "bpi_sf") == {"severity": 2.5, "interference": 1.25}
    assert dict(found.arms) == {"ASHAR2022-7": "PRT", "ASHAR2022-8": "USUAL_CARE"}


def test_arms_are_never_shown():
    read = source(as_csv(two_patients()))
    assert "PRT" not in repr(read.trial)
    assert "'group'" not in repr(read.table.rows)


def test_rows_that_the_filters_leave_out_are_counted_and_not_checked():
    found = trial([*two_patients(), line(9, is_patient=0, pain_avg="none"), line(10, group="<undefined>")])
    assert (found.rows, found.left_out) == (3, 2)


def test_columns_that_the_mapping_does_not_name_are_told():
    assert "opioid" in ashar().trial.columns_left_out
    assert vickers().trial.columns_left_out == ("acupuncturist", "practice_id")


def test_participants_come_in_the_order_of_their_numbers_not_of_the_file():
    found = trial([line(identifier) for identifier in (30, 9, 100)])
    assert [p.identifier for p in found.participants] == ["ASHAR2022-9", "ASHAR2022-30", "ASHAR2022-100"]


@pytest.mark.parametrize("token", ["NaN", "<undefined>", ""])
def test_a_missing_token_is_no_value(token):
    found = trial([line(7, bpi_intensity=token, gender=token, age=token)])
    assert values(found, "ASHAR2022-7", "T1", "bpi_sf") == {"severity": None, "interference": 1.25}
    assert (found.participants[0].sex, found.participants[0].age_years) == ("", None)


def test_everything_that_is_wrong_is_refused_at_once_in_the_order_of_the_rows():
    lines = [
        line(7, pain_avg=11, bpi_intensity='"2,5"'),
        line(7, time=2, gender=1),
        line("=HYPERLINK", time=3, odi="lots"),
        line(8, group=4, age="41.5"),
    ]
    assert refused(lines) == [
        "row 2, column pain_avg: '11': Average pain is 11; allowed is 0 to 10 (whole numbers).",
        "row 2, column bpi_intensity: '2,5': The decimal sign is a comma, where the mapping says '.'. "
        "Set file.decimal if all are so.",
        "row 3, column gender: '1': Row 2 says otherwise of the same participant.",
        "row 4, column id: '=HYPERLINK': This is a spreadsheet formula, not an identifier.",
        "row 4, column time: '3': The mapping knows 1, 2 here, and not this.",
        "row 4, column odi: 'lots': This is not a number. If it stands for no value, name it among the codes for "
        "that ('missing' in a mapping).",
        "row 5, column group: '4': The mapping knows 1, 2, 3 here, and not this.",
        "row 5, column age: '41.5': An age is given in whole years, 0 to 120.",
    ]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("3,5", "The decimal sign is a comma"),
        ("=3+1", "This is a spreadsheet formula"),
        ("@SUM(A1)", "This is a spreadsheet formula"),
        ("+cmd|' /C calc'!A0", "This is a spreadsheet formula"),
        ("-2+3", "This is a spreadsheet formula"),
        ("-1", "allowed is 0 to 100"),
        ("101", "allowed is 0 to 100"),
        ("1e999", "The number is too large"),
        ("nan", "This is not a number"),
        ("inf", "This is not a number"),
        ("1_000", "This is not a number"),
        ("٣", "This is not a number"),
        ("12 %", "This is not a number"),
        ("0x10", "This is not a number"),
    ],
)
def test_a_cell_that_is_no_value_of_the_score_is_refused(cell, why):
    # A cell with a comma is written in quotation marks.
    [refusal] = refused([line(7, odi=f'"{cell}"')])
    assert refusal.startswith(f"row 2, column odi: {cell!r}: ")
    assert why in refusal


def test_a_score_that_is_one_item_must_be_one_of_its_codes():
    [refusal] = refused([line(7, pain_avg="3.5")])
    assert refusal == "row 2, column pain_avg: '3.5': Average pain is 3.5; allowed is 0 to 10 (whole numbers)."


def test_the_same_row_twice_is_refused():
    assert refused([line(7), line(7)]) == ["row 3, column id: '7': Row 2 holds this participant at T1 already."]


def test_a_second_row_of_a_participant_is_refused_where_a_row_holds_everything():
    mapping = mapping_file("vickers2004.yaml")
    content = (
        "id,age,sex,migraine,chronicity,group,pk1,pk2,pk5,f1,f2,f5\n1,40,1,1,5,1,10,,,8,0,0\n1,40,1,1,5,1,10,9,,8,3,0\n"
    )
    with pytest.raises(ImportRefused, match=r"row 3, column id: '1': Row 2 holds this participant already\."):
        source(content, mapping=mapping, protocol="vickers2004-1.0.yaml")


def test_two_arms_for_one_participant_are_refused_without_naming_either():
    lines = [line(7, group=1), line(7, time=2, group=2)]
    assert refused(lines) == ["row 3, column group: Row 2 says otherwise of the same participant."]


def test_a_participant_without_an_arm_is_refused_where_the_filters_let_the_row_pass():
    mapping = load_mapping(ASHAR.replace("  - {column: group, given: true}\n", ""), name="mapping.yaml")
    with pytest.raises(ImportRefused, match="row 2, column group: The participant has no arm"):
        source(as_csv([line(7, group="NaN")]), mapping=mapping)


def test_a_fact_that_a_later_row_leaves_open_stands():
    [person] = trial([line(7), line(7, time=2, age="NaN", gender="<undefined>")]).participants
    assert (person.sex, person.age_years) == ("F", 41)


def test_a_value_at_a_visit_that_has_none_is_refused():
    assert refused([line(7, pgic=3)]) == ["row 2, column pgic: '3': The mapping takes this at T2 only."]


@pytest.mark.parametrize("identifier", ["7 8", "Jane Doe", "7;8", "x" * 21, "../7", "7\n8"])
def test_an_identifier_is_a_plain_short_code(identifier):
    [refusal] = refused([line(f'"{identifier}"')])
    assert refusal.startswith("row 2, column id: ")


def test_control_characters_of_a_cell_do_not_reach_the_terminal():
    [refusal] = refused([line(7, odi="\x1b[31m5")])
    assert "\x1b" not in refusal
    assert r"'\x1b[31m5'" in refusal


def test_columns_that_the_mapping_names_and_the_file_lacks_are_all_told():
    content = as_csv(two_patients()).replace("pain_avg", "pain_average").replace(",odi,", ",owestry,")
    with pytest.raises(ImportRefused) as refusal:
        source(content)
    assert [str(each) for each in refusal.value.refusals] == [
        "row 1, column pain_avg: The file has no such column. Did the file mean 'pain_average'?",
        "row 1, column odi: The file has no such column.",
    ]


def test_a_file_with_another_delimiter_is_recognised_as_such():
    with pytest.raises(ImportRefused, match="one column only: is it written with ',' between cells"):
        source(as_csv(two_patients(), delimiter=";"))


def test_a_decimal_comma_is_read_where_the_mapping_says_so():
    text = ASHAR.replace('delimiter: ",", decimal: "."', 'delimiter: ";", decimal: ","')
    content = as_csv([line(7, bpi_intensity="2,5", bpi_interference=1)], delimiter=";")
    found = source(content, mapping=load_mapping(text, name="mapping.yaml")).trial
    assert values(found, "ASHAR2022-7", "T1", "bpi_sf") == {"severity": 2.5, "interference": 1}
    with pytest.raises(ImportRefused, match="The decimal sign is a point, where the mapping says ','"):
        source(content.replace("2,5", "2.5"), mapping=load_mapping(text, name="mapping.yaml"))


def test_a_file_of_which_no_row_is_taken_is_refused():
    assert refused([line(7, is_patient=0)]) == ["file: No row is left after the filters of the mapping."]


# Published files -------------------------------------------------------------------------------------


def test_ashars_file_gives_the_participants_of_the_paper():
    found = ashar().trial
    assert (len(found.participants), found.rows, found.left_out) == (151, 286, 55)
    # The paper: 54 % women, mean age 41.1 years.
    women = sum(person.sex == "F" for person in found.participants) / 151
    assert round(women, 2) == 0.54
    assert round(sum(person.age_years or 0 for person in found.participants) / 151, 1) == 41.1


def test_headache_days_stand_at_zero_for_a_missing_diary_and_are_no_true_zeros():
    found = vickers().trial
    days = [
        (a.visit, {each.name: each.value for each in a.values})
        for a in found.answers
        if a.instrument == "headache_diary_4w"
    ]
    missing = {
        visit: sum(v["days"] is None and v["severity"] is None for w, v in days if w == visit)
        for visit in ("M3", "M12")
    }
    assert missing == {"M3": 75, "M12": 100}
    # Four diaries were kept and show no headache: those zeros are true.
    assert sum(v["days"] == 0 and v["severity"] == 0 for _, v in days) == 4


def test_headache_days_without_a_diary_are_refused_unless_they_stand_at_zero():
    content = "id,age,sex,migraine,chronicity,group,pk1,pk2,pk5,f1,f2,f5\n1,40,1,1,5,1,10,,,8,3,0\n"
    with pytest.raises(ImportRefused, match=r"row 2, column f2: '3': pk2 is missing, so this should be 0\."):
        source(content, mapping=mapping_file("vickers2004.yaml"), protocol="vickers2004-1.0.yaml")


# Properties ------------------------------------------------------------------------------------------


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_as_it_was_written(value):
    assert number(repr(value), ".") == value
    assert number(repr(value).replace(".", ","), ",") == value


@given(st.permutations([line(n, pain_avg=n % 8, group=n % 3 + 1) for n in range(1, 9)]))
def test_the_order_of_the_rows_does_not_matter(lines):
    found, straight = trial(lines), trial(sorted(lines, key=lambda each: int(each["id"])))
    assert [p.identifier for p in found.participants] == [p.identifier for p in straight.participants]
    assert all(int(a.identifier[10:]) < int(b.identifier[10:]) for a, b in pairwise(found.participants))
    assert dict(found.arms) == dict(straight.arms)
