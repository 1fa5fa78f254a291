"""Time to event against lifelines and identities; the reference numbers are in tests/validation."""

from math import inf, isnan, nan, sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter

from analysis.statistics import survival
from tests.analysis.statistics.oracle import FOLDER


@pytest.fixture(scope="module")
def trial() -> pd.DataFrame:
    frame = pd.read_csv(FOLDER / "tte_synthetic.csv")
    return frame.assign(arm=pd.Categorical(frame["arm"], ["placebo", "ketamine"]))


@pytest.mark.filterwarnings("ignore:Starting with pandas version 4.0", "ignore:datetime.datetime.utcnow")  # lifelines
def test_a_factor_of_three_levels_agrees_with_lifelines(trial):
    # Oracle: lifelines' Efron fit of hand-made dummies.
    frame = trial.assign(third=np.where(trial["site"] == "LDN", "a", np.where(trial["site"] == "MAN", "b", "c")))
    found = survival.cox(frame, time="day", event="lost_response", covariates=["third", "baseline_pain"])
    dummies = frame[["day", "lost_response", "baseline_pain"]].assign(
        b=(frame["third"] == "b") * 1.0, c=(frame["third"] == "c") * 1.0
    )
    other = CoxPHFitter().fit(dummies, "day", "lost_response")
    expected = other.params_[["b", "c", "baseline_pain"]]
    np.testing.assert_allclose(found.coefficients["log_hazard"], expected, rtol=1e-5)
    assert found.coefficients["term"].tolist() == ["third[b]", "third[c]", "baseline_pain"]
    assert found.proportional_hazards.set_index("term")["df"].to_dict() == {
        "third": 2,
        "baseline_pain": 1,
        "GLOBAL": 3,
    }


def test_the_cox_score_test_without_ties_is_the_logrank_test():
    # Identity: one binary covariate, no ties, the square of the score over its information at no effect.
    rng = np.random.default_rng(3)
    time, arm = rng.permutation(40) + 1.0, rng.integers(0, 2, 40)
    event = rng.random(40) < 0.7
    found = survival.logrank(time, event, arm)
    order = np.argsort(time)
    at_risk = np.arange(40, 0, -1)
    share = arm[order][::-1].cumsum()[::-1] / at_risk
    happened = event[order]
    score = (arm[order] - share)[happened].sum()
    assert found.chi_square == pytest.approx(score**2 / (share * (1 - share))[happened].sum(), rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(times=st.lists(st.integers(1, 30), min_size=2, max_size=40))
def test_without_censoring_the_curve_is_the_share_still_without_event(times):
    found = survival.kaplan_meier(times, np.ones(len(times)), at=sorted(set(times)))
    expected = [np.mean(np.array(times) > at) for at in sorted(set(times))]
    np.testing.assert_allclose(found["survival"], expected, atol=1e-12)
    mean = survival.restricted_mean(times, np.ones(len(times)), tau=50)
    assert mean.estimate == pytest.approx(np.mean(times))


def test_groups_are_found_apart_and_the_default_times_are_those_of_events():
    found = survival.kaplan_meier([1, 2, 3, 4], [1, 0, 1, 0], group=["a", "a", "b", "b"])
    assert found["group"].tolist() == ["a", "a", "b", "b"]
    assert found["time"].tolist() == [0, 1, 0, 3]
    assert found["at_risk"].tolist() == [2, 2, 2, 2]
    assert found["survival"].tolist() == [1, 0.5, 1, 0.5]


def test_after_the_last_time_seen_nothing_is_known_unless_nobody_is_left():
    censored = survival.kaplan_meier([1, 2, 3], [1, 1, 0], at=[3, 4])
    assert isnan(censored["survival"].iloc[1])
    ended = survival.kaplan_meier([1, 2, 3], [0, 1, 1], at=[4])
    assert ended["survival"].iloc[0] == 0


def test_a_median_not_reached_is_infinite_and_a_flat_half_gives_its_middle():
    assert survival.kaplan_meier([1, 2, 3, 4], [1, 0, 0, 0]).median["all"].estimate == inf
    flat = survival.kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1]).median["all"]
    assert flat.estimate == 2.5


