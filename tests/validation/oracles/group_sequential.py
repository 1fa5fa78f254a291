"""Designs, monitoring, sample sizes, conditional power and estimation against gsDesign and rpact."""

from math import pi, sqrt
from typing import Any

import numpy as np

from analysis.statistics import sequential
from analysis.statistics.sequential import Design, Family
from tests.analysis.statistics.families import family
from tests.analysis.statistics.oracle import fractions
from tests.validation.reference import Book, Entry, Measure

_BOTH = "gsDesign 3.11.0, rpact 4.5.0"
_DESIGN = "sequential.design"
EFFICACY = Measure(_DESIGN, "efficacy bound (z) at every look", _BOTH)
FUTILITY = Measure(_DESIGN, "lower bound (z) at every look", _BOTH)
NOMINAL = Measure(_DESIGN, "one-sided p that just crosses", _BOTH)
ALPHA = Measure(_DESIGN, "alpha spent so far", _BOTH)
BETA = Measure(_DESIGN, "beta spent so far", _BOTH)
INFLATION = Measure(_DESIGN, "inflation factor and drift", _BOTH)
CROSSING = Measure("Design.properties", "probability of first crossing each bound at each look", "gsDesign 3.11.0")
POWER = Measure("Design.properties", "power, early stopping, stopping for futility", "rpact 4.5.0")
EXPECTED = Measure("Design.properties", "expected information", _BOTH)
UPDATED_ALPHA = Measure("Design.update", "alpha spent at the information that came", "gsDesign 3.11.0")
UPDATED_Z = Measure("Design.update", "efficacy bound at the information that came", "gsDesign 3.11.0")
SIZE = Measure("Design.sample_size, .sample_size_rates", "total, by look, expected", "rpact 4.5.0")
SIZE_BOUNDS = Measure("Design.sample_size, .sample_size_rates", "critical values and effects", "rpact 4.5.0")
CLOSED_CP = Measure(
    "sequential.single_look_conditional_power", "null, trend and design drift", "closed form in R 4.2.2"
)
CLOSED_PP = Measure("sequential.single_look_predictive_power", "flat and normal prior", "closed form in R 4.2.2")
CP = Measure("sequential.conditional_power", "crossing at any later look", "gsDesign 3.11.0 gsCP")
PP = Measure("sequential.predictive_power", "the file's weights, which are no average (see below)", "gsDesign 3.11.0")
AFTER = Measure("sequential.inference_after_stopping", "stage-wise p", "rpact 4.5.0")
AFTER_CI = Measure("sequential.inference_after_stopping", "median-unbiased estimate and interval", "rpact 4.5.0")
QUADRATURE = Measure("sequential.inference_after_stopping", "p, estimate and interval", "independent quadrature")
REPEATED = Measure("sequential.repeated_intervals", "interval at every look", "rpact 4.5.0")
REPEATED_P = Measure("sequential.repeated_intervals", "p at every look", "rpact 4.5.0")
SEQUENTIAL_P = Measure("sequential.sequential_p", "smallest alpha that rejects", "gsDesign 3.11.0")

REMAINING: dict[str, dict[str, Any]] = {
    "HSD-4 K5 unequal": {"efficacy": sequential.hwang_shih_decani(-4)},
    "HSD-4/HSD-2 K3 non-binding": {
        "efficacy": sequential.hwang_shih_decani(-4),
        "futility": sequential.hwang_shih_decani(-2),
    },
    "LDOF K3 equal": {"efficacy": sequential.lan_demets_of()},
    "LDPocock K4 equal": {"efficacy": sequential.lan_demets_pocock(), "beta": 0.2},
}


def boundaries() -> Book:
    """gs_boundaries.json."""
    book = Book(
        "gs_boundaries.json",
        inputs=(
            *(f"cases/*/{name}" for name in ("k", "timing/*", "sides", "test_type", "alpha_*", "beta", "gamma[AB]")),
            *(f"cases/*/{name}" for name in ("*_parameter", "deltaWT", "futility_bounds_given/*", "binding")),
            *(f"cases/*/{name}" for name in ("theta_multipliers/*", "z_tolerance/*", "solver_tolerance")),
        ),
        left_out={"cases/*/check/*": "the reference's own error, by its quadrature"},
    )
    for case in book.entries():
        _bounds(case, planned(case.value))
    return book


def planned(case: Any) -> Design:
    """The design a case describes."""
    if case["software"].startswith("gsDesign"):
        lower = family(case["lower_family"], case["lower_parameter"]) if case["lower_family"] else None
        upper = family(case["upper_family"], case["upper_parameter"])
    else:
        upper = family(case["type"], case["deltaWT"] if case["type"] == "WT" else case["gammaA"])
        lower = _rpact_futility(case)
    return sequential.design(
        fractions(case["timing"]),
        alpha=case["alpha_one_sided"],
        beta=case["beta"],
        sides=case["sides"],
        efficacy=upper,
        futility=lower,
        binding=bool(case.get("binding")),
    )


def _rpact_futility(case: Any) -> Family | None:
    if case["futility_bounds_given"]:
        return sequential.fixed_bounds(case["futility_bounds_given"])
    return None if case["beta_spending"] == "none" else family(case["beta_spending"], case["gammaB"])


