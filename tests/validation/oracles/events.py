"""Time to event against R's survival."""

import pandas as pd

from analysis.statistics import survival
from tests.validation.reference import FOLDER, Book, Entry, Measure

_R = "survival 3.5-3"
CURVE = Measure("survival.kaplan_meier", "survival, Greenwood's SE, three kinds of interval", _R)
QUANTILES = Measure("survival.kaplan_meier", "quartiles, median and its interval", _R)
RESTRICTED = Measure("survival.restricted_mean", "mean to day 112 and its SE", _R)
LOGRANK = Measure("survival.logrank", "plain, stratified, Peto-Peto", _R)
COX = Measure("survival.cox", "log hazards, ratios, intervals, log-likelihood", _R)
COX_ROUNDED = Measure("survival.cox", "Wald test, as the reference rounds it", _R)
PROPORTIONAL = Measure("survival.cox", "test of proportional hazards", _R)


def trial() -> pd.DataFrame:
    """The synthetic trial beside the reference numbers; placebo is the reference arm."""
    frame = pd.read_csv(FOLDER / "tte_synthetic.csv")
    return frame.assign(arm=pd.Categorical(frame["arm"], ["placebo", "ketamine"]))


def time_to_event() -> Book:
    """survival.json."""
    book = Book(
        "survival.json",
        inputs=("cases/*/kaplan_meier/*/times/*",),
        left_out={
            "cases/*/cox/*/score_test": "the score test is no result of ours",
            "cases/*/cox/[23]/wald_test": "the joint Wald test of two covariates is no result of ours",
        },
    )
    frame = trial()
    for case in book.entries():
        for arm in case["kaplan_meier"]:
            _curve(frame, arm)
        _logranks(frame, case)
        for model in case["cox"]:
            _cox(frame, model)
        adjusted = survival.cox(frame, time="day", event="lost_response", covariates=["arm", "baseline_pain"])
        found = adjusted.proportional_hazards.set_index("term").to_dict("index")
        for row in case["schoenfeld_test_km"]:
            for ours, theirs in (("chi_square", "chisq"), ("df", "df"), ("p", "p")):
                row[theirs].check(PROPORTIONAL, found[row.value["term"]][ours], rel=1e-4)
    return book


def _curve(frame: pd.DataFrame, arm: Entry) -> None:
    mine = frame[frame["arm"] == arm.value["arm"]]
    time, event = mine["day"], mine["lost_response"]
    arm["n"].check(CURVE, len(mine), rel=1e-7)
    arm["events"].check(CURVE, int(event.sum()), rel=1e-7)
    for kind in ("loglog", "log", "plain"):
        found = survival.kaplan_meier(time, event, at=arm.value["times"], interval=kind)
        arm["survival"].check(CURVE, found["survival"], rel=1e-7)
        arm["greenwood_se"].check(CURVE, found["se"], rel=1e-7)
        arm[f"lower_{kind}"].check(CURVE, found["lower"], rel=1e-7, floor=1e-5)
        arm[f"upper_{kind}"].check(CURVE, found["upper"], rel=1e-7)
    whole = survival.kaplan_meier(time, event)
    median, quantiles = whole.median["all"], arm["quantiles"]
    for name, value in (
        ("q25", _first_under(whole, 0.75)),
        ("median", median.estimate),
        ("q75", _first_under(whole, 0.25)),
        ("median_lower_loglog", median.lower),
        ("median_upper_loglog", median.upper),
    ):
        quantiles[name].check(QUANTILES, value, rel=1e-7)
    mean = survival.restricted_mean(time, event, tau=112)
    arm["rmst_112"].check(RESTRICTED, mean.estimate, rel=1e-7)
    arm["rmst_112_se"].check(RESTRICTED, mean.se, rel=1e-7)


def _first_under(curve: pd.DataFrame, share: float) -> float:
    return float(curve.loc[curve["survival"] <= share, "time"].iloc[0])


def _logranks(frame: pd.DataFrame, case: Entry) -> None:
    observed = frame["day"], frame["lost_response"], frame["arm"]
    plain = survival.logrank(*observed)
    case["n"].check(LOGRANK, len(frame), rel=1e-7)
    case["events"].check(LOGRANK, plain.observed.sum(), rel=1e-7)
    case["logrank"]["chisq"].check(LOGRANK, plain.chi_square, rel=1e-7)
    case["logrank"]["p"].check(LOGRANK, plain.p, rel=1e-7)
    case["logrank"]["observed"].check(LOGRANK, plain.observed, rel=1e-7)
    case["logrank"]["expected"].check(LOGRANK, plain.expected, rel=1e-7)
    variance = (plain.observed[0] - plain.expected[0]) ** 2 / plain.chi_square
    case["logrank"]["variance"].check(LOGRANK, variance, rel=1e-7)
    stratified = survival.logrank(*observed, strata=frame["site"])
    case["logrank_stratified_by_site"]["chisq"].check(LOGRANK, stratified.chi_square, rel=1e-7)
    case["logrank_stratified_by_site"]["p"].check(LOGRANK, stratified.p, rel=1e-7)
    case["peto_peto_rho1"]["chisq"].check(LOGRANK, survival.logrank(*observed, rho=1).chi_square, rel=1e-7)


_NAMES = {"log_hazard": "log_hr", "se": "se", "hazard_ratio": "hr", "lower": "lower", "upper": "upper", "z": "z"}


def _cox(frame: pd.DataFrame, model: Entry) -> None:
    formula = model.value["formula"]
    covariates = [name for name in ("arm", "baseline_pain") if name in formula]
    strata = ["site"] if "strata(site)" in formula else []
    found = survival.cox(
        frame, time="day", event="lost_response", covariates=covariates, strata=strata, ties=model.value["ties"]
    )
    model["loglik"].check(COX, found.log_likelihood, rel=1e-7)
    model["loglik_null"].check(COX, found.log_likelihood_null, rel=1e-7)
    ratio = 2 * (found.log_likelihood - found.log_likelihood_null)
    model["lr_test"].check(COX, ratio, rel=1e-7)
    table = found.coefficients.to_dict("records")
    for row, term in zip(table, model["coefficients"], strict=True):
        for ours, theirs in (_NAMES | {"p": "p"}).items():
            term[theirs].check(COX, row[ours], rel=1e-7)
    if len(table) == 1:
        wald = table[0]["z"] ** 2
        model["wald_test"].check(COX_ROUNDED, wald, abs=0.005 + 1e-9)
