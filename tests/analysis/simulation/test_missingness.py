import numpy as np
import pytest

from analysis.simulation.latent import DAYS, FIRST_DAY
from analysis.simulation.missingness import drop_out, gaps, use_rescue
from analysis.simulation.parameters import load_parameters


def constant(level):
    return np.full((len(DAYS), 4), float(level))


def leaving(scenario="default", *, unseen=0.0, seen=0.0, severe=False, arm="control", count=1500, **changes):
    parameters = load_parameters(scenario)
    dropout = parameters.dropout.model_copy(update=changes)
    parameters = parameters.model_copy(update={"dropout": dropout})
    return [
        drop_out(
            4, i, arm,
            z=constant(unseen),
            observed=np.full(len(DAYS), float(seen)),
            severe_by_day=np.full(len(DAYS), severe),
            parameters=parameters,
        )
        for i in range(count)
    ]  # fmt: skip


def share(found):
    return np.mean([one is not None for one in found])


def logistic(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("arguments", "hazard"),
    [
        ({"mechanism": "MCAR"}, 0.03),
        ({"seen": 1.0}, logistic(-3.8 + 0.6)),
        ({"seen": 1.0, "severe": True}, logistic(-3.8 + 0.6 + 0.4)),
        ({"seen": 1.0, "unseen": 5.0}, logistic(-3.8 + 0.6)),
        ({"scenario": "mnar", "unseen": 1.0, "seen": 5.0}, logistic(-3.8 + 0.9)),
        ({"scenario": "mnar", "unseen": 1, "arm": "active", "active_offset": 0.5}, logistic(-3.8 + 1.4)),
    ],
)  # fmt: skip
def test_the_hazard_at_the_five_visits_is_the_published_one(arguments, hazard):
    expected = 1 - (1 - hazard) ** 5
    # 1,500 people: the standard error is at most .013.
    assert share(leaving(**arguments)) == pytest.approx(expected, abs=0.035)


def test_people_leave_between_two_visits_with_a_reason():
    left = [one for one in leaving(seen=2.0) if one]
    assert {one.day for one in left} <= set(range(1, 85))
    assert {one.reason for one in left} == set(load_parameters().dropout.reasons)


def test_without_a_rating_the_last_one_before_counts():
    parameters = load_parameters()
    observed = np.full(len(DAYS), np.nan)
    observed[-3 - FIRST_DAY] = 4.0
    severe = np.zeros(len(DAYS), dtype=bool)
    left = [
        drop_out(4, i, "control", z=constant(0), observed=observed, severe_by_day=severe, parameters=parameters)
        for i in range(800)
    ]
    assert share(left) == pytest.approx(1 - (1 - logistic(-3.8 + 0.6 * 4)) ** 5, abs=0.05)


def test_rescue_follows_pain_and_relieves_the_week_it_is_used_in():
    parameters = load_parameters()
    found = [use_rescue(4, i, constant(1.0), parameters) for i in range(300)]
    weeks = np.array([one.relief[1 - FIRST_DAY :].reshape(14, 7) for one in found])
    used = weeks.any(axis=2)
    # Oracle: logit P = -2.2 + .6 Z_S; 4,200 weeks, standard error .006.
    assert used.mean() == pytest.approx(logistic(-2.2 + 0.6), abs=0.02)
    assert (weeks[used] == 0.4).all()
    for one in found:
        assert ((one.doses > 0) == (one.relief > 0)).all()
        assert all(event.kind == "ICE-2" for event in one.events)
        assert not one.relief[: 1 - FIRST_DAY].any()


def test_gaps_have_the_published_shares_and_know_no_arm():
    parameters = load_parameters()
    found = [gaps(4, i, parameters) for i in range(400)]
    assert np.mean([one.diary for one in found]) == pytest.approx(0.10, abs=0.01)
    assert np.mean([one.forms for one in found]) == pytest.approx(0.04, abs=0.01)
    assert np.mean([one.qst for one in found]) == pytest.approx(0.08, abs=0.01)
