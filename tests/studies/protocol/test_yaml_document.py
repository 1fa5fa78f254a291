"""Files with mistakes: each is found, on its line, with what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from textwrap import dedent
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from studies.protocol.yaml_document import DocumentInvalid, Mistake, Mistakes, Problem, load_document, locate


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Visit(Strict):
    id: str
    day: int = Field(ge=-28, le=84)
    window: dict[str, int] = {}


class Site(Strict):
    code: str
    name: str


class Study(Strict):
    title: str
    sites: tuple[Site, ...] = ()
    visits: tuple[Visit, ...] = ()
    opens: Site | Visit | None = None

    @model_validator(mode="after")
    def agree(self) -> Study:
        mistakes = list(self.mistakes_between({"visits": self.visits}))
        if mistakes:
            raise Mistakes(mistakes)
        return self

    @classmethod
    def mistakes_between(cls, sections: Mapping[str, Any]) -> Iterable[Mistake]:
        visits = sections.get("visits", ())
        for index, visit in enumerate(visits):
            if visit.day in [earlier.day for earlier in visits[:index]]:
                yield Mistake(("visits", index, "day"), f"Day {visit.day} has a visit already.")


def problems(text: str, model: type[BaseModel] = Study) -> list[Problem]:
    with pytest.raises(DocumentInvalid) as refused:
        load_document(dedent(text), model, source="study.yaml")
    return refused.value.problems


def test_a_right_file_is_loaded():
    text = "title: 'A: study'\nvisits:\n  - {id: W1, day: 7, window: {early: 1}}\n"
    study = load_document(text, Study, source="study.yaml")
    assert study.visits == (Visit(id="W1", day=7, window={"early": 1}),)


def test_a_country_code_no_and_a_time_stay_text():
    # YAML 1.1 would read False and 90.
    assert load_document("code: NO\nname: 1:30", Site, source="s").model_dump() == {
        "code": "NO",
        "name": "1:30",
    }


def test_every_mistake_is_reported_at_once_with_path_and_line():
    text = """\
        titel: A study
        sites:
          - code: BER
            name: Berlin
            nmae: Berlin
        visits:
          - id: W1
            day: 7
          - id: W4
            day: 99
          - id: W8
    """
    assert problems(text) == [
        Problem(
            "titel",
            1,
            "'titel' is not known here. Did you mean 'title'? Allowed: opens, sites, title, visits.",
        ),
        Problem("title", 1, "'title' is missing."),
        Problem("sites[BER].nmae", 5, "'nmae' is not known here. Did you mean 'name'? Allowed: code, name."),
        Problem("visits[W4].day", 10, "This should be less than or equal to 84; it is 99."),
        Problem("visits[W8].day", 11, "'day' is missing."),
    ]


def test_an_unquoted_version_is_told_to_be_quoted():
    assert problems("title: 1.0") == [Problem("title", 1, '1.0 is read as a number; put it in quotes: "1.0".')]


def test_a_key_given_twice_names_both_lines_also_when_the_rest_is_right():
    found = problems("title: A\nsites: []\ntitle: B\n")
    assert found == [Problem("title", 3, "'title' is given twice; it stands on line 1 already. Keep one.")]


def test_a_wrong_value_of_a_key_given_twice_is_told_at_the_one_that_counts():
    text = "title: A\nvisits:\n  - id: W1\n    day: 99\n    day: 8\n"
    assert [(found.line, found.message[:12]) for found in problems(text)] == [
        (4, "This should "),
        (5, "'day' is giv"),
    ]


def test_a_key_given_twice_deep_inside_is_reported_beside_other_mistakes():
    text = """\
        visits:
          - id: W1
            day: 7
            day: 8
    """
    assert [(problem.path, problem.line) for problem in problems(text)] == [
        ("title", 1),
        ("visits[W1].day", 4),
    ]


def test_checks_across_values_report_each_at_its_own_line():
    text = """\
        title: A
        visits:
          - {id: W1, day: 7}
          - {id: W2, day: 7}
          - {id: W3, day: 7}
    """
    assert [(p.path, p.line, p.message) for p in problems(text)] == [
        ("visits[W2].day", 4, "Day 7 has a visit already."),
        ("visits[W3].day", 5, "Day 7 has a visit already."),
    ]


def test_checks_across_values_run_also_when_another_section_is_wrong():
    text = """\
        titel: A
        visits:
          - {id: W1, day: 7}
          - {id: W2, day: 7}
    """
    assert "Day 7 has a visit already." in [problem.message for problem in problems(text)]


def test_an_entry_without_a_name_is_told_by_its_place():
    assert problems("title: A\nvisits:\n  - day: 1\n")[0].path == "visits[1].id"


def test_members_of_a_union_do_not_appear_in_paths_and_all_their_keys_are_allowed():
    found = problems("title: A\nopens: {code: X, name: Y, dya: 3}")
    assert {problem.path.split(".")[0] for problem in found} == {"opens"}
    unknown = next(problem for problem in found if problem.path == "opens.dya")
    assert "Did you mean 'day'? Allowed: code, day, id, name, window." in unknown.message


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("title: [a\nsites: b", 2, "not valid YAML"),
        ("title: a\n  sites: b", 2, "mapping values are not allowed here"),
        ("title: a\n---\ntitle: b", 2, "another document"),
        ("title: *nobody", 1, "undefined alias"),
        ("title: !python/object:os.system x", 1, "constructor"),
        ("title: a\x07b", 1, "not valid YAML"),
        ("", 1, "empty"),
        ("- a\n- b", 1, "valid dictionary"),
    ],
)
def test_a_file_that_is_not_yaml_is_refused_on_its_line(text, line, words):
    (found,) = problems(text)
    assert found.line == line
    assert words in found.message


def test_every_tab_is_reported():
    found = problems("visits:\n\t- id: W1\n\t  day: 7\n")
    assert [(problem.line, problem.message) for problem in found] == [
        (2, "Indent with spaces; YAML does not allow tabs."),
        (3, "Indent with spaces; YAML does not allow tabs."),
    ]


def test_the_error_reads_as_a_list_of_lines():
    with pytest.raises(DocumentInvalid, match=r"study.yaml:\n  line 1, title: 'title' is missing\."):
        load_document("sites: []", Study, source="study.yaml")


def test_a_warning_found_later_gets_its_line():
    text = "title: A\nvisits:\n  - id: W1\n    day: 7\n"
    assert locate(text, [Mistake(("visits", 0, "day"), "Early.")], source="s") == [
        Problem("visits[W1].day", 4, "Early.")
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefgh")),
            "its aliases (*name) stand for more than 200,000 values",
        ),
        ("a: &a [*a]", "its aliases (*name) stand for more than 200,000 values"),
        ("a: " + "[" * 20_000, "line 1: Brackets are nested more than 100 deep."),
        ("a: " + "9" * 6_000, "line 1: A value cannot be read: Exceeds the limit"),
        ("a: 2024-02-30", "line 1: A value cannot be read: day is out of range for month."),
        ("\n".join(" " * n + "a:" for n in range(2_000)), "line 1: The file is nested too deep to be one of ours."),
    ],
)
def test_a_file_that_was_made_to_fill_a_memory_or_to_break_the_reader_is_refused(text: str, words: str):
    with pytest.raises(DocumentInvalid) as refused:
        load_document(text, Study, source="hostile.yaml")
    assert words in str(refused.value)
