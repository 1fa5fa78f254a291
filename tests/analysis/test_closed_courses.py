"""Courses over time by arm, of a cut: against means worked by hand from the same values."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, stdev

import pandas as pd
import pytest

from analysis.closed_courses import ArmCourse, courses_by_arm
from analysis.datasets import Trial, load_trial
from tests.analysis.kalm_cut import kalm_trial, plan_of


@pytest.fixture(scope="module")
def trial_and_arms(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trial, pd.Series]:
    made = kalm_trial(24, seed=5, effect=1.5)
    blinded, _ = made.write(Path(tmp_path_factory.mktemp("cut")))
    return load_trial(blinded, plan_of()), made.arms


@pytest.fixture(scope="module")
def courses(trial_and_arms) -> list[ArmCourse]:
    return courses_by_arm(*trial_and_arms)


def of(courses: list[ArmCourse], endpoint: str, arm: str) -> ArmCourse:
    return next(course for course in courses if (course.endpoint, course.arm) == (endpoint, arm))


def test_every_endpoint_of_a_change_has_a_course_in_each_arm_in_the_order_of_the_protocol(trial_and_arms, courses):
    trial, _ = trial_and_arms
    changes = [endpoint.id for endpoint in trial.plan.endpoints if endpoint.type == "change"]
    assert [course.endpoint for course in courses] == [name for name in changes for _ in range(2)]
    assert [course.arm for course in courses[:2]] == ["KET", "MDZ"]


@pytest.mark.parametrize("arm", ["KET", "MDZ"])
def test_an_arm_has_the_mean_change_and_the_share_of_responders_of_its_own_values(trial_and_arms, courses, arm):
    trial, arms = trial_and_arms
    [endpoint] = [each for each in trial.plan.endpoints if each.id == "pain_week4"]
    values = trial.values(endpoint).loc[arms.index[arms == arm]]
    pairs = [(a, b) for a, b in zip(values["BASE"], values["WK4"], strict=True) if a == a and b == b]
    point = next(point for point in of(courses, "pain_week4", arm).points if point.timepoint == "WK4")
    changes = [later - start for start, later in pairs]
    assert (point.change.n, point.change.mean) == (len(changes), pytest.approx(fmean(changes)))
    assert point.change.sd == pytest.approx(stdev(changes))
    better = [100 * (start - later) / start >= 30 - 1e-9 for start, later in pairs]
    assert point.responder_30 == pytest.approx(fmean(better))
    assert point.better == pytest.approx(fmean(start - later >= 1 - 1e-9 for start, later in pairs))


def test_the_standard_deviation_is_of_the_baseline_of_both_arms_together(trial_and_arms, courses):
    trial, arms = trial_and_arms
    [endpoint] = [each for each in trial.plan.endpoints if each.id == "pain_week4"]
    baseline = trial.values(endpoint).loc[arms.index, "BASE"].dropna()
    for arm in ("KET", "MDZ"):
        assert of(courses, "pain_week4", arm).baseline_sd == pytest.approx(stdev(baseline))


def test_the_qst_composite_has_no_percentage_and_counts_as_better_when_it_falls(courses):
    points = of(courses, "qst_week4", "KET").points
    assert {point.responder_30 for point in points} == {None}
    fallen = [point for point in points if point.change.mean is not None and point.change.mean < 0]
    assert fallen
    assert all((point.improvement_sd.mean or 0) > 0 for point in fallen)


def test_the_order_of_participants_does_not_matter(trial_and_arms, courses):
    trial, arms = trial_and_arms
    shuffled = courses_by_arm(trial, arms.sample(frac=1, random_state=3))
    one, other = of(courses, "pain_week4", "KET"), of(shuffled, "pain_week4", "KET")
    assert [p.value.mean for p in one.points] == pytest.approx([p.value.mean for p in other.points], nan_ok=True)
