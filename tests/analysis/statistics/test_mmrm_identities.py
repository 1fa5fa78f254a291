"""The mixed model against identities: written-out likelihoods, least squares, t tests, F tests, derivatives."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics import ancova, mmrm
from analysis.statistics.mmrm.design import Columns, build
from analysis.statistics.mmrm.fits import starting_values
from analysis.statistics.mmrm.likelihood import Model, in_cells
from analysis.statistics.mmrm.optimiser import Covariances
from analysis.statistics.mmrm.patterns import summarise, without
from analysis.statistics.mmrm.structures import STRUCTURES, structure
from tests.analysis.statistics import trials

PARTS = {"response": "y", "subject": "subject", "visit": "visit", "arm": "arm", "reference": "a"}


def trial(seed=1, subjects=40, visits=4, missing=0.15):
    """A made-up trial: two arms, a baseline, intermittently missing visits."""
    rng = np.random.default_rng(seed)
    spread = np.linspace(1, 2, visits)
    covariance = np.outer(spread, spread) * 0.5 ** np.abs(np.subtract.outer(range(visits), range(visits)))
    y = rng.multivariate_normal(np.arange(visits), covariance, subjects)
    frame = pd.DataFrame(
        {
            "subject": np.repeat(np.arange(subjects), visits),
            "visit": np.tile(np.arange(visits), subjects),
            "arm": np.repeat(np.where(np.arange(subjects) % 2, "b", "a"), visits),
            "base": np.repeat(rng.normal(50, 10, subjects), visits),
            "site": np.repeat(np.array(["x", "y", "z"])[np.arange(subjects) % 3], visits),
            "y": y.ravel(),
        }
    )
    frame.loc[rng.random(len(frame)) < missing, "y"] = np.nan
    return frame


def written_out(frame, fit, columns):
    """Restricted log-likelihood from one covariance matrix of all observations, as the textbook has it."""
    rows = frame.dropna(subset=["y"])
    x, y = columns(rows), rows["y"].to_numpy()
    same = rows["subject"].to_numpy()[:, None] == rows["subject"].to_numpy()
    sigma = fit.covariance.to_numpy()[np.ix_(rows["visit"], rows["visit"])]
    inverse = np.linalg.inv(np.where(same, sigma, 0.0))
    information = x.T @ inverse @ x
    residual = y - x @ np.linalg.solve(information, x.T @ inverse @ y)
    return -0.5 * (
        (len(y) - x.shape[1]) * np.log(2 * np.pi)
        - np.linalg.slogdet(inverse)[1]
        + np.linalg.slogdet(information)[1]
        + residual @ inverse @ residual
    )


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_likelihood_is_the_one_written_out_in_full(name):
    frame = trial()
    fit = mmrm.fit(frame, **PARTS, covariates=["base"], covariance=name)

    def columns(rows):
        visits = pd.get_dummies(rows["visit"], dtype=float).to_numpy()
        in_b = (rows["arm"] == "b").to_numpy(float)[:, None]
        return np.column_stack([np.ones(len(rows)), in_b, visits[:, 1:], in_b * visits[:, 1:], rows["base"].to_numpy()])

    assert fit.log_likelihood == pytest.approx(written_out(frame, fit, columns), abs=1e-8)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", STRUCTURES)
def test_derivatives_are_those_of_the_deviance(name, reml):
    # Oracle: central differences, at a point that is not the maximum. The step leaves eight digits.
    columns = Columns("y", "subject", "visit", "arm", ("base",), ("base",))
    design = build(trial(), columns, "a", group_by_arm=True)
    patterns = summarise(design.subjects)
    model = Model(patterns, design.expand, reml)
    covariances = Covariances(name, structure(name, 4), 2)
    theta = starting_values(patterns, covariances)
    theta = theta + 0.05 * np.sin(np.arange(len(theta)))

    def at(point):
        return model.at(covariances.sigma(point))

    step = 1e-5 * np.eye(len(theta))
    gradient = [(at(theta + d).deviance - at(theta - d).deviance) / 2e-5 for d in step]
    assert covariances.gradient(theta, at(theta)) == pytest.approx(np.array(gradient), rel=1e-6, abs=1e-6)
    rows = [
        (covariances.gradient(theta + d, at(theta + d)) - covariances.gradient(theta - d, at(theta - d))) / 2e-5
        for d in step
    ]
    exact = covariances.hessian(theta, at(theta), complete=True)
    assert exact == pytest.approx(np.array(rows), rel=1e-5, abs=1e-5)


def test_one_visit_is_analysis_of_covariance():
    frame = trial().query("visit == 2")
    repeated = mmrm.fit(frame, **PARTS, covariates=["base", "site"], df="residual")
    single = ancova.fit(
        frame, response="y", arm="arm", reference="a", covariates=["base", "site"], means_over="rows_fitted"
    )
    # The variance is sought by iteration, to about seven digits.
    pd.testing.assert_frame_equal(repeated.coefficients, single.coefficients, rtol=1e-6)
    pd.testing.assert_frame_equal(repeated.contrasts().drop(columns="visit"), single.contrasts(), rtol=1e-6)
    pd.testing.assert_frame_equal(repeated.ls_means().drop(columns="visit"), single.ls_means(), rtol=1e-6)


@pytest.mark.parametrize("df", ["satterthwaite", "kenward_roger"])
def test_complete_data_give_the_t_tests_of_each_visit(df):
    # With nothing missing and an unstructured covariance every contrast is Student's, on its own n - 2.
    frame = trial(missing=0)
    table = mmrm.fit(frame, **PARTS, df=df).contrasts().set_index("visit")
    for visit, rows in frame.groupby("visit"):
        by_arm = dict(list(rows.groupby("arm")["y"]))
        expected = stats.ttest_ind(by_arm["b"], by_arm["a"])
        assert table.loc[visit, ["t", "p"]].tolist() == pytest.approx([expected.statistic, expected.pvalue], rel=1e-6)
        assert table.loc[visit, "df"] == pytest.approx(38, rel=1e-6)


def test_kenward_roger_on_complete_data_is_hotellings_test():
    # Kenward & Roger (1997), section 5: exact for Hotelling's T2 over all visits together.
    frame = trial(missing=0)
    fit = mmrm.fit(frame, **PARTS, df="kenward_roger")
    wide = frame.pivot(index="subject", columns="visit", values="y").to_numpy()
    in_b = np.arange(40) % 2 == 1
    difference = wide[in_b].mean(axis=0) - wide[~in_b].mean(axis=0)
    pooled = (np.cov(wide[in_b].T) + np.cov(wide[~in_b].T)) / 2
    t2 = 10 * difference @ np.linalg.solve(pooled, difference)
    rows = np.zeros((4, len(fit.coefficients)))
    rows[:, 1] = 1
    for visit in (1, 2, 3):
        rows[visit, fit.coefficients["term"].tolist().index(f"arm[b]:visit[{visit}]")] = 1
    found = fit.test(rows)
    assert (found.numerator_df, found.denominator_df) == (4, pytest.approx(35, rel=1e-6))
    assert pytest.approx(t2 * 35 / (38 * 4), rel=1e-6) == found.F
    assert found.p == pytest.approx(stats.f.sf(t2 * 35 / (38 * 4), 4, 35), rel=1e-5)


@pytest.mark.parametrize("df", ["satterthwaite", "kenward_roger", "residual"])
def test_a_joint_test_of_one_row_is_its_t_test(df):
    fit = mmrm.fit(trial(), **PARTS, covariates=["base"], df=df)
    row = np.zeros(len(fit.coefficients))
    row[1] = 1
    found, coefficient = fit.test(row), fit.coefficients.iloc[1]
    assert (found.F, found.denominator_df, found.p) == pytest.approx(
        (coefficient["t"] ** 2, coefficient["df"], coefficient["p"])
    )


@pytest.mark.parametrize("df", ["satterthwaite", "kenward_roger", "residual"])
def test_a_joint_test_does_not_depend_on_how_its_rows_are_written(df):
    fit = mmrm.fit(trial(), **PARTS, covariates=["base"], df=df)
    rows = np.eye(len(fit.coefficients))[5:8]
    mixed = np.array([[1, 2, 0], [0, 1, -1], [1, 0, 3]]) @ rows
    once, again = fit.test(rows), fit.test(mixed)
    assert pytest.approx(again.F, rel=1e-8) == once.F
    # Satterthwaite's joint df come from the eigenvectors of the covariance of L beta, which depend on L a little.
    assert once.denominator_df == pytest.approx(again.denominator_df, rel=0.05 if df == "satterthwaite" else 1e-8)


def test_satterthwaite_of_several_rows_is_that_of_the_parts_it_falls_into():
    # Fai & Cornelius (1996): F on E = sum of v / (v - 2) has 2 E / (E - rank) degrees of freedom.
    fit = mmrm.fit(trial(), **PARTS)
    rows = np.eye(len(fit.coefficients))[[1, 5]]
    variance = fit._inference.variance
    turned = rows @ fit._design.transform
    _, axes = np.linalg.eigh(turned @ variance @ turned.T)
    parts = fit._inference.degrees_of_freedom(axes.T @ turned)
    expected = (parts / (parts - 2)).sum()
    assert fit.test(rows).denominator_df == pytest.approx(2 * expected / (expected - 2))


def test_one_covariance_per_arm_without_a_common_mean_is_a_fit_of_each_arm():
    frame = trial(subjects=60)
    together = mmrm.fit(frame, **PARTS, covariance_by_arm=True)
    assert list(together.covariance) == ["a", "b"]
    twins = frame.assign(subject=frame["subject"] + 1000, arm="copy")
    both = []
    for arm in ("a", "b"):
        # Each arm beside its own mirror image: the covariance is that of the arm alone.
        rows = frame[frame["arm"] == arm]
        mirror = twins[frame["arm"] == arm]
        alone = mmrm.fit(pd.concat([rows, mirror]), **(PARTS | {"reference": arm}))
        assert together.covariance[arm].to_numpy() == pytest.approx(alone.covariance.to_numpy(), rel=1e-5)
        both.append(alone.log_likelihood / 2)
    assert together.log_likelihood == pytest.approx(sum(both), abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.floats(1e-4, 1e4), shift=st.floats(-1e5, 1e5))
def test_units_and_origins_change_nothing_but_units(seed, factor, shift):
    frame = trial(seed)
    once = mmrm.fit(frame, **PARTS, covariates=["base"], covariates_by_visit=["base"], df="kenward_roger")
    again = mmrm.fit(
        frame.assign(y=frame["y"] * factor, base=frame["base"] * 3 + shift),
        **PARTS, covariates=["base"], covariates_by_visit=["base"], df="kenward_roger",
    )  # fmt: skip
    ours, theirs = again.contrasts(), once.contrasts()
    assert ours["t"].to_numpy() == pytest.approx(theirs["t"].to_numpy(), rel=1e-5, abs=1e-6)
    assert ours["df"].to_numpy() == pytest.approx(theirs["df"].to_numpy(), rel=1e-5)
    assert ours["estimate"].to_numpy() == pytest.approx(
        factor * theirs["estimate"].to_numpy(), rel=1e-5, abs=1e-6 * factor
    )


def test_the_order_of_rows_does_not_matter():
    frame = trial()
    options = PARTS | {"covariates": ["base", "site"]}
    once, again = mmrm.fit(frame, **options), mmrm.fit(frame.sample(frac=1, random_state=3), **options)
    pd.testing.assert_frame_equal(once.coefficients, again.coefficients, rtol=1e-7)


def test_a_covariate_that_changes_over_time_is_taken_at_each_visit():
    # Identity: what is constant within subjects may as well be said to change, with the same fit.
    frame = trial()
    rng = np.random.default_rng(5)
    changing = frame.assign(now=rng.normal(size=len(frame)))
    fit = mmrm.fit(changing, **PARTS, covariates=["now", "base"], covariates_by_visit=["now"], covariance="csh")

    def columns(rows):
        visits = pd.get_dummies(rows["visit"], dtype=float).to_numpy()
        in_b, now = (rows["arm"] == "b").to_numpy(float)[:, None], rows["now"].to_numpy()[:, None]
        return np.column_stack([visits, in_b * visits, now * visits, rows["base"]])

    # These columns turn into the model's by a triangular matrix of ones, whose determinant is 1.
    assert fit.log_likelihood == pytest.approx(written_out(changing, fit, columns), abs=1e-8)


def test_covariates_named_only_by_visit_are_in_the_model_too():
    frame = trial()
    once = mmrm.fit(frame, **PARTS, covariates_by_visit=["base"])
    again = mmrm.fit(frame, **PARTS, covariates=["base"], covariates_by_visit=["base"])
    pd.testing.assert_frame_equal(once.coefficients, again.coefficients)


def test_leaving_a_subject_out_of_the_sums_is_leaving_it_out_of_the_table():
    design = build(trial(subjects=12), Columns("y", "subject", "visit", "arm", (), ()), "a", group_by_arm=False)
    everybody = summarise(design.subjects)
    for place in range(12):
        left = without(everybody, design.subjects.take(np.array([place])))
        direct = summarise(design.subjects.take(np.arange(12) != place))
        for name in ("count", "observed", "uu", "yu", "yy"):
            assert getattr(left, name) == pytest.approx(getattr(direct, name), abs=1e-10)


def test_directions_of_a_symmetric_matrix_count_both_cells():
    table = np.arange(9.0).reshape(3, 3)
    assert in_cells(table).tolist() == [0, 1 + 3, 2 + 6, 4, 5 + 7, 8]


def test_the_first_structure_that_converges_is_named():
    # Six subjects in two arms leave four degrees of freedom for a covariance of six visits.
    frame = trial(subjects=6, visits=6, missing=0)
    fit = mmrm.fit_first_converging(frame, covariances=["us", "ar1"], **PARTS)
    assert fit.covariance_structure == "ar1"
    assert [name for name, _ in fit.not_converged] == ["us"]
    assert "fewer parameters" in fit.not_converged[0][1]
    with pytest.raises(mmrm.ConvergenceError, match="None of the covariances"):
        mmrm.fit_first_converging(frame, covariances=["us"], **PARTS)
    with pytest.raises(ValueError, match=r"covariances is \[\]; allowed is a list"):
        mmrm.fit_first_converging(frame, covariances=[], **PARTS)


def test_twelve_visits_with_few_subjects_converge():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = mmrm.fit(trial(subjects=60, visits=12, missing=0.2), **PARTS, df="kenward_roger")
    assert fit.converged
    assert np.isfinite(fit.contrasts().drop(columns=["arm", "visit"]).to_numpy()).all()


def test_visits_never_seen_together_are_refused_without_a_structure():
    frame = trial(missing=0)
    frame.loc[(frame["subject"] < 20) & (frame["visit"] == 0), "y"] = np.nan
    frame.loc[(frame["subject"] >= 20) & (frame["visit"] == 3), "y"] = np.nan
    with pytest.raises(mmrm.ConvergenceError, match="never seen together"):
        mmrm.fit(frame, **PARTS)
    assert mmrm.fit(frame, **PARTS, covariance="ar1h").converged


def test_subjects_without_a_row_are_counted():
    frame = trial(missing=0)
    frame.loc[frame["subject"].isin([3, 5]), "y"] = np.nan
    frame.loc[frame["subject"] == 7, "base"] = np.nan
    fit = mmrm.fit(frame, **PARTS, covariates=["base"])
    assert (fit.subjects, fit.subjects_left_out, fit.observations) == (37, 3, 148)


def test_ordered_visits_keep_their_order():
    frame = trial()
    names = {0: "week 2", 1: "week 10", 2: "week 4", 3: "end"}
    visit = pd.Categorical(frame["visit"].map(names), ["week 2", "week 4", "week 10", "end"], ordered=True)
    fit = mmrm.fit(frame.assign(visit=visit), **PARTS)
    assert fit.ls_means()["visit"].tolist()[:4] == ["week 2", "week 4", "week 10", "end"]
    assert mmrm.fit(frame.assign(visit=visit.astype(str)), **PARTS).ls_means()["visit"].tolist()[:4] == sorted(
        names.values()
    )


def with_value(column, value, row=0):
    def change(frame):
        changed = frame.astype({"y": float})
        changed.loc[row, column] = value
        return changed

    return change


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f.assign(arm="a"), {}, "one arm only"),
        (lambda f: f, {"reference": "z"}, "reference is 'z'"),
        (lambda f: pd.concat([f, f.head(1)]), {}, r"occur twice: \[\[0, 0\]\]"),
        (lambda f: f[(f["visit"] != 3) | (f["subject"] == 0)], {}, r"visit \[3\] was seen in fewer than two"),
        (with_value("y", np.inf), {}, "infinite"),
        (with_value("base", -np.inf), {"covariates": ["base"]}, "infinite"),
        (with_value("subject", np.nan), {}, "missing in 1 rows"),
        (with_value("arm", "b"), {}, "changes within a subject"),
        (lambda f: f[(f["arm"] == "a") | (f["visit"] != 2)], {}, r"singular.*arm\[b\]:visit\[2\]"),
        (lambda f: f.assign(twin=1 - 2 * f["base"]), {"covariates": ["base", "twin"]}, "singular"),
        (lambda f: f.assign(base=7.1), {"covariates": ["base"]}, r"singular: \['base'\]"),
        (lambda f: f.assign(site="x"), {"covariates": ["site"]}, "one level only"),
        (lambda f: f.assign(y=f["visit"] * 2.0), {}, "without any error"),
        (lambda f: f.assign(y=np.nan), {}, "No row holds"),
        (lambda f: f.assign(y="text"), {}, "numbers are needed"),
        (lambda f: f.head(0), {}, "no rows"),
        (lambda f: f, {"covariance": "un"}, "us, toep, toeph"),
        (lambda f: f, {"df": "kr"}, "satterthwaite, kenward_roger, residual"),
        (lambda f: f, {"df": "kenward_roger", "reml": False}, "corrects a REML fit"),
        (lambda f: f, {"level": 1.0}, "level is 1.0"),
        (lambda f: f, {"covariates": ["age"]}, "no column"),
        (lambda f: f, {"covariates": ["y"]}, "named twice"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, options, message):
    frame = change(trial(missing=0))
    with pytest.raises(ValueError, match=message):
        mmrm.fit(frame, **(PARTS | options))


@pytest.mark.parametrize(
    ("rows", "message"),
    [([1.0, 2.0], "L has shape"), ([[0.0] * 8], "follows"), ([[np.nan] * 8], "finite"), (np.ones((2, 8)), "follows")],
)
def test_a_test_of_nothing_is_refused(rows, message):
    fit = mmrm.fit(trial(), **PARTS)
    with pytest.raises(ValueError, match=message):
        fit.test(rows)


def test_the_covariance_by_arm_of_fev_beats_a_common_one():
    options = {"response": "FEV1", "subject": "USUBJID", "visit": "AVISIT", "arm": "ARMCD", "reference": "PBO"}
    common = mmrm.fit(trials.fev(), **options, reml=False)
    by_arm = mmrm.fit(trials.fev(), **options, reml=False, covariance_by_arm=True)
    assert by_arm.log_likelihood > common.log_likelihood
    assert by_arm.aic == pytest.approx(-2 * by_arm.log_likelihood + 2 * 20)
