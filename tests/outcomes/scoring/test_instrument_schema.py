"""What an instrument file may say, and how its mistakes are told: all at once, each with its path and line."""

from __future__ import annotations

import pytest

from outcomes.scoring import Scorer, instrument_keys, load_instrument, read_instrument
from outcomes.scoring.library import DIRECTORY
from studies.protocol.yaml_document import DocumentInvalid

FILE = """\
key: fatigue3
version: "1.0"
scoring_version: "1"
name: Three questions on fatigue
dimension: F
higher_is: worse
recall: now
licence: {class: PD, source: written for this test}
items:
  all: {min: 0, max: 4}
  1: {label: Tired}
  2: {label: Rested, reverse: true}
  3: {label: Weak}
scores:
  total:
    rule: sum
    of: [1-3]
    missing: 2/3
    range: [0, 12]
    bands: {as: band, words: {low: 0, high: 6}}
sources: [{says: everything, cite: this test, evidence: decision}]
examples:
  - {says: "4 + (4 - 0) + 4", items: {1: 4, 2: 0, 3: 4}, scores: {total: 12, band: high}}
"""


def problems(text):
    with pytest.raises(DocumentInvalid) as refusal:
        read_instrument(text, source="fatigue3.yaml")
    return [(problem.path, problem.line, problem.message) for problem in refusal.value.problems]


def changed(*pairs):
    text = FILE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def test_a_new_instrument_is_a_file_and_needs_no_python():
    scorer = Scorer(read_instrument(FILE, source="fatigue3.yaml"))
    assert scorer.score({"1": 4, "2": 0, "3": 4}).values == {"total": 12, "band": "high"}
    assert scorer.score({"1": 1, "2": 4, "3": None}).values == {"total": 1.5, "band": "low"}


def test_a_half_is_rounded_up_before_its_band_is_looked_up():
    scorer = Scorer(read_instrument(changed(("high: 6", "high: 2")), source="fatigue3.yaml"))
    assert scorer.score({"1": 1, "2": 4, "3": None}).values == {"total": 1.5, "band": "high"}


def test_all_mistakes_are_told_at_once_each_with_its_path_and_line():
    text = changed(
        ("dimension: F", "dimension: Q"),
        ("recall: now\n", "recal: now\n"),
        ("1: {label: Tired}", "1: {label: Tired, maxi: 3}"),
        ("missing: 2/3", "missing: most"),
        ("class: PD", "class: GPL"),
    )
    told = {path: line for path, line, _ in problems(text)}
    assert told == {
        "dimension": 5,
        "recall": 1,
        "recal": 7,
        "licence.class": 8,
        "items.1.maxi": 11,
        "scores.total.missing": 18,
    }


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("of: [1-3]", "of: [1-4]", "scores.total.of", "'4' is not known here; there is 1, 2, 3"),
        ("of: [1-3]", "of: [1, 2, 1]", "scores.total.of", "'1' is named twice"),
        ("missing: 2/3", "missing: 2/4", "scores.total.missing", "2/4 does not fit 3 items"),
        ("range: [0, 12]", "range: [0, 10]", "scores.total.range", "The answers can reach 0 to 12"),
        ("    range: [0, 12]\n", "", "scores.total", "'range' is missing; the answers can reach 0 to 12"),
        ("{low: 0, high: 6}", "{low: 1, high: 6}", "scores.total.bands", "The first band must start at 0"),
        ("{low: 0, high: 6}", "{low: 0, high: 0}", "scores.total.bands", "The bands must rise"),
        ("{total: 12, band: high}", "{sum: 12}", "examples[1].scores.sum", "'sum' is not known here"),
        ("items: {1: 4, 2: 0, 3: 4}", "items: {1: 5}", "examples[1].items.1", "Tired is 5; allowed is 0 to 4"),
        ("reverse: true", "reverse: true, recode: {0: 1}", "items.2", "Give reverse or recode, not both"),
        ("reverse: true", "recode: {0: 4, 1: 3}", "items.2", "recode must say something of each code: 0, 1, 2"),
        ("{label: Weak}", "{label: Weak, min: 4}", "items.3", "min 4 must lie below max 4"),
        ("{label: Weak}", "{label: Weak, alternative_to: 9}", "items.3.alternative_to", "'9' is not known here"),
        ("rule: sum", "rule: total", "scores.total", "sum"),
        (
            "sources:",
            "alerts: [{code: INFUSION_HOLD_S16, any_at_least: {9: 1}}]\nsources:",
            "alerts[INFUSION_HOLD_S16].any_at_least",
            "'9' is not known here",
        ),
        (
            "sources:",
            "alerts: [{code: INFUSION_HOLD_S16}]\nsources:",
            "alerts[INFUSION_HOLD_S16]",
            "Give any_at_least, all_at_most, any_missing or change",
        ),
        (
            "sources:",
            "important_differences: [{score: sum, change: 1, cite: x}]\nsources:",
            "important_differences[1].score",
            "'sum' is not known here",
        ),
    ],
)
def test_a_contradiction_within_a_file_is_told(old, new, path, says):
    told = problems(changed((old, new)))
    assert [each[0] for each in told] == [path]
    assert says in told[0][2]


