"""Hostile data at every function: a clear error, or the result its docstring says, never a wrong number.

Oracle: what a statistician would say of each. An error names the column or argument, says what was met and what is
allowed; where a result is right, the table says which.
"""

from collections.abc import Callable
from math import inf, isnan, nan
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
from tests.analysis.statistics.test_dissociation import made_up, times
from tests.analysis.statistics.test_mediation import two_mediators
from tests.analysis.statistics.test_mmrm_identities import PARTS, trial

# Hostile data are of the wrong type too, so that their types say nothing.
Frame = Any
COLUMNS: Any = PARTS
REPEATED = trial(subjects=20, visits=3, missing=0.1)
ONCE = REPEATED[REPEATED["visit"] == 1]
PATHS = two_mediators(n=40)
STACKED = made_up(2, subjects=24, missing=0.05, dimensions=("S", "Q"), days=(1, 28))
EVENTS = pd.DataFrame(
    {"time": range(1, 9), "event": [1, 0, 1, 1, 0, 1, 1, 0], "arm": list("abababab"), "x": [1, 3, 2, 5, 4, 6, 8, 7]}
).astype({"time": float, "event": float, "x": float})


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def mediated(found: mediation.Mediation) -> dict[str, Any]:
    """All but the limits of the proportion, which a total that may be 0 does not have."""
    return {**vars(found), "proportion": found.proportion.estimate}


# Function, its table, its columns (response, arm, visit, covariate), and the call.
FUNCTIONS: dict[str, tuple[Frame, tuple[str, str, str | None, str | None], Callable[[Frame], Any]]] = {
    "mmrm.fit": (
        REPEATED,
        ("y", "arm", "visit", "base"),
        lambda f: mmrm.fit(f, **COLUMNS, covariates=["base"]).contrasts(),
    ),
    "ancova.fit": (
        ONCE,
        ("y", "arm", None, "base"),
        lambda f: ancova.fit(f, response="y", arm="arm", reference="a", covariates=["base"]).contrasts(),
    ),
    "imputation.conditional_mean": (
        REPEATED,
        ("y", "arm", "visit", "base"),
        lambda f: imputation.conditional_mean(f, **COLUMNS, covariates=["base"], strategy="JR"),
    ),
    "imputation.multiple": (
        REPEATED,
        ("y", "arm", "visit", "base"),
        lambda f: imputation.multiple(f, **COLUMNS, covariates=["base"], strategy="CR", imputations=2, rng=rng()),
    ),
    "mediation.mediate": (
        PATHS,
        ("y", "t", None, "m1"),
        lambda f: mediated(mediation.mediate(f, treatment="t", mediator="m1", outcome="y")),
    ),
    "mediation.parallel": (
        PATHS,
        ("y", "t", None, "m1"),
        lambda f: mediation.parallel(f, treatment="t", mediators=("m1", "m2"), outcome="y"),
    ),
    "mediation.interventional": (
        PATHS,
        ("y", "t", None, "m1"),
        lambda f: mediation.interventional(
            f, treatment="t", mediators=("m1", "m2"), outcome="y", rng=rng(), draws=100, interval="percentile"
        ),
    ),
    "mediation.sensitivity": (
        PATHS,
        ("y", "t", None, "m1"),
        lambda f: mediation.sensitivity(f, treatment="t", mediator="m1", outcome="y"),
    ),
    "dissociation.joint_model": (
        STACKED,
        ("improvement", "arm", "day", "baseline"),
        lambda f: dissociation.joint_model(f).curves,
    ),
    "dissociation.sign_flip": (
        STACKED,
        ("improvement", "arm", "day", "baseline"),
        lambda f: dissociation.sign_flip(f, day=28, rng=rng(), draws=100),
    ),
    "dissociation.time_in_response": (
        STACKED,
        ("improvement", "arm", "day", None),
        dissociation.time_in_response,
    ),
    "dissociation.paired_difference": (
        times(),
        ("days", "arm", None, None),
        dissociation.paired_difference,
    ),
    "survival.cox": (
        EVENTS,
        ("time", "arm", None, "x"),
        lambda f: survival.cox(f, time="time", event="event", covariates=["arm", "x"]).coefficients,
    ),
}


