"""Ashar et al. (2022) recomputed from its published rows."""

import pandas as pd

from analysis.statistics import ancova, mmrm, proportions
from tests.analysis.statistics import trials
from tests.analysis.statistics.mmrm_cases import key
from tests.validation.oracles.linear_models import READ
from tests.validation.reference import Book, Entry, Measure

MODEL = Measure("mmrm.fit", "random intercept as compound symmetry, Satterthwaite", "lme4 1.1-31, lmerTest 3.1-3")
RESPONDERS = Measure("proportions.risk_difference", "responders of Ashar 2022, interval and NNT", "R 4.2.2, ratesci")
EFFECT_SIZE = Measure("ancova.standardised_difference", "Cohen's d, Hedges' g", "R 4.2.2")


def trial() -> Book:
    """ashar.json."""
    book = Book(
        "ashar.json",
        left_out={
            "published/*": "as printed by the paper; compared in the section on differences from print",
            "effect_sizes/*/hedges_g_approx": "Hedges' approximation; ours is the exact factor",
        },
    )
    for cell in book["descriptives"]:
        _described(cell, "pain_avg")
    for outcome in book["secondary"]:
        for cell in outcome["cells"]:
            _described(cell, outcome.value["outcome"])
    _responders(book["responders"])
    for fit in book["published_model_random_intercept"]["fits"]:
        _model(fit)
    for name in book["effect_sizes"].value:
        _effect_size(book["effect_sizes"][name], name)
    return book


def _described(cell: Entry, outcome: str) -> None:
    rows = trials.ashar()
    mine = rows[(rows["arm"] == cell.value["arm"]) & (rows["visit"] == cell.value["visit"])]
    values = pd.to_numeric(mine[outcome], errors="coerce").dropna()
    found = {"n": len(values), "mean": values.mean(), "sd": values.std(), "median": values.median()}
    for name, value in found.items():
        if name in cell:
            cell[name].check(READ, value, rel=1e-6)


def responder_counts() -> dict[str, tuple[int, int]]:
    """Responders (pain at most 1 after treatment, missing counted as none) and randomised, by arm."""
    rows = trials.ashar()
    everybody = rows.groupby("arm")["id"].nunique()
    better = rows[(rows["visit"] == "post") & (rows["pain_avg"] <= 1)].groupby("arm")["id"].nunique()
    return {str(arm): (int(better.get(arm, 0)), int(n)) for arm, n in everybody.items()}


def _responders(expected: Entry) -> None:
    counts = responder_counts()
    for row in expected["counts"]:
        count, n = counts[row.value["arm"]]
        for name, found in (("responders", count), ("n", n), ("proportion", count / n)):
            row[name].check(RESPONDERS, found, rel=1e-6)
    for name, other in (("PRT_v_placebo", "placebo"), ("PRT_v_usual_care", "usual_care")):
        arms = (*counts["PRT"], *counts[other])
        difference = proportions.risk_difference(*arms)
        expected[name]["risk_difference"].check(RESPONDERS, difference.estimate, rel=1e-6)
        expected[name]["miettinen_nurminen_95"].check(RESPONDERS, (difference.lower, difference.upper), rel=1e-6)
        expected[name]["nnt"].check(RESPONDERS, proportions.number_needed_to_treat(*arms).estimate, rel=1e-6)


def fitted(reference: str) -> mmrm.Fit:
    """The paper's model."""
    return mmrm.fit(
        trials.ashar(), response="pain_avg", subject="id", visit="visit", arm="arm", covariance="cs",
        reference=reference, covariates=["age", "gender"],
    )  # fmt: skip


def _model(expected: Entry) -> None:
    fit = fitted(expected.value["reference_arm"])
    covariance = fit.covariance.to_numpy()  # type: ignore[union-attr]
    expected["reml_criterion"].check(MODEL, -2 * fit.log_likelihood, rel=1e-5)
    expected["var_patient"].check(MODEL, covariance[0, 1], rel=1e-5)
    expected["var_residual"].check(MODEL, covariance[0, 0] - covariance[0, 1], rel=1e-5)
    by_term = {key(row["term"]): row for row in fit.coefficients.to_dict("records")}
    for row in expected["coefficients"]:
        found = by_term[key(row.value["term"])]
        for name in ("estimate", "se", "df", "t", "p", "lower", "upper"):
            # An upper limit of 0.001 is a difference of numbers a thousand times as large.
            row[name].check(MODEL, found[name], rel=1e-5, floor=1e-3)


def effect_size(other: str, kind: str) -> tuple[ancova.StandardisedDifference, tuple[int, int]]:
    """PRT against another arm, after treatment ("post") or in change ("change"), and the numbers in both."""
    wide = trials.ashar_wide().dropna()
    values = wide["pain_avg_post"] - (wide["pain_avg_base"] if kind == "change" else 0.0)
    x, y = (values[wide["arm"] == arm] for arm in ("PRT", other))
    return ancova.standardised_difference(x, y), (len(x), len(y))


def _effect_size(expected: Entry, name: str) -> None:
    found, sizes = effect_size("placebo" if "placebo" in name else "usual_care", name.rsplit("_", 1)[1])
    expected["cohen_d"].check(EFFECT_SIZE, found.cohen_d.estimate, rel=1e-6)
    expected["hedges_g_exact"].check(EFFECT_SIZE, found.hedges_g.estimate, rel=1e-6)
    expected["n1"].check(READ, sizes[0], rel=1e-6)
    expected["n2"].check(READ, sizes[1], rel=1e-6)
