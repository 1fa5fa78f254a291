from statistics import mean

import numpy as np
import pytest

from analysis.simulation.parameters import load_parameters
from analysis.simulation.realistic_truth import SCENARIOS, realistic_truth, stored_truth


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_stored_truth_is_what_the_model_still_gives(scenario):
    computed = realistic_truth(load_parameters(scenario), participants=60_000, seed=1)
    for name, stored in stored_truth(scenario).items():
        error = np.hypot(computed[name].mcse, stored.mcse)
        assert abs(computed[name].value - stored.value) <= 3.5 * error, name


def test_the_stored_truth_is_known_to_a_thousandth_of_a_point():
    assert all(truth.mcse < 0.001 for name in SCENARIOS for truth in stored_truth(name).values())


def test_without_a_drug_there_is_no_difference_and_belief_alone_makes_one():
    assert all(truth.value == 0 for truth in stored_truth("null_global").values())
    assert stored_truth("unblinding")["nrs_treatment_policy"].value < -0.1


def test_rescue_hides_a_part_of_the_effect():
    truth = stored_truth("default")
    policy, hypothetical = truth["nrs_treatment_policy"].value, truth["nrs_hypothetical"].value
    assert hypothetical < policy < 0
    # The latent effect averaged over days 22-28 is .5489, 1.6 of it .878 points before rounding.
    assert hypothetical == pytest.approx(-1.6 * mean(0.9 * 2 ** (-t / 35) for t in range(22, 29)), abs=0.03)


@pytest.mark.slow
def test_full_courses_of_the_same_people_in_both_arms_agree_with_the_stored_truth(trial):
    # The truth is for week 4 without gaps; days missing at random leave a mean unbiased.
    found = []
    for screening in trial.candidates(250):
        if not screening.eligible:
            continue
        weeks = {}
        for arm in ("active", "control"):
            diary = trial.course(screening.person.index, arm).diary
            weeks[arm] = [entry.average for entry in diary if 22 <= entry.day <= 28]
        if all(len(week) >= 4 for week in weeks.values()):
            found.append(mean(weeks["active"]) - mean(weeks["control"]))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(mean(found) - stored_truth("default")["nrs_treatment_policy"].value) <= 3 * error
