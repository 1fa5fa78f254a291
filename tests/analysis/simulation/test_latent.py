import numpy as np
import pytest

from analysis.simulation.latent import (
    DAYS,
    FIRST_DAY,
    anchor_values,
    arm_free_course,
    belief_effect,
    drug_effect,
    participant_course,
    person_values,
    placebo_effect,
)
from analysis.simulation.parameters import DIMENSIONS, load_parameters

ANCHORS = np.array([0, 1, 7, 14, 21, 28, 56, 84])


def test_the_drug_effect_is_the_published_table(parameters, truth):
    for dimension, by_day in truth["latent"]["effect"].items():
        days = np.array([float(day) for day in by_day])
        found = drug_effect(days, parameters.latent)[:, DIMENSIONS.index(dimension)]
        assert found == pytest.approx(list(by_day.values()), abs=1e-6)


def test_nothing_acts_before_the_infusion(parameters):
    before = DAYS[DAYS <= 0]
    assert not drug_effect(before, parameters.latent).any()
    assert not placebo_effect(before, parameters.latent).any()


def test_the_arms_differ_by_the_drug_times_the_persons_response_and_by_nothing_else(parameters):
    active, control = (participant_course(3, 5, arm, site=1, parameters=parameters) for arm in ("active", "control"))
    response = active.arm_free.response
    expected = drug_effect(DAYS, parameters.latent) * response
    assert control.daily() - active.daily() == pytest.approx(expected, abs=1e-12)


def test_belief_in_ketamine_moves_pain_and_affect_by_psi_after_the_infusion():
    parameters = load_parameters("unblinding")
    doubting, believing = (
        participant_course(3, 5, "control", site=1, parameters=parameters, believes_active=belief)
        for belief in (False, True)
    )
    difference = doubting.daily() - believing.daily()
    assert belief_effect(parameters.latent).tolist() == [0.5, 0.5, 0, 0]
    assert difference[DAYS > 0] == pytest.approx(np.tile([0.5, 0.5, 0, 0], (98, 1)))
    assert not difference[DAYS <= 0].any()


def test_daily_values_pass_through_the_anchor_days(parameters):
    course = arm_free_course(3, 5, site=1, parameters=parameters)
    rows = ANCHORS - FIRST_DAY
    moving = course.untreated[rows] - course.untreated[rows[0]]
    at_anchors = anchor_values(3, 5, parameters.latent)
    assert moving == pytest.approx(np.sqrt(0.5) * (at_anchors - at_anchors[0]), abs=1e-12)


def test_the_value_at_an_hour_of_the_infusion_day_lies_on_the_curve(parameters):
    course = participant_course(3, 5, "active", site=1, parameters=parameters)
    assert course.at(28) == pytest.approx(course.daily()[28 - FIRST_DAY])
    assert course.at(0) == pytest.approx(course.daily()[-FIRST_DAY])
    assert course.at(4 / 24)[0] < course.at(0)[0]


def test_the_process_has_unit_variance_and_the_published_correlations(parameters):
    # Oracle: corr(Z_0, Z_28) = .5 + .5 exp(-28/20) = .623 without site effects; corr(S, A) at a day is
    # .5 x .50 + .5 x .30. 4,000 people: the standard error of a correlation is below .016.
    law = parameters.latent
    people = range(4000)
    z = np.array([np.sqrt(0.5) * (person_values(1, i, law) + anchor_values(1, i, law)) for i in people])
    assert z[:, 0].var(axis=0) == pytest.approx(np.ones(4), abs=0.07)
    assert np.corrcoef(z[:, 0, 0], z[:, 5, 0])[0, 1] == pytest.approx(0.623, abs=0.045)
    assert np.corrcoef(z[:, 0, 0], z[:, 0, 1])[0, 1] == pytest.approx(0.40, abs=0.045)


def test_days_between_anchors_follow_the_same_gaussian_process(parameters):
    # Oracle: exp(-|dt|/20) for any two days, here 35 and 42 between the anchors 28 and 56, and day -7.
    law = parameters.latent
    courses = np.array([arm_free_course(2, i, site=0, parameters=parameters).untreated for i in range(3000)])
    people = np.array([person_values(2, i, law) for i in range(3000)])
    moving = (courses - np.sqrt(0.5) * people[:, None, :]) / np.sqrt(0.5)
    by_day = moving[:, np.array([-7, 0, 35, 42]) - FIRST_DAY, 0]
    found = np.corrcoef(by_day.T)
    assert by_day.std(axis=0) == pytest.approx(np.ones(4), abs=0.05)
    assert found[0, 1] == pytest.approx(np.exp(-7 / 20), abs=0.04)
    assert found[2, 3] == pytest.approx(np.exp(-7 / 20), abs=0.04)
    assert found[1, 2] == pytest.approx(np.exp(-35 / 20), abs=0.055)