# R 4.2.2, survival 3.5-3: survfit(Surv(c(1, 2, 3, 5, 8, 9, 11, 12), c(0, 1, 1, 0, 1, 1, 0, 1)) ~ 1, conf.type = ct):
# summary(., times = 2) and the row of the table of summary(.); NA is nan in a limit of the curve, infinite in the
# upper limit of a median.
@pytest.mark.parametrize(
    ("kind", "lower", "upper", "median"),
    [
        ("loglog", 0.334053879, 0.978561059, 2),
        ("log", 0.633446529, 1, 3),
        ("plain", 0.597917993, 1, 3),
    ],
)
def test_limits_that_do_not_exist_bound_nothing(kind, lower, upper, median):
    time, event = [1, 2, 3, 5, 8, 9, 11, 12], [0, 1, 1, 0, 1, 1, 0, 1]
    found = survival.kaplan_meier(time, event, at=[0, 1, 2, 12], interval=kind)
    still_one = nan if kind == "loglog" else 1
    np.testing.assert_allclose(found["lower"], [1, still_one, lower, nan], atol=1e-9)
    np.testing.assert_allclose(found["upper"], [1, still_one, upper, nan], atol=1e-9)
    half = found.median["all"]
    assert (half.estimate, half.lower, half.upper) == (9, median, inf)
    # Both lost at once: R gives 5 with NA on both sides.
    at_once = survival.kaplan_meier([5, 5], [1, 1], interval=kind).median["all"]
    assert (at_once.estimate, at_once.upper) == (5, inf)
    assert isnan(at_once.lower)


