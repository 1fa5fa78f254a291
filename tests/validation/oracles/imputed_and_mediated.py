"""Imputation against rbmi, mediation against R's mediation and closed forms."""

from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from analysis.statistics import ancova, imputation, mediation
from analysis.statistics.estimate import Estimate
from tests.analysis.statistics import trials
from tests.validation.reference import Book, Entry, Measure

_RBMI = "rbmi 1.5.2 with mmrm 0.3.18"
_JACKKNIFE, _RUBIN = "imputation.conditional_mean", "imputation.multiple"
ESTIMATE = Measure(_JACKKNIFE, "estimates: MAR, JR, covariance by arm, delta", _RBMI)
SE = Measure(_JACKKNIFE, "jackknife SE", _RBMI)
LIMITS = Measure(_JACKKNIFE, "normal interval", _RBMI)
NORMAL_P = Measure(_JACKKNIFE, "p from estimate and SE", _RBMI)
DRAWN = Measure(_RUBIN, "estimates, within 4 SE / sqrt(imputations)", _RBMI)
DRAWN_SE = Measure(_RUBIN, "Rubin's SE, within a tenth", _RBMI)
DRAWN_LIMITS = Measure(_RUBIN, "interval and p, as far as estimate and SE may differ", _RBMI)
IMPUTATIONS = 150

_R = "mediation 4.5.1, R 4.2.2"
CLOSED = Measure("mediation.mediate", "legs, product, SEs, z, p, interval, total, share", _R)
CROSSED = Measure("mediation.mediate", "legs and indirect effects with an interaction", _R)
CROSSED_DRAWN = Measure("mediation.mediate", "direct and total effect with an interaction, drawn by the reference", _R)
QUASI = Measure("mediation.mediate", "quasi-Bayesian intervals and means of draws", _R)
QUASI_P = Measure("mediation.mediate", "quasi-Bayesian p, three errors of the two simulations", _R)
BOOTSTRAP = Measure("mediation.mediate", "bootstrap intervals, 3 % of their width (a ratio's 6 %)", _R)
BOOTSTRAP_SD = Measure("mediation.mediate", "bootstrap SD", _R)
RHO = Measure("mediation.sensitivity", "correlation that explains the effect away", _R)
RHO_CURVE = Measure("mediation.sensitivity", "indirect effect over rho, which the reference iterates to", _R)

ANTIDEPRESSANT: dict[str, Any] = {
    "response": "CHANGE", "subject": "PATIENT", "visit": "VISIT", "arm": "THERAPY", "reference": "PLACEBO",
    "covariates": ["BASVAL"], "covariates_by_visit": ["BASVAL"],
}  # fmt: skip


def imputations() -> Book:
    """reference_based_imputation.json."""
    given = ("same_covariance_in_both_arms", "n_imputations", "delta_drug_arm_ice_visits")
    book = Book("reference_based_imputation.json", inputs=tuple(f"cases/*/{name}" for name in given))
    for case in book.entries():
        asked = ANTIDEPRESSANT | {
            "strategy": case.value["strategy"],
            "delta": case.value["delta_drug_arm_ice_visits"],
            "covariance_by_arm": not case.value["same_covariance_in_both_arms"],
        }
        if case.value["method"] == "jackknife":
            _conditional(case, imputation.conditional_mean(trials.antidepressant(), **asked))
        else:
            rng = np.random.default_rng(20)
            table = imputation.multiple(trials.antidepressant(), **asked, imputations=IMPUTATIONS, rng=rng)
            _multiple(case, table)
    return book


def _rows(case: Entry, table: pd.DataFrame) -> list[tuple[Entry, dict[str, Any]]]:
    rows: list[Any] = table.to_dict("records")
    found = {f"{row['parameter']}_{row['visit']}": row for row in rows}
    return [(row, found[row.value["parameter"]]) for row in case["results"]]


def _normal_p(row: dict[str, Any]) -> float:
    return float(2 * ndtr(-abs(row["estimate"] / row["se"])))