def put(frame: Frame, column: str, value: Any) -> Frame:
    changed = frame.copy()
    changed[column] = changed[column].astype(object if isinstance(value, str) else float)
    changed.iloc[0, changed.columns.get_loc(column)] = value
    return changed


def hostile(frame: Frame, columns: tuple[str, str, str | None, str | None]) -> dict[str, Frame]:
    """Every kind of hostile data that a table can be of."""
    response, arm, visit, covariate = columns
    found = {
        "one arm only": frame.assign(**{arm: frame[arm].iloc[0]}),
        "constant response": frame.assign(**{response: 0.1}),
        "zero rows": frame.head(0),
        "one row": frame.head(1),
        "infinite value": put(frame, response, inf),
        "text": frame.assign(**{response: "much"}),
        "nothing known": frame.assign(**{response: nan}),
        "no table": None,
        "lacking column": frame.drop(columns=arm),
        "numbers as text": frame.assign(**{response: frame[response].astype(str)}),
    }
    if "subject" in frame and arm == "arm" and (visit or "days" in frame):
        found["subject not known"] = frame.assign(subject=frame["subject"].where(np.arange(len(frame)) > 0))
    if visit:
        found["visit not known"] = frame.assign(**{visit: frame[visit].where(np.arange(len(frame)) > 0)})
        last = frame[visit].max()
        found["all missing at a visit"] = frame.assign(**{response: frame[response].where(frame[visit] != last)})
        found["duplicate visit"] = pd.concat([frame, frame.head(1)])
    if covariate:
        found["missing covariate"] = put(frame, covariate, nan)
        found["infinite covariate"] = put(frame, covariate, inf)
        found["collinear covariate"] = frame.assign(**{covariate: (frame[arm] == frame[arm].iloc[0]) * 2.0})
    if arm != "t":
        found["arms of two kinds"] = frame.assign(**{arm: [1, *frame[arm].iloc[1:]]})
        found["arm not known"] = frame.assign(**{arm: frame[arm].where(np.arange(len(frame)) > 0)})
    return found


# What has a right answer, and why; everything else is an error.
ANSWERED = {
    ("mmrm.fit", "all missing at a visit"): "the visit is not in the model",
    ("dissociation.joint_model", "all missing at a visit"): "the day is not in the model",
    ("dissociation.time_in_response", "one arm only"): "days are counted by participant",
    ("dissociation.time_in_response", "constant response"): "0.1 is no response, so that all have no day",
    ("dissociation.time_in_response", "nothing known"): "a missing visit is no response",
    ("dissociation.time_in_response", "all missing at a visit"): "a missing visit is no response",
    ("dissociation.time_in_response", "one row"): "the others have no row",
    ("dissociation.paired_difference", "constant response"): "all differences are 0: se 0 and no p",
    ("survival.cox", "constant response"): "all events fall on one time, which tests no proportionality: nan",
    ("survival.cox", "arm not known"): "rows with a missing value are left out and counted",
    ("imputation.conditional_mean", "missing covariate"): "",
    ("imputation.multiple", "missing covariate"): "",
} | {
    (name, "missing covariate"): "rows with a missing value are left out and counted"
    for name in FUNCTIONS
    if not name.startswith(("imputation", "dissociation.time", "dissociation.paired"))
}
ANSWERED = {key: why for key, why in ANSWERED.items() if why}
TABLE = [(name, kind) for name, (frame, columns, _) in FUNCTIONS.items() for kind in hostile(frame, columns)]


