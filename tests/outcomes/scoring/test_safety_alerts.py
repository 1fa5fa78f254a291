"""Alerts on what was answered, whatever else is open; expected codes from the table of alerts of each instrument."""

from __future__ import annotations

import pytest

from outcomes.scoring import alerts_of, load_instrument, score

SUICIDALITY = {"phq9": ("9", 1), "madrs": ("10", 4), "bdi2": ("9", 2), "hamd17": ("3", 3), "qids_sr16": ("12", 2)}


@pytest.mark.parametrize(("key", "item", "from_code"), [(k, i, c) for k, (i, c) in SUICIDALITY.items()])
def test_the_suicide_item_alone_alerts_from_its_threshold_on(key, item, from_code):
    assert score(key, {item: from_code}).alerts == ["SUICIDALITY_ALERT_24H"]
    assert score(key, {item: from_code - 1}).alerts == []


@pytest.mark.parametrize("key", SUICIDALITY)
def test_a_valid_total_does_not_hide_an_open_suicide_item(key):
    item, _ = SUICIDALITY[key]
    answers = {name: each.min for name, each in load_instrument(key).items.items() if name != item}
    assert score(key, answers).alerts == ["SUICIDE_ITEM_MISSING"]


@pytest.mark.parametrize("item", ["i4", "i5", "b_actual", "b_interrupted", "b_aborted", "b_preparatory"])
def test_each_grave_answer_of_the_suicide_scale_alerts_by_itself(item):
    assert "SUICIDALITY_ALERT_24H" in score("cssrs", {item: 1}).alerts


def test_ideation_without_plan_or_intent_does_not_alert():
    answers = {"i1": 1, "i2": 1, "i3": 1, "i4": 0, "i5": 0}
    behaviours = dict.fromkeys(("b_actual", "b_interrupted", "b_aborted", "b_preparatory"), 0)
    assert score("cssrs", {**answers, **behaviours}).alerts == []


@pytest.mark.parametrize(
    ("answers", "severity"),
    [
        ({"i1": 0, "i2": 0}, 0),
        ({"i1": 1, "i2": 0}, 1),
        ({"i1": 1, "i2": 1, "i3": 0, "i4": 0, "i5": 0}, 2),
        ({"i1": 1, "i2": 1, "i3": None, "i4": 1, "i5": 0}, 4),
        ({"i1": 0, "i2": None}, None),
        ({"i1": None, "i2": 0}, None),
        ({"i1": 1, "i2": 1, "i3": 1, "i4": 0, "i5": None}, None),
    ],
)
def test_severity_is_known_only_when_nothing_above_the_highest_yes_is_open(answers, severity):
    assert score("cssrs", answers).values["ideation_severity"] == severity


def test_a_form_in_progress_asks_only_for_what_is_asked():
    cssrs = load_instrument("cssrs")
    done = {"i1": 0, "i2": 0, **dict.fromkeys(("b_actual", "b_interrupted", "b_aborted", "b_preparatory"), 0)}
    assert cssrs.open_items(done) == []
    assert cssrs.open_items({**done, "i2": 1})[:3] == ["i3", "i4", "i5"]


def test_either_of_two_alternative_questions_is_enough():
    qids = load_instrument("qids_sr16")
    answers = dict.fromkeys(qids.items, 0)
    assert qids.open_items({**answers, "6": None, "9": None}) == []
    assert qids.open_items({**answers, "6": None, "7": None}) == ["6", "7"]


def test_one_positive_symptom_at_five_holds_the_infusion():
    assert score("bprs_positive", {"15": 5}).alerts == ["INFUSION_HOLD_S16"]
    assert score("bprs_positive", {"4": 4, "11": 4, "12": 4, "15": 4}).alerts == []


@pytest.mark.parametrize(
    ("answers", "then", "calls"),
    [
        ({"1": 1, "2": 2, "3": 2, "4": 2}, 3, True),
        ({"1": 1, "2": 2, "3": 2, "4": 1}, 3, False),
        ({"2": 5, "3": 2}, 3, True),
        ({"2": 5, "3": 1}, 3, False),
        ({"1": 5, "2": 5, "3": 5, "4": 5}, None, False),
    ],
)
def test_a_rise_calls_from_its_size_on_also_where_open_items_cannot_undo_it(answers, then, calls):
    earlier = {} if then is None else {"baseline": {"total": then, "1": 5.0}}
    assert alerts_of("icsi", answers, earlier) == ["URINARY_ALERT"] * calls
    assert score("icsi", answers).alerts == [], "of one form alone nothing is known to have risen"
