"""Proportions, ranks and blinding indices against R's stats, ratesci, exactRankTests and BI."""

from math import inf, nan
from typing import get_args

from analysis.statistics import blinding, proportions, ranks
from analysis.statistics.proportions.counts import DifferenceMethod, OneSampleMethod
from tests.validation.reference import Book, Entry, Measure

_R = "R 4.2.2 stats"
DIFFERENCE = Measure("proportions.risk_difference", "score intervals (Miettinen-Nurminen, Mee)", "ratesci 1.1.0")
CLOSED_DIFFERENCE = Measure("proportions.risk_difference", "estimate, Newcombe and Wald intervals", _R)
TEST = Measure("proportions.test", "Pearson's chi-square and p, Fisher's p", _R)
ODDS = Measure("proportions.odds_ratio", "Woolf", _R)
ODDS_SCORE = Measure("proportions.odds_ratio", "score interval", "ratesci 1.1.0")
ODDS_EXACT = Measure("proportions.odds_ratio", "conditional MLE, Fisher's interval (1 / ratio where above 1)", _R)
RISK = Measure("proportions.risk_ratio", "log-Wald", _R)
RISK_SCORE = Measure("proportions.risk_ratio", "score interval", "ratesci 1.1.0")
NNT = Measure("proportions.number_needed_to_treat", "estimate, and whether its interval is disjoint", _R)
NNT_INTERVAL = Measure("proportions.number_needed_to_treat", "interval, as limits of the difference", "ratesci 1.1.0")
ONE = Measure("proportions.interval", "five methods", _R)
STRATIFIED = Measure("proportions.stratified", "Mantel-Haenszel: odds ratio, test, difference", _R)
RANKS = Measure("ranks.mann_whitney", "U, p (asymptotic and exact), superiority", "R 4.2.2, exactRankTests")
SHIFT = Measure("ranks.hodges_lehmann", "median of differences, order-statistic intervals", _R)
JAMES = Measure("blinding.james", "index, SE, interval", "BI 1.2.0")
BANG = Measure("blinding.bang", "index, SE, interval by arm", "BI 1.2.0")

_DIFFERENCES: list[tuple[DifferenceMethod, str, Measure, float]] = [
    ("miettinen_nurminen", "miettinen_nurminen", DIFFERENCE, 1e-7),
    ("mee", "mee_no_bias_correction", DIFFERENCE, 1e-7),
    ("newcombe", "newcombe_wilson", CLOSED_DIFFERENCE, 1e-9),
    ("wald", "wald", CLOSED_DIFFERENCE, 1e-9),
]


def two_proportions() -> Book:
    """two_proportions.json. Null is infinite in a limit, and undefined elsewhere."""
    book = Book(
        "two_proportions.json",
        inputs=("cases/*/[xn][12]",),
        left_out={
            "cases/8/odds_ratio_conditional_mle": "nobody responded: R names 0, ours says that every ratio fits (nan)"
        },
    )
    for case in book.entries():
        arms = tuple(case.value[name] for name in ("x1", "n1", "x2", "n2"))
        _differences(case, arms)
        _ratios(case, arms)
        _number_needed(case, arms)
    return book


def _differences(case: Entry, arms: tuple[int, ...]) -> None:
    for method, name, measure, tolerance in _DIFFERENCES:
        found = proportions.risk_difference(*arms, method=method)
        case["risk_difference"].check(CLOSED_DIFFERENCE, found.estimate, abs=1e-9)
        case[name].check(measure, (found.lower, found.upper), abs=tolerance)
    test = proportions.test(*arms)
    # R gives none when nobody responded; there is nothing to tell apart, so ours are 0 and 1.
    case["pearson_chisq_no_continuity"].check(TEST, test.chi_square, rel=1e-9, absent=0.0)
    case["pearson_p"].check(TEST, test.pearson_p, rel=1e-9, absent=1.0)
    case["fisher_exact_p"].check(TEST, test.fisher_p, rel=1e-9)


def _ratios(case: Entry, arms: tuple[int, ...]) -> None:
    for ratio, name, closed, score in (
        (proportions.odds_ratio, "odds_ratio", ODDS, ODDS_SCORE),
        (proportions.risk_ratio, "risk_ratio", RISK, RISK_SCORE),
    ):
        plain = ratio(*arms)
        wald = case[f"{name}_woolf_ci" if name == "odds_ratio" else f"{name}_log_wald_ci"]
        if wald.value is None:
            wald.check(closed, plain.lower, rel=1e-9, absent=nan)
        else:
            case[name].check(closed, plain.estimate, rel=1e-9)
            wald.check(closed, (plain.lower, plain.upper), rel=1e-9)
        if case[name].value is not None and wald.value is None:
            case[name].check(closed, plain.estimate, rel=1e-9)
        found = ratio(*arms, method="score")
        case[f"{name}_mn_ci"].check(score, (found.lower, found.upper), rel=1e-7, absent=inf)
    exact = proportions.odds_ratio(*arms, method="conditional_mle")
    for entry, value in zip(case["odds_ratio_fisher_ci"], (exact.lower, exact.upper), strict=True):
        _searched(entry, value)
    if sum(arms[::2]) > 0:
        _searched(case["odds_ratio_conditional_mle"], exact.estimate)


