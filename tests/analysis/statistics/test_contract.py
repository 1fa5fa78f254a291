"""The names, arguments, defaults and result fields that outside users call: the contract of the statistics."""

import inspect
from collections.abc import Callable
from importlib import import_module
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
from analysis.statistics.estimate import Estimate
from tests.analysis.statistics.test_dissociation import answers, made_up
from tests.analysis.statistics.test_mediation import two_mediators
from tests.analysis.statistics.test_mmrm_identities import PARTS, trial

# A name as it is called; "*" parts what goes by place from what goes by name; "name=" has a default that is not shown.
CONTRACT = """
sequential.obrien_fleming()
sequential.pocock()
sequential.wang_tsiatis(delta)
sequential.lan_demets_of()
sequential.lan_demets_pocock()
sequential.hwang_shih_decani(gamma)
sequential.kim_demets(rho)
sequential.user_spending(points)
sequential.fixed_bounds(z)
sequential.design(timing, *, alpha=0.025, beta=0.1, sides=1, efficacy=, futility=None, binding=False)
sequential.Design.properties(self, drift)
sequential.Design.update(self, actual_information, planned_maximum)
sequential.Design.sample_size(self, *, difference, sd, ratio=1, dropout=0)
sequential.Design.sample_size_rates(self, *, p1, p2, ratio=1, dropout=0)
sequential.conditional_power(z, look, *, design, drift='trend')
sequential.predictive_power(z, look, *, design, prior=None)
sequential.single_look_conditional_power(z, fraction, final_critical_value, *, drift)
sequential.single_look_predictive_power(z, fraction, final_critical_value, *, prior=)
sequential.inference_after_stopping(z, look, *, design, standard_error, level=0.95)
sequential.repeated_intervals(z, standard_errors, *, design)
sequential.sequential_p(z, *, design)
mmrm.fit(frame, *, response, subject, visit, arm, reference, covariates=(), covariates_by_visit=(), covariance='us', df='satterthwaite', reml=True, covariance_by_arm=False, level=0.95)
mmrm.fit_first_converging(frame, *, covariances=)
mmrm.Fit.ls_means(self)
mmrm.Fit.contrasts(self)
mmrm.Fit.test(self, L)
ancova.fit(frame, *, response, arm, reference, covariates=(), robust=None)
ancova.standardised_difference(x, y)
ancova.crossover(frame, *, subject, period, sequence, treatment, response, reference)
proportions.risk_difference(x1, n1, x0, n0, *, method='miettinen_nurminen', level=0.95)
proportions.test(x1, n1, x0, n0)
proportions.odds_ratio(x1, n1, x0, n0, *, method='woolf')
proportions.risk_ratio(x1, n1, x0, n0, *, method='log_wald')
proportions.number_needed_to_treat(x1, n1, x0, n0)
proportions.interval(x, n, *, method='clopper_pearson', level=0.95)
proportions.stratified(tables)
survival.kaplan_meier(time, event, *, group=None, at=(), interval='loglog')
survival.logrank(time, event, group, *, strata=None, rho=0)
survival.cox(frame, *, time, event, covariates, strata=(), ties='efron')
survival.restricted_mean(time, event, *, tau)
ranks.mann_whitney(x, y, *, method='asymptotic', continuity=True)
ranks.hodges_lehmann(x, y, *, method='large_sample')
imputation.conditional_mean(frame, *, response, subject, visit, arm, reference, covariates=(), covariates_by_visit=(), strategy='MAR', delta=None, covariance_by_arm=False, event=None)
imputation.multiple(frame, *, response, subject, visit, arm, reference, covariates=(), covariates_by_visit=(), strategy='MAR', delta=None, covariance_by_arm=False, event=None, imputations, rng)
imputation.pool(estimates, variances, *, complete_df=None)
mediation.mediate(frame, *, treatment, mediator, outcome, covariates=(), interaction=False, method='product', draws=, rng=)
mediation.parallel(frame, *, treatment, mediators, outcome)
mediation.sensitivity(frame, *, treatment, mediator, outcome)
dissociation.joint_model(frame, *, covariance='us')
dissociation.JointModel.level_contrast(self, day)
dissociation.JointModel.change_contrast(self, from_day, to_day)
dissociation.half_life_ratio(curves, *, rng, draws=)
dissociation.time_in_response(frame, *, threshold=, end_day=)
dissociation.paired_difference(times)
blinding.james(counts)
blinding.bang(counts)
pharmacokinetics.noncompartmental(time_h, concentration, *, lloq, dose_mg=, infusion_h=)
multiplicity.holm(p)
multiplicity.hochberg(p)
multiplicity.fixed_sequence(p)
multiplicity.graphical(weights, transitions, p)
multiplicity.group_sequential_graphical(weights, transitions, spending, z)
""".strip().splitlines()  # noqa: E501