def _conditional(case: Entry, table: pd.DataFrame) -> None:
    for row, found in _rows(case, table):
        row["est"].check(ESTIMATE, found["estimate"], abs=1e-6)
        row["se"].check(SE, found["se"], rel=1e-4)
        # A limit carries two errors of a standard error that may be 1e-4 off.
        for name, value in (("lci", found["lower"]), ("uci", found["upper"])):
            row[name].check(LIMITS, value, abs=1e-6 + 2e-4 * row.value["se"])
        row["pval"].check(NORMAL_P, _normal_p(found), abs=1e-4)


def _multiple(case: Entry, table: pd.DataFrame) -> None:
    for row, found in _rows(case, table):
        error = 4 * row.value["se"] / sqrt(IMPUTATIONS)
        row["est"].check(DRAWN, found["estimate"], abs=error)
        row["se"].check(DRAWN_SE, found["se"], rel=0.1)
        for name, value in (("lci", found["lower"]), ("uci", found["upper"])):
            row[name].check(DRAWN_LIMITS, value, abs=error + 0.2 * row.value["se"])
        row["pval"].check(DRAWN_LIMITS, _normal_p(found), abs=0.15)


CONTROL = {"md-p001": "placebo", "md-p002": "usual_care", "md-p003": "placebo"}