def _bounds(case: Entry, design: Design) -> None:
    sides, tolerance = case.value["sides"], case.value["z_tolerance"]
    case["z_upper"].check(EFFICACY, design.efficacy_z, abs=tolerance)
    if case.value["z_lower"] is not None:
        known = len(case.value["z_lower"])
        case["z_lower"].check(FUTILITY, design.lower[:known], abs=tolerance[:known])
    case["nominal_p_upper_one_sided"].check(NOMINAL, design.nominal_p, abs=1e-6)
    total = "cum_alpha_spent_total" in case
    spent = case["cum_alpha_spent_total" if total else "cum_alpha_spent_upper"]
    spent.check(ALPHA, design.alpha_spent * (sides if total else 1), abs=1e-6)
    if case.value["cum_beta_spent"] is not None:
        case["cum_beta_spent"].check(BETA, design.beta_spent, abs=1e-6)
    case["inflation_factor"].check(INFLATION, design.inflation_factor, rel=1e-5)
    case["fixed_design_drift"].check(INFLATION, design.fixed_drift, rel=1e-5)
    if "shift" in case:
        case["shift"].check(INFLATION, design.drift**2, rel=1e-5)
    _properties(case, design)


def _properties(case: Entry, design: Design) -> None:
    scale = case.value["fixed_design_drift"] * sqrt(case.value["inflation_factor"])
    multipliers = case.value["theta_multipliers"]
    found = [design.properties(multiplier * scale) for multiplier in multipliers]
    information = [each.expected_information for each in found]
    case["expected_information_ratio"].check(EXPECTED, information, rel=1e-5)
    for name, multiplier in (("H0", 0), ("H01", 0.5), ("H1", 1)):
        if f"expected_information_ratio_{name}" in case:
            at = information[multipliers.index(multiplier)]
            case[f"expected_information_ratio_{name}"].check(EXPECTED, at, rel=1e-5)
    if "cross_upper_prob" in case:
        upper = [each.stop_efficacy - each.stop_efficacy_lower for each in found]
        case["cross_upper_prob"].check(CROSSING, upper, abs=1e-6)
        if case.value["cross_lower_prob"] is not None:
            lower = [each.stop_efficacy_lower + each.stop_futility for each in found]
            case["cross_lower_prob"].check(CROSSING, lower, abs=1e-6)
    if "power" in case:
        early = [(each.stop_efficacy + each.stop_futility)[:-1].sum() for each in found]
        case["power"].check(POWER, [each.power for each in found], abs=1e-6)
        case["early_stop_prob"].check(POWER, early, abs=1e-6)
        if case.value["futility_prob"] is not None:
            case["futility_prob"].check(POWER, [each.stop_futility[:-1].sum() for each in found], abs=1e-6)


def monitoring() -> Book:
    """gs_monitoring.json."""
    sizes = ("k", "sided", "alpha", "beta", "difference", "sd", "p1", "p2", "allocation_ratio", "normal_approximation")
    given = ("parameter", "alpha_one_sided", "planned_information/*", "actual_information/*")
    book = Book(
        "gs_monitoring.json",
        inputs=(*(f"sample_size/*/{name}" for name in sizes), *(f"monitoring/*/{name}" for name in given)),
        left_out={"monitoring/*/check_alpha_error": "the reference's own error, by its quadrature"},
    )
    for case in book.entries("monitoring"):
        plan = np.array(case.value["planned_information"], dtype=float)
        rule = family(case.value["spending"], case.value["parameter"])
        design = sequential.design(plan / plan[-1], alpha=case.value["alpha_one_sided"], efficacy=rule)
        updated = design.update(case.value["actual_information"], plan[-1])
        case["cumulative_alpha"].check(UPDATED_ALPHA, updated.alpha_spent, abs=1e-6)
        case["z_upper"].check(UPDATED_Z, updated.efficacy_z, abs=1e-5)
    for case in book.entries("sample_size"):
        _size(case)
    return book


def _size(case: Entry) -> None:
    asked = case.value
    design = sequential.design(
        np.arange(1, asked["k"] + 1) / asked["k"],
        alpha=asked["alpha"] / asked["sided"],
        beta=asked["beta"],
        sides=asked["sided"],
        efficacy=family(asked["type"], None),
    )
    ratio = asked["allocation_ratio"]
    if asked["endpoint"] == "means":
        size = design.sample_size(
            difference=asked["difference"],
            sd=asked["sd"],
            ratio=ratio,
            normal_approximation=asked["normal_approximation"],
        )
    else:
        size = design.sample_size_rates(p1=asked["p1"], p2=asked["p2"], ratio=ratio)
    for name, found in (
        ("max_subjects", size.total),
        ("fixed_subjects", size.fixed),
        ("subjects_per_look", size.per_look),
        ("expected_H0", size.expected_h0),
        ("expected_H1", size.expected_h1),
    ):
        case[name].check(SIZE, found, rel=1e-4)
    case["critical_values"].check(SIZE_BOUNDS, design.efficacy_z, rel=1e-4)
    if asked.get("critical_effect") is not None:
        error = asked["sd"] * np.sqrt((1 + ratio) ** 2 / ratio / size.per_look)
        case["critical_effect"].check(SIZE_BOUNDS, design.efficacy_z * error, rel=1e-4)