def named(call: str) -> Any:
    module, *rest = call.split("(", maxsplit=1)[0].split(".")
    found: Any = import_module(f"analysis.statistics.{module}")
    for name in rest:
        found = getattr(found, name)
    return found


def asked_for(call: str) -> list[tuple[str, bool, str]]:
    """Of each argument its name, whether it goes by name only, and its default as written."""
    found, by_name = [], False
    text = call[call.index("(") + 1 : -1].replace("()", "(,)")
    for part in filter(None, text.split(", ")):
        if part == "*":
            by_name = True
        else:
            name, equals, default = part.partition("=")
            found.append((name, by_name, default or "any" if equals else "needed"))
    return found


def default_of(parameter: inspect.Parameter) -> str:
    if parameter.default is inspect.Parameter.empty:
        return "needed"
    return "(,)" if parameter.default == () else repr(parameter.default)


@pytest.mark.parametrize("call", CONTRACT, ids=[call.split("(")[0] for call in CONTRACT])
def test_a_function_takes_the_arguments_of_the_contract(call):
    parameters = inspect.signature(named(call)).parameters
    asked = asked_for(call)
    by_place = [name for name, by_name, _ in asked if not by_name]
    assert list(parameters)[: len(by_place)] == by_place
    for name, by_name, default in asked:
        if by_name:
            assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY, name
        if default == "any":
            assert default_of(parameters[name]) != "needed", name
        else:
            assert default_of(parameters[name]) == default, name
    # More arguments are welcome when none is needed; `**options` go to a function that is checked itself.
    more = [parameters[name] for name in parameters if name not in {name for name, _, _ in asked}]
    assert all(each.kind is inspect.Parameter.VAR_KEYWORD or default_of(each) != "needed" for each in more)


def test_the_usual_design_spends_as_obrien_and_fleming():
    assert inspect.signature(sequential.design).parameters["efficacy"].default == sequential.lan_demets_of()


def estimate(*, tested: bool = False) -> set[str]:
    return {"estimate", "se", "lower", "upper"} | ({"df", "statistic", "p"} if tested else set())


TWO_LOOKS = sequential.design([0.5, 1.0], futility=sequential.hwang_shih_decani(-2))
TABLE = {"estimate", "se", "df", "t", "p", "lower", "upper"}
COLUMNS: Any = PARTS
ONE_PATH: Any = {"treatment": "t", "mediator": "m1", "outcome": "y"}
EVENTS = pd.DataFrame({"day": range(1, 13), "lost": [1, 0, 1] * 4, "dose": [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]})
PERIODS = pd.DataFrame(
    [
        {"id": i, "period": period, "order": "AB" if i % 2 else "BA", "drug": drug, "y": (i * 7 + period * 3) % 5}
        for i in range(8)
        for period, drug in enumerate("AB" if i % 2 else "BA")
    ]
)


def crossed() -> ancova.CrossoverFit:
    return ancova.crossover(
        PERIODS, subject="id", period="period", sequence="order", treatment="drug", response="y", reference="A"
    )


def kaplan_meier() -> survival.KaplanMeier:
    return survival.kaplan_meier(EVENTS["day"], EVENTS["lost"])


def cox() -> survival.CoxFit:
    return survival.cox(EVENTS, time="day", event="lost", covariates=["dose"])


def ancova_fit() -> ancova.AncovaFit:
    return ancova.fit(trial().query("visit == 1"), response="y", arm="arm", reference="a")


def imputed(**options: Any) -> pd.DataFrame:
    return imputation.conditional_mean(trial(subjects=20, visits=2), **COLUMNS, **options)


