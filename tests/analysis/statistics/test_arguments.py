"""Things that are no numbers, at every argument of every function: refused in words, or answered where they may be.

Oracle: the contract, by which every function raises ValueError that names what was given and what is allowed. Warnings
are errors here, so that a number worked out of nonsense does not pass either.
"""

from collections.abc import Callable
from math import inf, nan
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.statistics import (
    ancova,
    blinding,
    dissociation,
    imputation,
    mediation,
    mmrm,
    multiplicity,
    pharmacokinetics,
    proportions,
    ranks,
    sequential,
    survival,
)
from analysis.statistics.arguments import floats
from tests.analysis.statistics.test_contract import PERIODS
from tests.analysis.statistics.test_dissociation import made_up, times
from tests.analysis.statistics.test_mediation import two_mediators
from tests.analysis.statistics.test_mmrm_identities import PARTS, trial

COLUMNS: Any = PARTS
REPEATED = trial(subjects=20, visits=2)
ONCE = REPEATED[REPEATED["visit"] == 1]
PATHS = two_mediators(n=40)
STACKED = made_up(2, subjects=24, dimensions=("S", "Q"), days=(1, 28))
LOSS = pd.DataFrame({"time": np.arange(1.0, 9), "event": [1, 0, 1, 1, 0, 1, 1, 0], "x": [3.0, 1, 2, 5, 4, 8, 6, 7]})
DESIGN = sequential.design([0.5, 1.0])
MODEL = dissociation.joint_model(STACKED)
FIT = mmrm.fit(REPEATED, **COLUMNS)
CURVES = pd.DataFrame({"dimension": list("SSQQ"), "day": [1, 7, 1, 7], "estimate": [1, 0.5, 0.5, 0.1], "se": [0.1] * 4})
TABLE = {"x1": 9, "n1": 20, "x0": 4, "n0": 20}
DRAWN = {"rng": np.random.default_rng(1), "draws": 100}
GUESSES = {"counts": [[9, 4], [3, 8], [5, 6]], "level": 0.95}
PATH = {"treatment": "t", "mediator": "m1", "outcome": "y"}
GRAPH = {"weights": [0.5, 0.5], "transitions": [[0, 1], [1, 0]], "alpha": 0.025}

CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "wang_tsiatis": (sequential.wang_tsiatis, {"delta": 0.2}),
    "hwang_shih_decani": (sequential.hwang_shih_decani, {"gamma": -4}),
    "kim_demets": (sequential.kim_demets, {"rho": 2}),
    "user_spending": (sequential.user_spending, {"points": [(0.5, 0.2), (1, 1)]}),
    "fixed_bounds": (sequential.fixed_bounds, {"z": [3, 2]}),
    "design": (
        sequential.design,
        {
            "timing": [0.5, 1],
            "alpha": 0.025,
            "beta": 0.1,
            "sides": 1,
            "efficacy": sequential.pocock(),
            "futility": None,
        },
    ),
    "properties": (DESIGN.properties, {"drift": 1.0}),
    "update": (DESIGN.update, {"actual_information": [40, 100], "planned_maximum": 100}),
    "sample_size": (DESIGN.sample_size, {"difference": 1, "sd": 2, "ratio": 1, "dropout": 0.1}),
    "sample_size_rates": (DESIGN.sample_size_rates, {"p1": 0.3, "p2": 0.5, "ratio": 1, "dropout": 0.1}),
    "conditional_power": (sequential.conditional_power, {"z": 1.0, "look": 1, "design": DESIGN, "drift": "trend"}),
    "predictive_power": (sequential.predictive_power, {"z": 1.0, "look": 1, "design": DESIGN, "prior": (1, 2)}),
    "one look, conditional": (
        sequential.single_look_conditional_power,
        {"z": 1.0, "fraction": 0.5, "final_critical_value": 2, "drift": "null"},
    ),
    "one look, predictive": (
        sequential.single_look_predictive_power,
        {"z": 1.0, "fraction": 0.5, "final_critical_value": 2, "prior": (1, 2)},
    ),
    "after stopping": (
        sequential.inference_after_stopping,
        {"z": 3.2, "look": 1, "design": DESIGN, "standard_error": 0.3, "level": 0.95},
    ),
    "repeated": (sequential.repeated_intervals, {"z": [1.0], "standard_errors": [0.3], "design": DESIGN}),
    "sequential_p": (sequential.sequential_p, {"z": [1.0], "design": DESIGN}),
    "mmrm": (
        mmrm.fit,
        {
            "frame": REPEATED,
            **COLUMNS,
            "covariates": ["base"],
            "covariates_by_visit": ["base"],
            "covariance": "us",
            "df": "residual",
            "reml": True,
            "level": 0.95,
        },
    ),
    "first converging": (mmrm.fit_first_converging, {"frame": REPEATED, **COLUMNS, "covariances": ("us", "cs")}),
    "mmrm test": (FIT.test, {"L": np.eye(len(FIT.coefficients))[1]}),
    "ancova": (
        ancova.fit,
        {
            "frame": ONCE,
            "response": "y",
            "arm": "arm",
            "reference": "a",
            "covariates": ["base"],
            "robust": "HC3",
            "level": 0.95,
        },
    ),
    "standardised": (ancova.standardised_difference, {"x": [1, 2, 4], "y": [0, 1, 1], "level": 0.95}),
    "crossover": (
        ancova.crossover,
        {
            "frame": PERIODS,
            "subject": "id",
            "period": "period",
            "sequence": "order",
            "treatment": "drug",
            "response": "y",
            "reference": "A",
            "level": 0.95,
        },
    ),
    "risk difference": (proportions.risk_difference, {**TABLE, "method": "mee", "level": 0.95}),
    "two proportions": (proportions.test, TABLE),
    "odds ratio": (proportions.odds_ratio, {**TABLE, "method": "score", "level": 0.95}),
    "risk ratio": (proportions.risk_ratio, {**TABLE, "method": "score", "level": 0.95}),
    "number needed": (proportions.number_needed_to_treat, {**TABLE, "level": 0.95}),
    "one proportion": (proportions.interval, {"x": 9, "n": 20, "method": "wilson", "level": 0.95}),
    "stratified": (proportions.stratified, {"tables": [[[9, 11], [4, 16]]], "level": 0.95}),
    "kaplan_meier": (
        survival.kaplan_meier,
        {"time": LOSS["time"], "event": LOSS["event"], "at": (1, 2), "interval": "log", "level": 0.95},
    ),
    "logrank": (survival.logrank, {"time": LOSS["time"], "event": LOSS["event"], "group": list("aabbabab"), "rho": 1}),
    "cox": (
        survival.cox,
        {"frame": LOSS, "time": "time", "event": "event", "covariates": ["x"], "strata": (), "ties": "efron"},
    ),
    "restricted mean": (survival.restricted_mean, {"time": [1, 2], "event": [1, 1], "tau": 1.5, "level": 0.95}),
    "mann_whitney": (ranks.mann_whitney, {"x": [1, 2, 3], "y": [2, 4, 5], "method": "exact"}),
    "hodges_lehmann": (ranks.hodges_lehmann, {"x": [1, 2, 3], "y": [2.5, 4], "method": "exact", "level": 0.95}),
    "imputed once": (
        imputation.conditional_mean,
        {"frame": REPEATED, **COLUMNS, "covariates": ["base"], "strategy": "JR", "delta": 1.0, "event": "none"},
    ),
    "imputed often": (
        imputation.multiple,
        {"frame": REPEATED, **COLUMNS, "strategy": "JR", "imputations": 2, "rng": np.random.default_rng(1)},
    ),
    "pool": (imputation.pool, {"estimates": [1, 2.0], "variances": [1, 1.0], "complete_df": 10.0, "level": 0.95}),
    "mediate": (mediation.mediate, {"frame": PATHS, **PATH, "covariates": ["m2"], "method": "quasi_bayes", **DRAWN}),
    "parallel": (
        mediation.parallel,
        {"frame": PATHS, "treatment": "t", "mediators": ("m1", "m2"), "outcome": "y", "method": "bootstrap", **DRAWN},
    ),
    "sensitivity": (mediation.sensitivity, {"frame": PATHS, **PATH, "rho": [0.1]}),
    "joint model": (dissociation.joint_model, {"frame": STACKED, "covariance": "un_un", "reference": "MDZ"}),
    "level contrast": (MODEL.level_contrast, {"day": 28, "first": "S", "second": "Q"}),
    "change contrast": (MODEL.change_contrast, {"from_day": 1, "to_day": 28}),
    "half-lives": (dissociation.half_life_ratio, {"curves": CURVES, **DRAWN, "level": 0.95}),
    "time in response": (dissociation.time_in_response, {"frame": STACKED, "threshold": 0.5, "end_day": 84}),
    "paired": (dissociation.paired_difference, {"times": times(), "first": "S", "second": "Q", **DRAWN}),
    "sign flip": (dissociation.sign_flip, {"frame": STACKED, "day": 28, "from_day": 1, **DRAWN}),
    "bootstrap": (dissociation.bootstrap, {"model": MODEL, **DRAWN, "interval": "no such interval"}),
    "james": (blinding.james, GUESSES),
    "bang": (blinding.bang, GUESSES),
    "exposure": (
        pharmacokinetics.noncompartmental,
        {"time_h": [0, 1, 2], "concentration": [0, 9, 5], "lloq": 1, "dose_mg": 30, "infusion_h": 0.6},
    ),
    "holm": (multiplicity.holm, {"p": [0.01, 0.02], "alpha": 0.025}),
    "hochberg": (multiplicity.hochberg, {"p": [0.01, 0.02], "alpha": 0.025}),
    "fixed_sequence": (multiplicity.fixed_sequence, {"p": [0.01, 0.02], "alpha": 0.025}),
    "graphical": (multiplicity.graphical, {**GRAPH, "p": [0.01, 0.02]}),
    "graphical by looks": (
        multiplicity.group_sequential_graphical,
        {**GRAPH, "spending": [sequential.pocock()] * 2, "z": [[2.0, 2], [2, 3]], "timing": [0.5, 1]},
    ),
}
NO_NUMBERS: list[Any] = ["0.05", nan, inf, 2.5, object(), ["0.5"], [None, "text"], [nan, nan], [[1, 2], [3]], {}]
# Words of NumPy, pandas and Python themselves, which no user is helped by.
FOREIGN = ("could not convert", "inhomogeneous", "broadcast", "truth value", "must match", "not supported between")


@pytest.mark.parametrize("name", CALLS)
def test_what_is_no_number_is_refused_in_words(name):
    function, arguments = CALLS[name]
    for argument in arguments:
        for value in NO_NUMBERS:
            try:
                function(**{**arguments, argument: value})
            except ValueError as refused:
                message = str(refused)
                assert message.endswith("."), (argument, value, message)
                assert not any(word in message for word in FOREIGN), (argument, value, message)


def test_text_that_reads_as_a_number_is_none():
    for values in ("1", ["1", "2"], np.array([1, "2"], dtype=object), pd.Series(["1"], dtype="category"), b"1", 1j):
        with pytest.raises(ValueError, match="z holds .* that are no numbers"):
            floats("z", values)
    np.testing.assert_array_equal(floats("z", [None, 1, True]), [nan, 1, 1])


def test_one_covariate_may_be_named_as_it_is():
    whole = mmrm.fit(REPEATED, **COLUMNS, covariates=["base"]).coefficients
    pd.testing.assert_frame_equal(mmrm.fit(REPEATED, **COLUMNS, covariates="base").coefficients, whole)
    assert survival.cox(LOSS, time="time", event="event", covariates="x").coefficients["term"].tolist() == ["x"]