def asked(case: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table and the columns of a case of mediation.json."""
    mediator, right = case["mediator_model"].split(" ~ ")
    treatment, *covariates = right.split(" + ")
    outcome = case["outcome_model"].split(" ~ ")[0]
    frame = trials.vickers()
    if case["id"] in CONTROL:
        frame = trials.ashar_wide().dropna(subset=["pain_avg_base", "pain_avg_post"])
        frame = frame[frame["arm"].isin(["PRT", CONTROL[case["id"]]])].assign(
            treat=lambda table: (table["arm"] == "PRT").astype(int)
        )
    return frame, {"treatment": treatment, "mediator": mediator, "outcome": outcome, "covariates": covariates}


def mediated() -> Book:
    """mediation.json."""
    book = Book(
        "mediation.json",
        inputs=("cases/*/treatment_mediator_interaction", "cases/*/*/sims", "cases/*/sensitivity/rho_grid/*"),
    )
    for case in book.entries():
        if case.value["treatment_mediator_interaction"]:
            _with_interaction(case)
        else:
            _plain(case)
            _drawn(case)
            _sensitivity(case)
    return book


def _plain(case: Entry) -> None:
    frame, columns = asked(case.value)
    found = mediation.mediate(frame, **columns)
    numbers = {
        "n": found.observations, "a": found.a.estimate, "se_a": found.a.se, "b": found.b.estimate, "se_b": found.b.se,
        "direct": found.direct.estimate, "se_direct": found.direct.se, "acme_product": found.indirect.estimate,
        "sobel_se": found.sobel_se, "sobel_z": found.indirect.statistic, "sobel_p": found.indirect.p,
        "sobel_ci": (found.indirect.lower, found.indirect.upper), "aroian_se": found.aroian_se,
        "goodman_se": found.goodman_se, "ade": found.direct.estimate, "total": found.total.estimate,
        "proportion_mediated": found.proportion.estimate,
    }  # fmt: skip
    for name, value in numbers.items():
        case[name].check(CLOSED, value, rel=1e-8)


def _interval(entry: Entry, measure: Measure, found: Estimate, share: float = 0.03) -> None:
    """Both limits within a share of the width, in units of the width."""
    width = entry.value[1] - entry.value[0]
    entry.check(measure, (found.lower, found.upper), abs=share * width)


def _drawn(case: Entry) -> None:
    frame, columns = asked(case.value)
    quasi = mediation.mediate(frame, **columns, method="quasi_bayes", draws=20_000, rng=np.random.default_rng(1))
    boot = mediation.mediate(frame, **columns, method="bootstrap", draws=20_000, rng=np.random.default_rng(2))
    expected, resampled = case["quasi_bayes"], case["bootstrap_percentile"]
    for name in ("acme", "ade", "total"):
        effect = {"acme": "indirect", "ade": "direct", "total": "total"}[name]
        ours, theirs = getattr(quasi, effect), expected[f"{name}_ci"]
        _interval(theirs, QUASI, ours)
        # The reference gives the mean of its draws, ours is the estimate they are drawn around.
        expected[name].check(QUASI, ours.estimate, abs=0.03 * (theirs.value[1] - theirs.value[0]))
        _interval(resampled[f"{name}_ci"], BOOTSTRAP, getattr(boot, effect))
        resampled[name].check(CLOSED, getattr(boot, effect).estimate, rel=1e-8)
    p = expected.value["acme_p"]
    expected["acme_p"].check(QUASI_P, quasi.indirect.p, abs=3 * 2 * sqrt(p / 20_000))
    # A ratio has a long tail, where 4,000 draws are few.
    width = resampled.value["prop_ci"][1] - resampled.value["prop_ci"][0]
    expected["prop"].check(QUASI, quasi.proportion.estimate, abs=0.06 * width)
    _interval(resampled["prop_ci"], BOOTSTRAP, boot.proportion, share=0.06)
    # The error of an SD from 4,000 draws is one in ninety.
    resampled["acme_sd"].check(BOOTSTRAP_SD, boot.indirect.se, rel=0.05)


def _sensitivity(case: Entry) -> None:
    frame, columns = asked(case.value)
    expected = case["sensitivity"]
    found = mediation.sensitivity(frame, **columns, rho=expected.value["rho_grid"])
    expected["rho_where_acme_is_zero_exact"].check(RHO, found.rho_at_zero, rel=1e-8)
    expected["acme_by_rho"].check(RHO_CURVE, found.table["indirect"], rel=2e-3, floor=0.5)


def _with_interaction(case: Entry) -> None:
    frame, columns = asked(case.value)
    found = mediation.mediate(frame, **columns, interaction=True)
    indirect, direct = found.indirect_by_arm or {}, found.direct_by_arm or {}
    exact = {
        "n": found.observations, "a": found.a.estimate, "se_a": found.a.se, "b": found.b.estimate, "se_b": found.b.se,
        "interaction": found.interaction.estimate if found.interaction else None,
        "acme_control": indirect["control"].estimate, "acme_treated": indirect["treated"].estimate,
    }  # fmt: skip
    for name, value in exact.items():
        case[name].check(CROSSED, value, rel=1e-8)
    outcome = _outcome_model(frame, columns)
    case["direct"].check(CROSSED, outcome[0], rel=1e-8)
    case["se_direct"].check(CROSSED, outcome[1], rel=1e-8)
    # The reference adds a drawn error to every predicted mediator. It cancels in indirect effects; in direct ones it
    # leaves the interaction times the error of a mean of n draws, of which three are allowed.
    allowed = 3 * found.a.se / 2 * abs(case.value["interaction"])
    for name, effect in (
        ("ade_control", direct["control"]), ("ade_treated", direct["treated"]), ("total", found.total),
    ):  # fmt: skip
        case[name].check(CROSSED_DRAWN, effect.estimate, abs=allowed)
    options: dict[str, Any] = {
        "interaction": True,
        "method": "bootstrap",
        "draws": 20_000,
        "rng": np.random.default_rng(3),
    }
    boot, expected = mediation.mediate(frame, **columns, **options), case["bootstrap_ci"]
    for arm in ("control", "treated"):
        _interval(expected[f"acme_{arm}"], BOOTSTRAP, (boot.indirect_by_arm or {})[arm])
        _interval(expected[f"ade_{arm}"], BOOTSTRAP, (boot.direct_by_arm or {})[arm])
    _interval(expected["total"], BOOTSTRAP, boot.total)


def _outcome_model(frame: pd.DataFrame, columns: dict[str, Any]) -> tuple[float, float]:
    """The direct effect where the mediator is 0, and its SE: ours are taken at the mediator of each arm."""
    mediator = frame[columns["mediator"]]
    moved = frame.assign(product=frame["treat"] * mediator)

    fit = ancova.fit(
        moved, response=columns["outcome"], arm="arm", reference="placebo",
        covariates=[*columns["covariates"], columns["mediator"], "product"],
    )  # fmt: skip
    row = fit.contrasts().iloc[0]
    return float(row["estimate"]), float(row["se"])