RESULTS: list[tuple[str, Callable[[], Any], set[str]]] = [
    (
        "design",
        lambda: TWO_LOOKS,
        {"efficacy_z", "futility_z", "nominal_p", "alpha_spent", "beta_spent", "inflation_factor", "drift"},
    ),
    (
        "properties",
        lambda: TWO_LOOKS.properties(0.0),
        {"power", "stop_efficacy", "stop_futility", "expected_information"},
    ),
    (
        "sample size",
        lambda: TWO_LOOKS.sample_size(difference=1, sd=2),
        {"total", "per_arm", "per_look", "expected_h0", "expected_h1"},
    ),
    (
        "after stopping",
        lambda: sequential.inference_after_stopping(3.2, 1, design=TWO_LOOKS, standard_error=0.3),
        {"p", "estimate", "lower", "upper"},
    ),
    (
        "repeated",
        lambda: sequential.repeated_intervals([1.0], [0.3], design=TWO_LOOKS),
        {"lower", "upper", "p"},
    ),
    (
        "mmrm",
        lambda: mmrm.fit(trial(), **COLUMNS),
        {
            "log_likelihood",
            "aic",
            "bic",
            "covariance",
            "observations",
            "subjects",
            "subjects_left_out",
            "iterations",
            "converged",
            "coefficients",
        },
    ),
    ("mmrm coefficients", lambda: mmrm.fit(trial(), **COLUMNS).coefficients, {"term", *TABLE}),
    ("mmrm means", lambda: mmrm.fit(trial(), **COLUMNS).ls_means(), {"arm", "visit", *(TABLE - {"t", "p"})}),
    ("mmrm contrasts", lambda: mmrm.fit(trial(), **COLUMNS).contrasts(), {"arm", "visit", *TABLE}),
    (
        "mmrm test",
        lambda: mmrm.fit(trial(), **COLUMNS).test(np.eye(8)[1]),
        {"F", "numerator_df", "denominator_df", "p"},
    ),
    ("first converging", lambda: mmrm.fit_first_converging(trial(), **COLUMNS), {"covariance_structure"}),
    ("ancova", ancova_fit, {"coefficients", "residual_sd", "r_squared"}),
    ("ancova coefficients", lambda: ancova_fit().coefficients, {"term", *TABLE}),
    ("ancova means", lambda: ancova_fit().ls_means(), {"arm", "estimate", "se", "lower", "upper"}),
    ("ancova contrasts", lambda: ancova_fit().contrasts(), {"arm", *TABLE}),
    ("standardised", lambda: ancova.standardised_difference([1, 2, 4], [0, 1, 1]), {"cohen_d", "hedges_g"}),
    ("crossover", crossed, {"paired", "period_adjusted"}),
    ("crossover paired", lambda: crossed().paired, estimate(tested=True)),
    ("risk difference", lambda: proportions.risk_difference(9, 20, 4, 20), estimate(tested=True) - {"df"}),
    ("two proportions", lambda: proportions.test(9, 20, 4, 20), {"pearson_p", "fisher_p"}),
    ("odds ratio", lambda: proportions.odds_ratio(9, 20, 4, 20), estimate()),
    ("risk ratio", lambda: proportions.risk_ratio(9, 20, 4, 20), estimate()),
    (
        "number needed",
        lambda: proportions.number_needed_to_treat(9, 20, 4, 20),
        {"estimate", "lower", "upper", "disjoint"},
    ),
    ("one proportion", lambda: proportions.interval(9, 20), {"lower", "upper"}),
    (
        "stratified",
        lambda: proportions.stratified([[[9, 11], [4, 16]]]),
        {"odds_ratio", "chi_square", "chi_square_continuity", "p", "risk_difference"},
    ),
    ("curve", kaplan_meier, {"group", "time", "at_risk", "survival", "se", "lower", "upper", "median"}),
    ("curve's median", lambda: kaplan_meier().median["all"], estimate()),
    (
        "logrank",
        lambda: survival.logrank([1, 2, 3, 4], [1, 1, 1, 0], list("abab")),
        {"chi_square", "df", "p", "observed", "expected"},
    ),
    ("cox", cox, {"coefficients", "log_likelihood", "proportional_hazards"}),
    (
        "cox coefficients",
        lambda: cox().coefficients,
        {"term", "log_hazard", "se", "hazard_ratio", "lower", "upper", "z", "p"},
    ),
    ("proportional hazards", lambda: cox().proportional_hazards, {"term", "chi_square", "df", "p"}),
    ("restricted mean", lambda: survival.restricted_mean([1, 2, 3], [1, 0, 1], tau=2), estimate()),
    ("ranks", lambda: ranks.mann_whitney([1, 2, 3], [2, 3, 5]), {"u", "p", "probability_superiority"}),
    ("shift", lambda: ranks.hodges_lehmann([1, 2, 3], [2, 3, 5]), {"estimate", "lower", "upper"}),
    ("conditional means", imputed, {"parameter", "visit", "arm", "estimate", "se", "lower", "upper"}),
    ("pooled", lambda: imputation.pool([1.0, 2.0], [1.0, 1.0]), estimate(tested=True)),
    (
        "mediation",
        lambda: mediation.mediate(two_mediators(), **ONE_PATH),
        {"a", "b", "indirect", "direct", "total", "proportion", "sobel_se", "aroian_se", "goodman_se"},
    ),
    (
        "mediation by arm",
        lambda: mediation.mediate(two_mediators(), **ONE_PATH, interaction=True),
        {"indirect_by_arm", "direct_by_arm"},
    ),
    (
        "two paths",
        lambda: mediation.parallel(two_mediators(), treatment="t", mediators=("m1", "m2"), outcome="y"),
        {"indirect", "contrast", "direct", "total"},
    ),
    ("sensitivity", lambda: mediation.sensitivity(two_mediators(), **ONE_PATH), {"table", "rho_at_zero"}),
    (
        "joint model",
        lambda: dissociation.joint_model(made_up(), covariance="un_un"),
        {"curves", "level_contrast", "change_contrast", "covariance_used"},
    ),
    (
        "time in response",
        lambda: dissociation.time_in_response(answers(S=[1, 1, 1, 0])),
        {"subject", "dimension", "days"},
    ),
    ("james", lambda: blinding.james([[9, 4], [3, 8], [5, 6]]), estimate()),
    ("bang", lambda: blinding.bang([[9, 4], [3, 8], [5, 6]]).control, estimate(tested=True) - {"df"}),
    (
        "exposure",
        lambda: pharmacokinetics.noncompartmental([0, 1, 2, 3, 4, 6], [0, 9, 5, 3, 2, 1], lloq=0.1, dose_mg=1),
        {"cmax", "tmax", "auc_last", "auc_inf", "half_life", "clearance", "extrapolated"},
    ),
    ("holm", lambda: multiplicity.holm([0.01, 0.2]), {"rejected"}),
    (
        "sequential graph",
        lambda: multiplicity.group_sequential_graphical(
            [1.0, 0.0], [[0, 1], [0, 0]], [sequential.lan_demets_of()] * 2, [[1.0, 2.0], [2.5, 2.5]]
        ),
        {"rejected", "look"},
    ),
]