def conditional_power() -> Book:
    """conditional_power.json."""
    given = ("information_fraction", "z_interim", "final_critical_value", "design_drift", "prior_drift_*", "k")
    more = ("timing/*", "z_upper/*", "z_lower/*", "inflation_factor", "fixed_design_drift", "interim")
    book = Book("conditional_power.json", inputs=tuple(f"cases/*/{name}" for name in (*given, *more)))
    for case in book.entries():
        if case.value["kind"] == "single look":
            _single_look(case)
        else:
            _remaining_looks(case)
    return book


def _single_look(case: Entry) -> None:
    asked = case.value
    at = (asked["z_interim"], asked["information_fraction"], asked["final_critical_value"])
    for name, drift in (("null", "null"), ("trend", "trend"), ("design", asked["design_drift"])):
        case[f"cp_{name}"].check(CLOSED_CP, sequential.single_look_conditional_power(*at, drift=drift), abs=1e-9)
    prior = (asked["prior_drift_mean"], asked["prior_drift_sd"])
    predictive = sequential.single_look_predictive_power
    case["predictive_power_flat"].check(CLOSED_PP, predictive(*at), abs=1e-9)
    case["predictive_power_normal_prior"].check(CLOSED_PP, predictive(*at, prior=prior), abs=1e-9)


def _remaining_looks(case: Entry) -> None:
    design = sequential.design(fractions(case.value["timing"]), **REMAINING[case.value["design"]])
    z, look = case.value["z_interim"], case.value["interim"]
    for drift in ("null", "design", "trend"):
        found = sequential.conditional_power(z, look, design=design, drift=drift)
        case[f"cp_{drift}"].check(CP, found, abs=1e-6)
    # The file weights conditional power by the square of the posterior density of the drift at the fixed design's
    # information. The square of N(trend, 1/t) is N(trend, 1/2t), to which a prior N(trend, 1/t) leads, times
    # sqrt(information) / (2 sqrt pi); in these terms the numbers agree.
    time = float(design.timing[look - 1])
    squared = sequential.predictive_power(z, look, design=design, prior=(z / sqrt(time), 1 / sqrt(time)))
    scale = sqrt(design.inflation_factor * time) / (2 * sqrt(pi))
    case["predictive_power_flat"].check(PP, scale * squared, abs=1e-4)


def estimation() -> Book:
    """gs_estimation.json."""
    given = ("gammaA", "alpha", "sided", "information_rates/*", "stage", "stage_*", "overall_*", "final_stage")
    asked = ("k", "timing/*", "parameter", "z/*")
    book = Book(
        "gs_estimation.json",
        inputs=(
            *(f"stopped_trials/*/{name}" for name in given),
            *(f"sequential_p_values/*/{name}" for name in asked),
        ),
        left_out={"stopped_trials/*_general*": "on another scale; its README: not to be tested"},
    )
    for case in book.entries("stopped_trials"):
        _stopped(case)
    for case in book.entries("sequential_p_values"):
        rule = family(case.value["spending"], case.value["parameter"])
        design = sequential.design(fractions(case.value["timing"]), efficacy=rule)
        found = sequential.sequential_p(case.value["z"], design=design)
        case["sequential_p_value"].check(SEQUENTIAL_P, found, abs=1e-4)
    return book


def _stopped(case: Entry) -> None:
    asked = case.value
    design = sequential.design(
        fractions(asked["information_rates"]), alpha=asked["alpha"], efficacy=family(asked["type"], asked["gammaA"])
    )
    z = np.atleast_1d(asked["overall_z"])
    errors = np.atleast_1d(asked["overall_effect"]) / z
    look = asked["final_stage"]
    found = sequential.inference_after_stopping(z[look - 1], look, design=design, standard_error=errors[look - 1])
    case["z_upper"].check(EFFICACY, design.efficacy_z, abs=1e-5)
    case["final_p"].check(AFTER, found.p, abs=1e-6)
    case["median_unbiased"].check(AFTER_CI, found.estimate, abs=1e-4)
    case["final_ci"].check(AFTER_CI, (found.lower, found.upper), abs=1e-4)
    check = case["check"]
    check["final_p_independent"].check(QUADRATURE, found.p, abs=1e-6)
    check["median_unbiased_independent"].check(QUADRATURE, found.estimate, abs=1e-6)
    check["ci_independent"].check(QUADRATURE, (found.lower, found.upper), abs=1e-6)
    repeated = sequential.repeated_intervals(z, errors, design=design)
    for name, values, tolerance in (
        ("ci_lower", repeated.lower, 1e-3),
        ("ci_upper", repeated.upper, 1e-3),
        ("p", repeated.p, 1e-4),
    ):
        entry = case[f"repeated_{name}"]
        measure = REPEATED_P if name == "p" else REPEATED
        entry.check(measure, values if isinstance(entry.value, list) else values[0], abs=tolerance)