def _searched(entry: Entry, value: float) -> None:
    """R searches ratios above 1 as 1 / ratio, to 1e-4: the tolerance is that of the scale it searched on."""
    reference = entry.value
    magnified = max(1.0, reference**2 if reference is not None else 1.0)
    entry.check(ODDS_EXACT, value, abs=1e-4 * magnified, absent=inf)


def _number_needed(case: Entry, arms: tuple[int, ...]) -> None:
    found = proportions.number_needed_to_treat(*arms)
    case["nnt_ci_disjoint"].check(NNT, found.disjoint, abs=0)
    case["nnt"].check(NNT, found.estimate, rel=1e-9, absent=inf)
    if not found.disjoint:
        # 1 / limit magnifies the tolerance of a limit near 0.
        limits = zip(case["nnt_ci_from_mn"], (found.lower, found.upper), strict=True)
        for entry, value in limits:
            entry.check(NNT_INTERVAL, value, abs=1e-7 * max(1.0, entry.value**2))


def one_proportion() -> Book:
    """one_proportion.json."""
    book = Book("one_proportion.json", inputs=("cases/*/x", "cases/*/n"))
    for case in book.entries():
        x, n = case.value["x"], case.value["n"]
        for method in get_args(OneSampleMethod):
            case[method].check(ONE, proportions.interval(x, n, method=method), abs=1e-9)
        case["clopper_pearson_90"].check(ONE, proportions.interval(x, n, level=0.9), abs=1e-9)
    return book


def stratified() -> Book:
    """stratified_proportions.json."""
    book = Book("stratified_proportions.json", inputs=("cases/*/strata/*",))
    for case in book.entries():
        names = (("active_yes", "active_no"), ("placebo_yes", "placebo_no"))
        found = proportions.stratified([[[row[a] for a in pair] for pair in names] for row in case.value["strata"]])
        for name, value in (
            ("mh_common_odds_ratio", found.odds_ratio.estimate),
            ("mh_or_ci_rbg", (found.odds_ratio.lower, found.odds_ratio.upper)),
            ("cmh_chisq", found.chi_square),
            ("cmh_chisq_continuity", found.chi_square_continuity),
            ("cmh_p", found.p),
            ("mh_risk_difference", found.risk_difference.estimate),
            ("mh_rd_sato_se", found.risk_difference.se),
        ):
            case[name].check(STRATIFIED, value, abs=1e-9)
    return book


def rank_tests() -> Book:
    """rank_tests.json."""
    book = Book(
        "rank_tests.json",
        inputs=("cases/*/x/*", "cases/*/y/*", "cases/*/has_ties"),
        left_out={"cases/*/hl_ci_large_sample_rank_C": "which difference is the limit; the limit itself is compared"},
    )
    for case in book.entries():
        x, y = case.value["x"], case.value["y"]
        plain = ranks.mann_whitney(x, y)
        case["W_first_sample"].check(RANKS, plain.u, abs=0)
        case["probability_superiority"].check(RANKS, plain.probability_superiority, abs=1e-6)
        case["p_asymptotic_continuity"].check(RANKS, plain.p, abs=1e-6)
        case["p_asymptotic_no_continuity"].check(RANKS, ranks.mann_whitney(x, y, continuity=False).p, abs=1e-6)
        if case.value["p_exact_with_ties"] is not None:
            case["p_exact_with_ties"].check(RANKS, ranks.mann_whitney(x, y, method="exact").p, abs=1e-6)
        shift = ranks.hodges_lehmann(x, y)
        # The files print ten digits; the limits are differences of the values given.
        case["hodges_lehmann_median_of_differences"].check(SHIFT, shift.estimate, abs=1e-9)
        case["hl_ci_large_sample"].check(SHIFT, (shift.lower, shift.upper), abs=1e-9)
        if case.value["hl_ci_exact_no_ties"]:
            exact, expected = ranks.hodges_lehmann(x, y, method="exact"), case["hl_ci_exact_no_ties"]
            expected["estimate"].check(SHIFT, exact.estimate, abs=1e-9)
            expected["ci"].check(SHIFT, (exact.lower, exact.upper), abs=1e-9)
            expected["p"].check(RANKS, ranks.mann_whitney(x, y, method="exact").p, abs=1e-6)
    return book


def blinding_indices() -> Book:
    """blinding.json."""
    book = Book("blinding.json", inputs=("cases/*/counts/*",))
    for case in book.entries():
        arms = [case.value["counts"][arm] for arm in ("treatment_arm", "placebo_arm")]
        counts = [[arm[guess] for arm in arms] for guess in ("guess_treatment", "guess_placebo", "dont_know")]
        bang = blinding.bang(counts)
        for name, measure, found in (
            ("james", JAMES, blinding.james(counts)),
            ("bang_treatment", BANG, bang.treatment),
            ("bang_placebo", BANG, bang.control),
        ):
            for part in ("estimate", "se", "lower", "upper"):
                case[name][part].check(measure, getattr(found, part), abs=1e-8)
    return book
