"""Mixed models, analysis of covariance and the crossover against R's mmrm, lme4, lm and emmeans."""

from typing import Any

import pandas as pd
from scipy.stats import t as student

from analysis.statistics import ancova
from tests.analysis.statistics import trials
from tests.analysis.statistics.mmrm_cases import CASES, METHODS, fitted, key
from tests.validation.reference import Book, Entry, Measure

_MMRM = "mmrm 0.3.18, emmeans 1.8.4"
LIKELIHOOD = Measure("mmrm.fit", "log-likelihood", _MMRM)
CRITERIA = Measure("mmrm.fit", "AIC, BIC, -2 log-likelihood", _MMRM)
COUNTS = Measure("mmrm.fit", "observations, subjects, covariance parameters", _MMRM)
COVARIANCE = Measure("mmrm.fit", "covariance matrix", _MMRM)
_METHOD = {"satterthwaite": "Satterthwaite", "kenward_roger": "Kenward-Roger, linear"}


def of_mmrm(what: str, df: str) -> Measure:
    """A measure of one table's column under one method of degrees of freedom."""
    return Measure("mmrm.fit", f"{what}, {_METHOD[df]}", _MMRM)


_LM = "R 4.2.2 lm, emmeans 1.8.4"
ANCOVA = Measure("ancova.fit", "coefficients, means and contrasts", _LM)
ANCOVA_P = Measure("ancova.fit", "p of coefficients and contrasts", _LM)
ROBUST = Measure("ancova.fit", "HC0, HC2 and HC3 standard errors", "R 4.2.2, sandwich 3.0-2")
CROSSOVER = Measure("ancova.crossover", "paired and period-adjusted effect, t, df, p, interval", "R 4.2.2")
READ = Measure("data as read", "counts, means, SDs, medians of the published rows", "R 4.2.2")
# The files print ten digits.
PRINTED = 2e-9


def mixed_models() -> Book:
    """mmrm.json."""
    book = Book(
        "mmrm.json",
        inputs=("cases/*/reml",),
        left_out={
            "cases/*/logLik_default_optimiser": "mmrm's own early stop, slightly short of the maximum",
            "cases/*/inference/1/*": "Kenward-Roger with second derivatives: not asked for, there to be compared with",
        },
    )
    for place, case in enumerate(book.entries()):
        _model(place, case)
        for inference in case["inference"]:
            method = METHODS.get((inference.value["df_method"], inference.value["vcov"]))
            if method:
                _inference(place, inference, method)
    return book


def _wider(place: int) -> float:
    """Twelve visits: ten times wider, says the README."""
    return 10 if CASES[place]["name"].startswith("reframed") else 1


def _model(place: int, case: Entry) -> None:
    fit = fitted(place, "satterthwaite")
    wider = _wider(place)
    case["logLik"].check(LIKELIHOOD, fit.log_likelihood, abs=1e-6 * wider)
    case["minus2logLik"].check(CRITERIA, -2 * fit.log_likelihood, abs=1e-5)
    case["AIC"].check(CRITERIA, fit.aic, abs=1e-5)
    case["BIC"].check(CRITERIA, fit.bic, abs=1e-5)
    case["n_obs"].check(COUNTS, fit.observations, abs=0)
    case["n_subjects"].check(COUNTS, fit.subjects, abs=0)
    parameters = (fit.aic + 2 * fit.log_likelihood) / 2
    case["n_covariance_parameters"].check(COUNTS, round(parameters, 9), abs=0)
    case["covariance"]["matrix"].check(COVARIANCE, fit.covariance.to_numpy(), rel=1e-5 * wider)


def _inference(place: int, expected: Entry, method: str) -> None:
    fit, wider = fitted(place, method), _wider(place)
    expected["logLik"].check(LIKELIHOOD, fit.log_likelihood, abs=1e-6 * wider)
    by_term = {key(row["term"]): row for row in fit.coefficients.to_dict("records")}
    for row in expected["coefficients"]:
        _row(by_term[key(row.value["term"])], row, method, wider, {"estimate": "estimate", "se": "se", "t": "t"})
    arm, visit = list(expected["lsmeans"].value[0])[:2]
    means = {(row["arm"], str(row["visit"])): row for row in fit.ls_means().to_dict("records")}
    for row in expected["lsmeans"]:
        found = means[row.value[arm], row.value[visit]]
        found["t"] = found["estimate"] / found["se"]
        found["p"] = 2 * student.sf(abs(found["t"]), found["df"])
        _row(found, row, method, wider, {"estimate": "emmean", "se": "SE", "t": "t.ratio", "p": "p.value"})
    contrasts = {(row["arm"], str(row["visit"])): row for row in fit.contrasts().to_dict("records")}
    for row in expected["differences"]:
        against = row.value["contrast"].split(" - ")[0].strip("()")
        found = contrasts[against, row.value[visit]]
        _row(found, row, method, wider, {"estimate": "estimate", "se": "SE", "t": "t.ratio", "p": "p.value"})


# Column, what the report calls it, relative tolerance; limits carry the error of SE and df.
_COLUMNS = (
    ("estimate", "estimates", 1e-6),
    ("se", "standard errors", 1e-5),
    ("df", "degrees of freedom", 1e-3),
    ("t", "t", 2e-5),
    ("p", "p", 1e-3),
    ("lower", "interval limits", 1e-4),
    ("upper", "interval limits", 1e-4),
)