def test_items_of_different_ranges_are_not_prorated_since_the_score_could_leave_its_range():
    wider = changed(("{label: Weak}", "{label: Weak, max: 8}"), ("range: [0, 12]", "range: [0, 16]"))
    [(path, line, says)] = problems(wider)
    assert (path, line) == ("scores.total.missing", 18)
    assert says.startswith("These items have different ranges, so that a prorated score could leave its own.")
    assert read_instrument(wider.replace("missing: 2/3", "missing: ALL"), source="wider.yaml").key == "fatigue3"


def test_a_lookup_table_must_cover_what_it_is_asked_for():
    text = changed(
        ("scores:\n", "tables:\n  t: {source: this test, first: 0, values: [10, 20, 30]}\nscores:\n"),
        ("missing: 2/3", "missing: ALL"),
        ("sources:", "  t: {rule: lookup, of: total, table: t, range: [10, 30]}\nsources:"),
    )
    [(path, _, says)] = problems(text)
    assert path == "scores.t.of"
    assert "The table holds 0 to 2; it is asked for 0 to 12" in says


def test_a_prorated_score_is_not_looked_up_since_it_need_not_be_whole():
    text = changed(
        ("scores:\n", f"tables:\n  t: {{source: this test, first: 0, values: {list(range(13))}}}\nscores:\n"),
        ("sources:", "  t: {rule: lookup, of: total, table: t, range: [0, 12]}\nsources:"),
    )
    [(path, _, says)] = problems(text)
    assert path == "scores.t.of"
    assert "total may be prorated" in says


VALUE_SET = """\
value_sets:
  v:
    source: this test
    intercept_if_any_gt1: 0.1
    decrements: {1: [0, 0.01, 0.02, 0.03, 0.04], 3: [0, 0.01, 0.02, 0.03, 0.04]}
    n45_terms: [0, 0.2, 0.5]
scores:
  index: {rule: value_set, of: [1, 3], value_set: v, range: [0.32, 1]}
"""


@pytest.mark.parametrize(
    ("levels", "index"),
    [((1, 1), 1.0), ((1, 2), 0.89), ((1, 4), 1 - 0.1 - 0.03 - 0.2), ((5, 5), 1 - 0.1 - 0.04 - 0.04 - 0.5)],
)
def test_a_value_set_may_have_an_intercept_and_terms_for_severe_levels(levels, index):
    text = changed(
        ("all: {min: 0, max: 4}", "all: {min: 1, max: 5}"),
        ("range: [0, 12]", "range: [3, 15]"),
        ("low: 0", "low: 3"),
        ("2: 0, 3: 4}", "2: 2, 3: 4}"),
        ("scores:\n  total", VALUE_SET + "  total"),
    )
    scorer = Scorer(read_instrument(text, source="fatigue3.yaml"))
    answers = {"1": levels[0], "3": levels[1]}
    assert scorer.score(answers).values["index"] == pytest.approx(index, abs=1e-12)


def test_comments_and_layout_do_not_change_the_hash_and_content_does():
    one = read_instrument(FILE, source="a").sha256
    assert read_instrument("# a note\n" + FILE.replace("{label: Tired}", "{ label:  Tired }"), source="a").sha256 == one
    assert read_instrument(FILE.replace("Tired", "Weary"), source="a").sha256 != one


@pytest.mark.parametrize("key", instrument_keys())
def test_every_shipped_file_is_named_after_its_key(key):
    assert load_instrument(key).key == key
    assert (DIRECTORY / f"{key}.yaml").exists()


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        ("{of: total, by: 4, since: baseline, reaches: 3}", "alerts[URINARY_ALERT].change", "exactly one"),
        ("{of: total, by: 0, since: baseline}", "alerts[URINARY_ALERT].change", "exactly one"),
        (
            "{of: totl, by: 4, since: baseline}",
            "alerts[URINARY_ALERT].change.of",
            "not known here; there is 1, 2, 3, high, total, band",
        ),
        ("{of: high, by: 4, since: baseline}", "alerts[URINARY_ALERT].change.of", "not one of more or less"),
        ("{of: total, by: 4, since: yesterday}", "alerts[URINARY_ALERT].change.since", "previous"),
    ],
)
def test_a_change_that_cannot_be_told_is_refused_at_its_line(change, path, says):
    yes = "scores:\n  high: {rule: cutoff, of: 1, at_least: 2}\n"
    rule = f"alerts: [{{code: URINARY_ALERT, change: {change}}}]\nsources:"
    [(place, _, message)] = problems(changed(("sources:", rule), ("scores:\n", yes)))
    assert place == path
    assert says in message


def test_a_file_that_compares_with_nothing_keeps_the_hash_that_responses_point_to():
    told = read_instrument(FILE, source="a").model_dump(mode="json", by_alias=True)
    assert "earlier" not in told["examples"][0]
    alerting = changed(("sources:", "alerts: [{code: INFUSION_HOLD_S16, any_at_least: {1: 4}}]\nsources:"))
    alerting = alerting.replace("scores: {total: 12, band: high}}", "scores: {}, alerts: [INFUSION_HOLD_S16]}")
    assert "change" not in read_instrument(alerting, source="a").model_dump(mode="json")["alerts"][0]