@pytest.mark.parametrize(("make", "fields"), [row[1:] for row in RESULTS], ids=[row[0] for row in RESULTS])
def test_a_result_has_the_fields_of_the_contract(make, fields):
    found = make()
    assert all(hasattr(found, name) or name in getattr(found, "columns", ()) for name in fields)
    if isinstance(found, Estimate):
        assert all(getattr(found, name) is not None for name in fields)


def test_results_cannot_be_changed():
    with pytest.raises(AttributeError, match="cannot assign"):
        TWO_LOOKS.drift = 0.0
    with pytest.raises(AttributeError, match="cannot assign"):
        imputation.pool([1.0, 2.0], [1.0, 1.0]).estimate = 0.0


def test_repeated_intervals_come_apart_by_place():
    found = sequential.repeated_intervals([1.0], [0.3], design=TWO_LOOKS)
    lower, upper, p = found
    assert (lower[0], upper[0], p[0]) == (found.lower[0], found.upper[0], found.p[0])


def test_a_graph_without_timing_has_its_looks_at_equal_steps():
    given = ([1.0, 0.0], [[0, 1], [0, 0]], [sequential.lan_demets_of()] * 2, [[1.0, 2.9], [2.5, 2.5]])
    plain = multiplicity.group_sequential_graphical(*given)
    timed = multiplicity.group_sequential_graphical(*given, timing=[0.5, 1.0])
    assert plain.look.tolist() == timed.look.tolist() == [2, 2]
