"""Mixed model for repeated measures. Oracles: R's mmrm 0.3.18 (mmrm.json), lme4 and lmerTest (ashar.json)."""

import json

import numpy as np
import pytest

from analysis.statistics import mmrm
from tests.analysis.statistics import trials
from tests.analysis.statistics.mmrm_cases import CASES, METHODS, fitted, key
from tests.analysis.statistics.oracle import FOLDER

RUNS = [
    (place, METHODS[inference["df_method"], inference["vcov"]], inference)
    for place, case in enumerate(CASES)
    for inference in case["inference"]
    if (inference["df_method"], inference["vcov"]) in METHODS
]
RUN_IDS = [f"{CASES[place]['name']}-{df}" for place, df, _ in RUNS]
ALL = pytest.mark.parametrize(("place", "df", "expected"), RUNS, ids=RUN_IDS)
ASHAR = json.loads((FOLDER / "ashar.json").read_text())["published_model_random_intercept"]["fits"]


def assert_row(found, row, place, names):
    """One estimate with its inference, to the tolerances of the reference numbers (12 visits: 10 times wider)."""
    wider = 10 if CASES[place]["name"].startswith("reframed") else 1
    # The p of a t of 30 magnifies a difference in its degrees of freedom; p below 1e-12 are not compared.
    for ours, theirs, tolerance in names:
        if ours == "p" and row[theirs] < 1e-12:
            continue
        assert found[ours] == pytest.approx(row[theirs], rel=tolerance * wider, abs=1e-12), (ours, row)


@pytest.mark.parametrize("place", range(len(CASES)), ids=[case["name"] for case in CASES])
def test_likelihoods_and_covariances_match(place):
    case, fit = CASES[place], fitted(place, "satterthwaite")
    assert fit.log_likelihood == pytest.approx(case["logLik"], abs=1e-6)
    assert (fit.aic, fit.bic) == pytest.approx((case["AIC"], case["BIC"]), abs=1e-5)
    assert (fit.observations, fit.subjects) == (case["n_obs"], case["n_subjects"])
    assert fit.covariance.to_numpy() == pytest.approx(np.array(case["covariance"]["matrix"]), rel=1e-5)
    assert [str(visit) for visit in fit.covariance.index] == case["covariance"]["labels"]
    assert fit.converged


@ALL
def test_coefficients_match(place, df, expected):
    table = fitted(place, df).coefficients
    by_term = {key(row["term"]): row for row in table.to_dict("records")}
    assert set(by_term) == {key(row["term"]) for row in expected["coefficients"]}
    names = (("estimate", "estimate", 1e-6), ("se", "se", 1e-5), ("df", "df", 1e-3), ("p", "p", 1e-3))
    for row in expected["coefficients"]:
        assert_row(by_term[key(row["term"])], row, place, names)


@ALL
def test_means_match(place, df, expected):
    table = fitted(place, df).ls_means()
    by_place = {(row["arm"], str(row["visit"])): row for row in table.to_dict("records")}
    assert len(by_place) == len(expected["lsmeans"])
    names = (
        ("estimate", "emmean", 1e-6), ("se", "SE", 1e-5), ("df", "df", 1e-3),
        ("lower", "lower.CL", 1e-5), ("upper", "upper.CL", 1e-5),
    )  # fmt: skip
    arm, visit = list(expected["lsmeans"][0])[:2]
    for row in expected["lsmeans"]:
        assert_row(by_place[row[arm], row[visit]], row, place, names)


@ALL
def test_contrasts_match(place, df, expected):
    table = fitted(place, df).contrasts()
    by_place = {(row["arm"], str(row["visit"])): row for row in table.to_dict("records")}
    assert len(by_place) == len(expected["differences"])
    names = (
        ("estimate", "estimate", 1e-6), ("se", "SE", 1e-5), ("df", "df", 1e-3), ("t", "t.ratio", 2e-5),
        ("p", "p.value", 1e-3), ("lower", "lower.CL", 1e-4), ("upper", "upper.CL", 1e-4),
    )  # fmt: skip
    visit = list(expected["differences"][0])[1]
    for row in expected["differences"]:
        arm = row["contrast"].split(" - ")[0].strip("()")
        assert_row(by_place[arm, row[visit]], row, place, names)


@pytest.mark.parametrize("expected", ASHAR, ids=[fit["reference_arm"] for fit in ASHAR])
def test_the_random_intercept_model_of_ashar_is_compound_symmetry(expected):
    fit = mmrm.fit(
        trials.ashar(), response="pain_avg", subject="id", visit="visit", arm="arm", covariance="cs",
        reference=expected["reference_arm"], covariates=["age", "gender"],
    )  # fmt: skip
    assert -2 * fit.log_likelihood == pytest.approx(expected["reml_criterion"], abs=1e-6)
    patient, residual = expected["var_patient"], expected["var_residual"]
    assert fit.covariance.to_numpy() == pytest.approx(np.full((2, 2), patient) + residual * np.eye(2), rel=1e-5)
    by_term = {key(row["term"]): row for row in fit.coefficients.to_dict("records")}
    for row in expected["coefficients"]:
        found = by_term[key(row["term"])]
        for name in ("estimate", "se", "df", "t", "p", "lower", "upper"):
            # An upper limit of 0.001 is a difference of numbers a thousand times as large.
            assert found[name] == pytest.approx(row[name], rel=1e-5, abs=1e-8), (name, row)