def numbers_in(result: Any) -> list[float]:
    """Every number of a result, of whatever shape."""
    if isinstance(result, pd.DataFrame):
        return result.select_dtypes("number").to_numpy(dtype=float).ravel().tolist()
    if isinstance(result, dict):
        return [number for part in result.values() for number in numbers_in(part)]
    if hasattr(result, "__dataclass_fields__"):
        return [number for name in result.__dataclass_fields__ for number in numbers_in(getattr(result, name))]
    return [float(result)] if isinstance(result, int | float) else []


@pytest.mark.parametrize(("name", "kind"), TABLE, ids=[f"{name}-{kind}" for name, kind in TABLE])
def test_hostile_data_are_refused_in_words_or_answered_as_documented(name, kind):
    frame, columns, call = FUNCTIONS[name]
    hostile_frame = hostile(frame, columns)[kind]
    if (name, kind) in ANSWERED:
        assert np.isfinite([number for number in numbers_in(call(hostile_frame)) if not isnan(number)]).all()
        return
    with pytest.raises(ValueError, match=r"\w+.*\w") as refused:
        call(hostile_frame)
    # The error is ours: it says what was met and what is allowed, in sentences.
    message = str(refused.value)
    assert message.endswith(".")
    assert len(message.split()) >= 6
    assert "np." not in message


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name.startswith(("mmrm", "ancova", "imputation"))])
def test_an_arm_that_is_not_there_is_named(name):
    frame, _, call = FUNCTIONS[name]
    with pytest.raises(ValueError, match=r"reference is 'a'; the column arm holds \['b', 'c'\]"):
        call(frame.assign(arm=frame["arm"].map({"a": "b", "b": "c"})))


@pytest.mark.parametrize(
    "call",
    [
        lambda f, s: mmrm.fit(f, **COLUMNS, covariates=["own"]),
        lambda f, s: ancova.fit(s, response="y", arm="arm", reference="a", covariates=["own"]),
        lambda f, s: imputation.conditional_mean(f, **COLUMNS, covariates=["own"]),
    ],
)
def test_one_participant_per_stratum_leaves_nothing_to_estimate(call):
    def stratified(frame):
        return frame.assign(own=frame["subject"].astype(str))

    with pytest.raises(ValueError, match="singular|more rows are needed"):
        call(stratified(REPEATED), stratified(ONCE))


def test_one_participant_per_stratum_carries_nothing_in_counts_and_times():
    with pytest.raises(ValueError, match="no stratum with both arms"):
        proportions.stratified([[[1, 0], [0, 0]], [[0, 0], [1, 0]]])
    with pytest.raises(ValueError, match="leave nobody to compare"):
        survival.logrank(EVENTS["time"], EVENTS["event"], EVENTS["arm"], strata=range(8))


def test_all_responders_are_answered_without_invention():
    difference = proportions.risk_difference(5, 5, 5, 5)
    assert (difference.estimate, difference.p) == (0, 1)
    assert difference.lower == -difference.upper < -0.4
    assert proportions.test(5, 5, 5, 5).fisher_p == 1
    assert isnan(proportions.odds_ratio(5, 5, 5, 5).estimate)
    assert isnan(proportions.risk_ratio(5, 5, 5, 5).lower)
    assert proportions.number_needed_to_treat(5, 5, 5, 5).disjoint
    assert proportions.interval(5, 5).upper == 1
    whole = proportions.stratified([[[5, 0], [5, 0]]])
    assert (whole.p, whole.risk_difference.estimate) == (1, 0)
    responders = dissociation.time_in_response(STACKED.assign(improvement=9.0), end_day=84)
    assert responders["days"].max() == 83
    everybody = survival.kaplan_meier(EVENTS["time"], 0 * EVENTS["event"])
    assert everybody.median["all"].estimate == inf
    assert blinding.bang([[5, 0], [0, 5], [0, 0]]).treatment.estimate == 1


def wrong(value: Any) -> Any:
    """A value of a type that no function takes."""
    return value


