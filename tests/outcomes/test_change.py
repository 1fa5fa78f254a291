"""What a change from baseline means. Worked examples of the domain handbook (5.4, 7) and identities."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcomes.change import Change, Scale, change_of, in_spread, mean_of, spread_of
from outcomes.measures import Measure, scale_of
from outcomes.scoring.instrument import ImportantDifference

ONE_POINT = ImportantDifference(score="average", change=1, cite="this test")
THIRTY_PERCENT = ImportantDifference(score="average", change=30, unit="percent", cite="this test")
NRS = Scale("worse", begins_at_zero=True, important=ONE_POINT)


@pytest.mark.parametrize(
    ("baseline", "value", "responder_30", "responder_50"),
    [
        (7.0, 4.9, True, False),  # exactly 30 per cent: floating point says 29.999...
        (7.0, 4.91, False, False),
        (8.0, 4.0, True, True),
        (8.0, 4.01, True, False),
        (6.0, 6.0, False, False),
        (6.0, 9.0, False, False),
    ],
)
def test_a_responder_is_at_least_30_or_50_per_cent_better(baseline, value, responder_30, responder_50):
    change = change_of(value, baseline, NRS)
    assert (change.responder_30, change.responder_50) == (responder_30, responder_50)


@pytest.mark.parametrize(
    ("value", "important"), [(6.0, "neither"), (5.01, "neither"), (5.0, "better"), (2.0, "better"), (7.0, "worse")]
)
def test_the_important_difference_is_crossed_at_its_size_in_either_direction(value, important):
    assert change_of(value, 6.0, NRS).important == important


def test_an_important_difference_in_per_cent_is_taken_of_the_baseline():
    scale = Scale("worse", begins_at_zero=True, important=THIRTY_PERCENT)
    assert change_of(7.0, 10.0, scale).important == "better"
    assert change_of(7.1, 10.0, scale).important == "neither"
    assert change_of(13.0, 10.0, scale).important == "worse"
    assert change_of(1.0, 0.0, scale).important is None


def test_a_baseline_of_zero_and_a_scale_without_zero_have_no_percentage():
    assert change_of(2.0, 0.0, NRS) == Change(2.0, important="worse")
    z_score = change_of(-0.5, 0.5, Scale("worse"))
    assert (z_score.change, z_score.percent, z_score.responder_30) == (-1.0, None, None)


def test_where_more_is_better_a_rise_is_an_improvement_and_no_percentage_makes_a_responder():
    efficacy = Scale("better", begins_at_zero=True, important=ImportantDifference(score="t", change=5.5, cite="x"))
    change = in_spread(change_of(36.0, 30.0, efficacy), efficacy, 12.0)
    assert (change.important, change.improvement_sd, change.responder_sd) == ("better", 0.5, True)
    assert (change.percent, change.responder_30) == (20.0, None)


def test_standardised_improvement_is_positive_when_better_and_responds_at_half_a_deviation():
    # DOMAIN 5.1: I = -(Y - Y0) / SD; 5.2: a responder in a dimension has I >= 0.5.
    assert in_spread(change_of(5.2, 6.0, NRS), NRS, 1.6) == Change(
        pytest.approx(-0.8), pytest.approx(-13.3333, abs=1e-4), pytest.approx(0.5), False, False, True, "neither"
    )
    assert in_spread(change_of(5.3, 6.0, NRS), NRS, 1.6).responder_sd is False
    assert in_spread(change_of(5.3, 6.0, NRS), NRS, None).improvement_sd is None


@given(st.floats(0.5, 10), st.floats(0, 10))
def test_baseline_and_change_give_the_value_again(baseline, value):
    change = change_of(value, baseline, NRS)
    assert baseline + change.change == pytest.approx(value)
    assert change.percent is not None
    assert baseline * (1 + change.percent / 100) == pytest.approx(value, abs=1e-9)
    assert not change.responder_50 or change.responder_30


def test_a_mean_has_its_interval_from_students_t():
    # t(0.975, 4) = 2.776445 (any table of Student's distribution).
    values = [4.0, 5.0, 6.0, 7.0, 8.0]
    mean = mean_of(values)
    half = 2.776445 * statistics.stdev(values) / 5**0.5
    assert (mean.n, mean.mean, mean.sd) == (5, 6.0, pytest.approx(statistics.stdev(values)))
    assert (mean.low, mean.high) == (pytest.approx(6 - half, abs=1e-5), pytest.approx(6 + half, abs=1e-5))


def test_few_values_give_their_number_only():
    assert mean_of([3.0] * 4, at_least=5).mean is None
    assert mean_of([3.0] * 4, at_least=5).n == 4
    assert mean_of([]).mean is None
    assert mean_of([3.0]) == mean_of([3.0], at_least=0)
    assert spread_of([3.0]) is None


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20))
def test_the_spread_is_that_of_the_standard_library(values):
    assert spread_of(values) == pytest.approx(statistics.stdev(values), abs=1e-9)


def test_a_measure_is_judged_by_the_file_of_its_instrument():
    pain = scale_of(Measure("pain", "S", "Average pain", (("diary_daily", "average"),)))
    assert (pain.higher_is, pain.begins_at_zero) == ("worse", True)
    assert pain.important is not None
    assert (pain.important.change, pain.important.unit, pain.important.meaning) == (1, "points", "minimal")
    efficacy = scale_of(Measure("x", "C", "Self-efficacy", (("pseq", "total"),)))
    assert efficacy.higher_is == "better"
    assert scale_of(Measure("qst", "Q", "QST composite", (("qst", "composite"),))) == Scale("worse")
