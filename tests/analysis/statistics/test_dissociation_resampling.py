"""Checks of the joint model by resampling. Oracles: the model fitted to the table itself, statsmodels, simulation."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from analysis.statistics import dissociation
from analysis.statistics.dissociation.resampling import _groups, _Refit
from analysis.statistics.mmrm.patterns import summarise
from tests.analysis.statistics.test_dissociation import exact_curves, made_up


@pytest.fixture(scope="module")
def trial():
    return made_up(4, subjects=80, missing=0.04, dimensions=("S", "Q"), days=(1, 28))


@pytest.fixture(scope="module")
def model(trial):
    return dissociation.joint_model(trial)


def again(trial, names):
    """The table of participants drawn again, each copy a participant of its own."""
    parts = [trial[trial["subject"] == name].assign(subject=f"{place}") for place, name in enumerate(names)]
    return pd.concat(parts, ignore_index=True)


def test_a_resample_is_the_model_of_the_table_drawn_again(trial, model):
    rows = np.random.default_rng(2).integers(0, 80, 80)
    found = _Refit.of(model).curve(summarise(model.fit.design.subjects.take(rows)))
    expected = dissociation.joint_model(again(trial, [model.fit.design.names[row] for row in rows])).curves
    assert found == pytest.approx(expected["estimate"].to_numpy(), rel=1e-6)


def test_leaving_one_out_is_the_model_of_the_others(trial, model):
    found = _Refit.of(model).leaving_one_out()
    name = model.fit.design.names[3]
    expected = dissociation.joint_model(trial[trial["subject"] != name]).curves
    assert found[3] == pytest.approx(expected["estimate"].to_numpy(), rel=1e-6)
    assert found.shape == (80, 4)


def test_participants_are_drawn_within_arm_and_stratum(trial, model):
    about = trial.drop_duplicates("subject").set_index("subject").loc[model.fit.design.names]
    groups = [set(map(tuple, about.iloc[rows][["arm", "strata"]].to_numpy())) for rows in _groups(model)]
    assert all(len(group) == 1 for group in groups)
    assert set.union(*groups) == set(map(tuple, about[["arm", "strata"]].to_numpy()))
    assert sorted(np.concatenate(_groups(model))) == list(range(80))


def test_the_bootstrap_agrees_with_the_model_and_repeats_itself(model):
    # An SE from 150 draws has an error of 6 %, a limit one of about 20 % of the SE; three and a half of each.
    once, same = (dissociation.bootstrap(model, rng=np.random.default_rng(1), draws=draws) for draws in (150, 100))
    ours, theirs = once.level_contrast(28), model.level_contrast(28)
    assert ours.estimate == pytest.approx(theirs.estimate)
    assert ours.se == pytest.approx(theirs.se, rel=0.2)
    assert (ours.lower, ours.upper) == pytest.approx((theirs.lower, theirs.upper), abs=0.75 * theirs.se)
    assert once.change_contrast(1, 28).estimate == pytest.approx(model.change_contrast(1, 28).estimate)
    assert same.curves.tolist() == once.curves[:100].tolist()
    corrected = dissociation.bootstrap(model, rng=np.random.default_rng(1), draws=100, interval="bca")
    assert corrected.level_contrast(28).lower == pytest.approx(ours.lower, abs=0.75 * theirs.se)
    assert 0 < ours.p <= 1


def test_half_lives_take_the_curves_of_resamples():
    curves = exact_curves(0.1)
    rng = np.random.default_rng(3)
    drawn = curves["estimate"].to_numpy() + rng.normal(0, 0.1, (400, len(curves)))
    found = dissociation.half_life_ratio(curves, rng=rng, resampled=drawn)
    assert found.log_ratio.lower < np.log(8) < found.log_ratio.upper
    with pytest.raises(ValueError, match=r"resampled has shape \(400, 3\)"):
        dissociation.half_life_ratio(curves, rng=rng, resampled=drawn[:, :3])


@pytest.mark.parametrize("from_day", [None, 1])
def test_the_statistic_whose_signs_are_flipped_is_that_of_least_squares(trial, from_day):
    # Oracle: statsmodels on the differences written out.
    found = dissociation.sign_flip(trial, day=28, from_day=from_day, rng=np.random.default_rng(1), draws=100)
    wide = trial.pivot(index=["subject", "arm", "strata"], columns=["dimension", "day"], values="improvement")
    difference = wide["S", 28] - wide["Q", 28]
    if from_day:
        difference = difference - (wide["S", 1] - wide["Q", 1])
    rows = difference.dropna().rename("d").reset_index()
    start = trial.groupby(["subject", "dimension"])["baseline"].first().unstack().loc[rows["subject"]]
    design = np.column_stack(
        [rows["arm"] == "KET", np.ones(len(rows)), start, pd.get_dummies(rows["strata"], drop_first=True)]
    ).astype(float)
    fit = sm.OLS(rows["d"].to_numpy(), design).fit()
    assert (found.statistic, found.estimate) == pytest.approx((fit.tvalues[0], fit.params[0]))
    assert found.participants == len(rows)


def test_flipping_signs_rejects_as_often_as_it_should_with_unequal_variances():
    # Simulation, 80 trials without a contrast, the errors of one arm three times those of the other: 5 % +- 3 errors.
    rng = np.random.default_rng(8)
    subjects = np.repeat(np.arange(40), 2)
    arm = np.where(subjects % 3 == 0, "KET", "MDZ")
    about = {"subject": subjects, "arm": arm, "dimension": np.tile(["S", "Q"], 40), "day": 28, "strata": "all"}
    rejected = 0
    for _ in range(80):
        errors = rng.normal(size=80) * np.where(arm == "KET", 3, 1)
        frame = pd.DataFrame(about | {"improvement": errors + 0.8 * (arm == "KET"), "baseline": rng.normal(size=80)})
        frame["baseline"] = frame.groupby("subject")["baseline"].transform("first") + (frame["dimension"] == "S")
        frame.loc[frame["dimension"] == "Q", "baseline"] = rng.normal(size=40)
        rejected += dissociation.sign_flip(frame, day=28, rng=rng, draws=199).p <= 0.05
    assert rejected / 80 == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 80))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f, {"draws": 20}, "draws is 20"),
        (lambda f: f, {"day": 7}, "not in the table"),
        (lambda f: f, {"second": "M"}, "not in the table"),
        (lambda f: f.assign(arm="KET"), {}, "reference is 'MDZ'"),
        (lambda f: pd.concat([f, f.head(1)]), {}, "occur twice"),
        (lambda f: f.assign(strata=f["arm"]), {}, "cannot tell the arms"),
        (lambda f: f.assign(improvement=np.inf), {}, "infinite"),
        (lambda f: f.assign(baseline=1.0), {}, "baseline of S"),
    ],
)
def test_signs_that_cannot_be_flipped_are_refused(trial, change, options, message):
    with pytest.raises(ValueError, match=message):
        dissociation.sign_flip(change(trial), **({"day": 28, "rng": np.random.default_rng(1)} | options))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"draws": 5}, "draws is 5; .* 100 or more"), ({"interval": "basic"}, "'basic'; allowed are percentile, bca")],
)
def test_a_bootstrap_of_too_little_is_refused(model, options, message):
    with pytest.raises(ValueError, match=message):
        dissociation.bootstrap(model, rng=np.random.default_rng(1), **options)