DESIGN = sequential.design([0.5, 1.0])
CURVES = pd.DataFrame({"dimension": list("SSQQ"), "day": [1, 7, 1, 7], "estimate": [1, 0.5, 0.5, 0.1], "se": [0.1] * 4})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: proportions.risk_difference(wrong("many"), 5, 1, 5), "x1 is 'many'"),
        (lambda: proportions.interval(wrong(None), 5), "x is None"),
        (lambda: proportions.test(1, 0, 1, 5), "n1 is 0"),
        (lambda: proportions.odds_ratio(nan, 5, 1, 5), "x1 is nan"),
        (lambda: proportions.stratified([]), "shape"),
        (lambda: ancova.standardised_difference(["a", "b"], [1, 2]), "x holds list that are no numbers"),
        (lambda: ancova.standardised_difference([0.1] * 3, [0.3] * 3), "no spread"),
        (
            lambda: ancova.fit(
                pd.DataFrame({"y": [1, 2, 3, 4, 9.0], "arm": list("aabbc")}),
                response="y",
                arm="arm",
                reference="a",
                robust="HC3",
            ),
            "1 rows have leverage 1",
        ),
        (
            lambda: mediation.sensitivity(PATHS.assign(m1=1.0), treatment="t", mediator="m1", outcome="y"),
            "without error",
        ),
        (
            lambda: mediation.parallel(
                PATHS.assign(m2=2 * PATHS["m1"]), treatment="t", mediators=("m1", "m2"), outcome="y"
            ),
            r"'m[12] \(in the model of the outcome\)'",
        ),
        (lambda: dissociation.half_life_ratio(CURVES.assign(se=0.0), rng=rng()), "se above 0"),
        (lambda: dissociation.half_life_ratio(pd.concat([CURVES, CURVES]), rng=rng()), "one row per dimension and day"),
        (lambda: dissociation.paired_difference(times().assign(days=nan)), "days is missing"),
        (lambda: survival.kaplan_meier([1, inf], [1, 0]), "time holds"),
        (lambda: survival.restricted_mean([], [], tau=1), "time holds"),
        (lambda: ranks.mann_whitney([1, inf], [1]), "x holds"),
        (lambda: blinding.james(wrong([[1, nan], [1, 1], [1, 1]])), "no counts"),
        (lambda: pharmacokinetics.noncompartmental([0, 1, 1], [0, 1, 2], lloq=1), "strictly increasing"),
        (lambda: pharmacokinetics.noncompartmental([0, 1], [0, inf], lloq=1), "infinite"),
        (lambda: multiplicity.holm([nan]), "p is"),
        (lambda: multiplicity.graphical([nan, 1], [[0, 1], [1, 0]], [0.1, 0.2]), "weights is"),
        (lambda: imputation.pool([nan, 1], [1, 1]), "finite"),
        (lambda: sequential.conditional_power(wrong("high"), 1, design=DESIGN), "z is high"),
        (lambda: sequential.conditional_power(1.0, wrong(1.5), design=DESIGN), "look is 1.5"),
        (lambda: sequential.predictive_power(1.0, 1, design=DESIGN, prior=wrong((1,))), r"prior is \(1,\)"),
        (lambda: sequential.inference_after_stopping(1e6, 2, design=DESIGN, standard_error=1), "z is 1000000.0"),
        (lambda: sequential.sequential_p([1, 1, 1], design=DESIGN), "holds 3 looks, 2 are planned"),
        (lambda: DESIGN.update([50, 50], 100), "strictly increasing"),
        (lambda: DESIGN.sample_size(difference=nan, sd=1), "difference is nan"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_argument_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_profile_without_a_result_has_none():
    found = pharmacokinetics.noncompartmental([0, 1, 2], [nan, nan, nan], lloq=1)
    assert isnan(found.cmax)
    assert isnan(found.auc_inf)