def _row(found: dict[str, Any], row: Entry, method: str, wider: float, names: dict[str, str]) -> None:
    names = {"df": "df", "p": "p", "lower": "lower.CL", "upper": "upper.CL"} | names
    for column, called, tolerance in _COLUMNS:
        if names[column] in row:
            # A p of 1e-90 magnifies the last digit of t: below 1e-9 the difference is taken relative to that.
            floor = 1e-9 if column == "p" else 0.0
            row[names[column]].check(of_mmrm(called, method), found[column], rel=tolerance * wider, floor=floor)


def covariance_analyses() -> Book:
    """ancova.json."""
    book = Book("ancova.json")
    for case in book.entries():
        _analysis(case)
    return book


def ancova_data(case: Any) -> tuple[pd.DataFrame, str]:
    """The table of a case and the name of its reference arm."""
    if case["dataset"].startswith("vickers"):
        return trials.vickers(), "control"
    if case["dataset"].startswith("ashar"):
        return trials.ashar_wide().dropna(), "usual_care"
    if case["dataset"].startswith("mmrm"):
        return trials.fev().query("AVISIT == 'VIS4'"), "PBO"
    return trials.reframed().query("month == 12"), "TAU"


def ancova_fit(case: Any, **options: Any) -> ancova.AncovaFit:
    """The fit of a case."""
    response, terms = case["formula"].split(" ~ ")
    arm, *covariates = terms.split(" + ")
    frame, reference = ancova_data(case)
    return ancova.fit(frame, response=response, arm=arm, reference=reference, covariates=covariates, **options)


def _by_term(table: pd.DataFrame) -> dict[Any, dict[str, Any]]:
    rows: list[Any] = table.to_dict("records")
    return {key(row["term"]): row for row in rows}


def _analysis(case: Entry) -> None:
    fit = ancova_fit(case.value)
    case["n"].check(ANCOVA, fit.observations, rel=PRINTED)
    case["residual_sd"].check(ANCOVA, fit.residual_sd, rel=PRINTED)
    case["r_squared"].check(ANCOVA, fit.r_squared, rel=PRINTED)
    robust = {kind: _by_term(ancova_fit(case.value, robust=kind).coefficients) for kind in ("HC0", "HC2", "HC3")}
    plain = _by_term(fit.coefficients)
    for row in case["coefficients"]:
        term = key(row.value["term"])
        _checked(ANCOVA, row, plain[term], {"estimate": "estimate", "se": "se", "t": "t"})
        row["p"].check(ANCOVA_P, plain[term]["p"], rel=1e-6)
        for kind, table in robust.items():
            row[f"se_{kind.lower()}"].check(ROBUST, table[term]["se"], rel=PRINTED)
    arm = next(name for name in ("arm", "ARMCD", "grp") if name in case["lsmeans"].value[0])
    limits = {"df": "df", "lower": "lower.CL", "upper": "upper.CL", "se": "SE"}
    means: dict[Any, Any] = fit.ls_means().set_index("arm").to_dict("index")
    for row in case["lsmeans"]:
        _checked(ANCOVA, row, means[row.value[arm]], limits | {"estimate": "emmean"})
    contrasts: dict[Any, Any] = fit.contrasts().set_index("arm").to_dict("index")
    for row in case["differences"]:
        found = contrasts[row.value["contrast"].split(" - ")[0].strip("()")]
        _checked(ANCOVA, row, found, limits | {"estimate": "estimate", "t": "t.ratio"})
        row["p.value"].check(ANCOVA_P, found["p"], rel=1e-6)


def _checked(measure: Measure, row: Entry, found: dict[str, Any], names: dict[str, str]) -> None:
    for ours, theirs in names.items():
        row[theirs].check(measure, found[ours], rel=PRINTED)


def crossover() -> Book:
    """crossover.json."""
    book = Book("crossover.json")
    for case in book.entries():
        for group in case["groups"]:
            _crossed(group)
    return book


def _crossed(group: Entry) -> None:
    rows = trials.amitriptyline()
    rows = rows if group.value["arv"] == "all" else rows[rows["ARV"] == group.value["arv"]]
    fit = ancova.crossover(
        rows,
        subject="ID",
        period="Period",
        sequence="Order",
        treatment="Treatment",
        response="reduction",
        reference="P",
    )
    group["n"].check(CROSSOVER, fit.subjects, rel=PRINTED)
    wide = rows.pivot(index=["ID", "Order"], columns="Treatment", values="reduction").dropna()
    order = wide.index.get_level_values("Order")
    for name in ("AP", "PA"):
        group[f"n_{name}"].check(READ, int((order == name).sum()), rel=PRINTED)
    for letter, name in (("A", "amitriptyline"), ("P", "placebo")):
        group[f"mean_change_{name}"].check(READ, wide[letter].mean(), rel=PRINTED)
        group[f"sd_change_{name}"].check(READ, wide[letter].std(), rel=PRINTED)
    for kind, found in (("paired", fit.paired), ("period_adjusted", fit.period_adjusted)):
        estimate = "paired_difference" if kind == "paired" else "period_adjusted_effect"
        group[estimate].check(CROSSOVER, found.estimate, rel=PRINTED)
        for name, value in (("t", found.statistic), ("df", found.df), ("p", found.p)):
            group[f"{kind}_{name}"].check(CROSSOVER, value, rel=PRINTED)
        group[f"{kind}_ci"].check(CROSSOVER, (found.lower, found.upper), rel=PRINTED)
