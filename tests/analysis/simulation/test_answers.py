from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.simulation.answers import Moment, answer, leave_out
from analysis.simulation.parameters import load_parameters
from analysis.simulation.people import draw_person

from .kalm import INSTRUMENTS

PARAMETERS = load_parameters()
PERSON = draw_person(1, 0, PARAMETERS, sites=6)
BY_ID = {instrument.id: instrument for instrument in INSTRUMENTS}


def state(level=0.0, **changes):
    return replace(Moment(PERSON, np.full(4, level)), **changes)


def many(instrument, moment, count=200):
    rng = np.random.default_rng(8)
    return [answer(BY_ID[instrument], moment, rng, PARAMETERS) for _ in range(count)]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(INSTRUMENTS), st.floats(-5, 5), st.integers(0, 92), st.booleans(), st.integers(0, 999))
def test_every_answer_is_a_code_of_its_item(instrument, level, cadss, suicidal, seed):
    moment = state(level, cadss=cadss, suicidal=suicidal, improvement=level)
    values = answer(instrument, moment, np.random.default_rng(seed), PARAMETERS)
    items = {item.id: item for item in instrument.items}
    assert set(values) <= set(items)
    for name, value in values.items():
        item = items[name]
        assert item.minimum <= value <= item.maximum
        assert (value - item.minimum) % item.step == 0


def test_graded_items_stand_at_55_percent_of_the_range_with_a_fifth_of_it_as_sd():
    # Oracle: m + s (.8 z + .6 e) with z = 0, e ~ N(0, 1): SD .6 x 10 / 5 = 1.2, plus rounding 1/12.
    values = np.array([list(form.values()) for form in many("sf_mpq_2", state(0.0), 300)], float)
    assert values.mean() == pytest.approx(5.5, abs=0.06)
    assert values.std() == pytest.approx(np.sqrt(1.2**2 + 1 / 12), abs=0.06)


def test_items_rise_with_the_latent_dimension_and_reversed_items_fall():
    for name, sign in (("sf_mpq_2", 1), ("pseq", -1)):
        low, high = (np.mean([list(f.values()) for f in many(name, state(z), 50)]) for z in (-1, 1))
        assert np.sign(high - low) == sign


@pytest.mark.parametrize("total", [0, 1, 18, 91, 92])
def test_the_dissociation_items_add_up_to_the_total(total):
    assert all(sum(form.values()) == total for form in many("cadss23", state(cadss=total), 20))


def test_suicidal_thoughts_follow_mood_with_the_published_probability():
    # Oracle: logit P(item 9 >= 1) = -2.6 + .8 Z_M.
    share = np.mean([form["9"] >= 1 for form in many("phq9", state(1.0), 2000)])
    assert share == pytest.approx(1 / (1 + np.exp(2.6 - 0.8)), abs=0.03)


def test_a_suicidal_participant_answers_so_on_every_form_that_asks():
    moment = state(suicidal=True)
    assert all(form["9"] == 2 for form in many("phq9", moment, 5))
    assert all(form["10"] >= 4 for form in many("madrs", moment, 5))
    assert all(form["i4"] == 1 for form in many("cssrs", moment, 5))


def test_the_suicidality_form_keeps_its_skip_rules():
    for form in many("cssrs", state(2.5), 300) + many("cssrs", state(suicidal=True), 20):
        assert ("i3" in form) == (form["i2"] == 1)
        assert ("n_frequency" in form) == (form["i1"] == 1)
        assert form["b_actual"] == 0


def test_improvement_shows_in_the_global_impression_in_either_direction_of_coding():
    better, worse = (np.mean([f["1"] for f in many("pgic", state(improvement=z), 50)]) for z in (1, -1))
    assert better < 4 < worse
    item = BY_ID["pgic"].items[0]
    turned = replace(BY_ID["pgic"], items=(replace(item, reverse=True),))
    plain = answer(BY_ID["pgic"], state(improvement=1), np.random.default_rng(3), PARAMETERS)
    assert answer(turned, state(improvement=1), np.random.default_rng(3), PARAMETERS)["1"] == 8 - plain["1"]


def test_screening_tools_tell_the_pain_classes_apart():
    neuropathic, other = (
        np.mean([sum(f.values()) for f in many("dn4", Moment(replace(PERSON, stratum=s), np.zeros(4)), 100)])
        for s in ("NEURO", "NOCI")
    )
    assert neuropathic > 4 > other


def test_the_count_of_random_numbers_does_not_depend_on_the_state():
    for instrument in INSTRUMENTS:
        left = []
        for moment in (state(0.0), state(3.0, cadss=40, suicidal=True, improvement=2.0)):
            rng = np.random.default_rng(5)
            answer(instrument, moment, rng, PARAMETERS)
            left.append(rng.random())
        assert left[0] == left[1], instrument.id


def test_items_are_missing_completely_at_random_each_with_a_reason():
    rng = np.random.default_rng(4)
    full = dict.fromkeys(map(str, range(1000)), 1)
    forms = [leave_out(full, rng, PARAMETERS) for _ in range(50)]
    gone = [sum(value is None for value in kept.values()) for kept, _ in forms]
    # 50,000 items: the standard error of a share of 1.5 % is .0005.
    assert np.mean(gone) / 1000 == pytest.approx(0.015, abs=0.002)
    for kept, missing in forms:
        assert {name for name, value in kept.items() if value is None} == set(missing)
        assert set(missing.values()) <= {"refused", "not_answered"}