# R 4.2.2, survival 3.5-3: m <- coxph(Surv(time, event) ~ arm + x + strata(site), ties = ti), its coefficients, their
# errors and log-likelihood, and cox.zph(m, transform = "km")$table; three arms, strata, and ties in every stratum.
@pytest.mark.parametrize(
    ("ties", "effects", "errors", "likelihood", "tests"),
    [
        (
            "efron",
            [0.448870495, 0.511828802, 0.446631146],
            [0.549462074, 0.80456157, 0.209562126],
            -37.6520685,
            [[0.491632481, 2, 0.782065924], [0.31678953, 1, 0.573543438], [0.767007697, 3, 0.85734097]],
        ),
        (
            "breslow",
            [0.44395874, 0.462025699, 0.431558802],
            [0.548452339, 0.798648321, 0.208411161],
            -38.930744,
            [[0.46133948, 2, 0.79400165], [0.28014745, 1, 0.596604589], [0.693477344, 3, 0.874737061]],
        ),
    ],
)
def test_strata_ties_and_three_arms_agree_with_r(ties, effects, errors, likelihood, tests):
    i = np.arange(30)
    frame = pd.DataFrame({"time": i * 7 % 11 + 1, "event": i * 5 % 4 > 0, "site": i // 3 % 2, "x": i * 13 % 17 / 4})
    frame["arm"] = np.array(list("abc"))[i * i % 3 + (i % 5 == 0)]
    found = survival.cox(frame, time="time", event="event", covariates=["arm", "x"], strata=["site"], ties=ties)
    np.testing.assert_allclose(found.coefficients[["log_hazard", "se"]].T, [effects, errors], rtol=1e-8)
    assert found.log_likelihood == pytest.approx(likelihood, rel=1e-8)
    np.testing.assert_allclose(found.proportional_hazards[["chi_square", "df", "p"]], tests, rtol=1e-7)
    # survdiff(Surv(time, event) ~ arm + strata(site), rho = 1)$chisq
    compared = survival.logrank(frame["time"], frame["event"], frame["arm"], strata=frame["site"], rho=1)
    assert compared.chi_square == pytest.approx(0.798914737, rel=1e-8)


def test_restricted_mean_by_hand():
    # Events at 1 and 3, one censored at 2: S = 1, then 2/3. To 2.5: 1 + 1.5 x 2/3, variance 1^2 / (3 x 2).
    found = survival.restricted_mean([1, 2, 3], [1, 0, 1], tau=2.5)
    assert found.estimate == pytest.approx(2.0)
    assert found.se == pytest.approx(sqrt(1 / 6))


def test_rows_with_missing_values_are_left_out_and_counted(trial):
    gaps = trial.copy()
    gaps.loc[[0, 5], "baseline_pain"] = nan
    found = survival.cox(gaps, time="day", event="lost_response", covariates=["arm", "baseline_pain"])
    whole = survival.cox(trial.drop([0, 5]), time="day", event="lost_response", covariates=["arm", "baseline_pain"])
    assert found.left_out == 2
    pd.testing.assert_frame_equal(found.coefficients, whole.coefficients)


def test_strata_without_events_change_nothing(trial):
    quiet = pd.DataFrame({"day": [5, 9], "lost_response": [0, 0], "arm": ["placebo", "ketamine"], "site": "QUIET"})
    both = pd.concat([trial.astype({"arm": str}), quiet])
    with_quiet = survival.cox(both, time="day", event="lost_response", covariates=["arm"], strata=["site"])
    without = survival.cox(
        trial.astype({"arm": str}), time="day", event="lost_response", covariates=["arm"], strata=["site"]
    )
    np.testing.assert_allclose(with_quiet.coefficients["log_hazard"], without.coefficients["log_hazard"], rtol=1e-9)


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (lambda: survival.kaplan_meier([], []), "time holds missing"),
        (lambda: survival.kaplan_meier([-1, 2], [1, 0]), "time holds missing or negative"),
        (lambda: survival.kaplan_meier([1, 2], [1]), "event has shape"),
        (lambda: survival.kaplan_meier([1, 2], [1, 2]), "event holds values other"),
        (lambda: survival.kaplan_meier([1, 2], [1, 0], group=np.array(["a", None])), "group holds 2 values"),
        (lambda: survival.kaplan_meier([1, 2], [1, 0], at=[-1]), "at is"),
        (lambda: survival.kaplan_meier([1, 2], [1, 0], interval="wald"), "interval is 'wald'"),  # type: ignore[arg-type]
        (lambda: survival.kaplan_meier([1, 2], [1, 0], level=0), "level is 0"),
        (lambda: survival.restricted_mean([1, 2], [1, 0], tau=3), "tau is 3, the last time seen is 2"),
        (lambda: survival.restricted_mean([1, 2], [1, 0], tau=0), "tau is 0"),
        (lambda: survival.logrank([1, 2], [1, 0], ["a", "a"]), "group holds 1 label"),
        (lambda: survival.logrank([1, 2], [0, 0], ["a", "b"]), "event holds no event"),
        (lambda: survival.logrank([1, 2], [1, 0], ["a", "b"], rho=-1), "rho is -1"),
    ],
)
def test_impossible_observations_are_refused_with_the_argument_named(ask, complaint):
    with pytest.raises(ValueError, match=complaint):
        ask()


@pytest.mark.parametrize(
    ("change", "arguments", "complaint"),
    [
        ({}, {"covariates": ["dose"]}, "no column .'dose'"),
        ({}, {"covariates": []}, "covariates is empty"),
        ({}, {"ties": "exact"}, "ties is 'exact'"),
        ({}, {"level": 2}, "level is 2"),
        ({"lost_response": 0}, {}, "lost_response holds no event"),
        ({"arm": "placebo"}, {}, "arm, which does not vary"),
        ({"baseline_pain": 5.0}, {"covariates": ["baseline_pain"]}, "baseline_pain, which does not vary"),
        ({"copy": lambda f: 2 * f["baseline_pain"]}, {"covariates": ["baseline_pain", "copy"]}, "collinear"),
        (
            {"copy": lambda f: f["lost_response"] * 1.0},
            {"covariates": ["copy"]},
            "copy, which separates events",
        ),
    ],
)
def test_an_impossible_regression_is_refused_with_the_reason(trial, change, arguments, complaint):
    asked = {"time": "day", "event": "lost_response", "covariates": ["arm"], **arguments}
    with pytest.raises(ValueError, match=complaint):
        survival.cox(trial.assign(**change), **asked)
