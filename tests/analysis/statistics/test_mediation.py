"""Mediation against identities, SciPy and simulation; the reference numbers are in tests/validation."""

from math import inf

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.statistics import ancova, mediation
from tests.analysis.statistics.oracle import cases
from tests.validation.oracles.imputed_and_mediated import asked

CASES = cases("mediation.json")
PLAIN = [case for case in CASES if not case["treatment_mediator_interaction"]]
CROSSED = next(case for case in CASES if case["treatment_mediator_interaction"])


def assert_interval(found, interval, share=0.03):
    """Both ends within 3 % of the width, the Monte Carlo error of the reference's few thousand draws."""
    width = (interval[1] - interval[0]) * share
    assert (found.lower, found.upper) == pytest.approx(tuple(interval), abs=width)


def test_direct_effects_with_an_interaction_are_taken_at_the_mediator_of_each_arm():
    # Identity: centring the mediator at its mean in control, covariates at their mean, turns c' into the direct effect.
    frame, columns = asked(CROSSED)
    leg = ancova.fit(
        frame, response=columns["mediator"], arm="arm", reference="placebo", covariates=columns["covariates"]
    )
    found = mediation.mediate(frame, **columns, interaction=True)
    for arm, mean in zip(("control", "treated"), leg.ls_means()["estimate"], strict=True):
        centred = frame.assign(**{columns["mediator"]: frame[columns["mediator"]] - mean})
        product = centred["treat"] * centred[columns["mediator"]]
        expected = ancova.fit(
            centred.assign(product=product), response=columns["outcome"], arm="arm", reference="placebo",
            covariates=[*columns["covariates"], columns["mediator"], "product"],
        )  # fmt: skip
        assert found.direct_by_arm[arm].estimate == pytest.approx(expected.contrasts().loc[0, "estimate"])


def test_without_correlated_errors_sensitivity_is_the_indirect_effect():
    frame, columns = asked(PLAIN[0])
    found = mediation.sensitivity(frame, **columns, rho=0.0)
    assert found.table["indirect"].tolist() == pytest.approx([PLAIN[0]["acme_product"]], rel=1e-8)
    assert mediation.sensitivity(frame, **columns).table["rho"].iloc[[0, 12, 24]].tolist() == [-0.6, 0.0, 0.6]


def two_mediators(seed=1, n=300):
    """Made up: effects 0.5 * 1 through m1, 1 * 0.4 through m2, 0.3 direct; the mediators' errors correlated."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) % 2
    errors = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], n)
    x = rng.normal(size=n)
    m1, m2 = 0.5 * t + x + errors[:, 0], 1.0 * t - x + errors[:, 1]
    y = 0.3 * t + m1 + 0.4 * m2 + 0.5 * x + rng.normal(size=n)
    arm = np.where(t == 1, "KET", "MDZ")
    return pd.DataFrame({"t": t, "arm": arm, "x": x, "m1": m1, "m2": m2, "y": y})


PATHS = {"treatment": "t", "mediators": ("m1", "m2"), "outcome": "y", "covariates": ["x"]}


def test_paths_and_direct_effect_add_up_to_the_total():
    # Identity: least squares of the outcome on treatment is c' + a1 b1 + a2 b2 exactly.
    frame = two_mediators()
    found = mediation.parallel(frame, **PATHS)
    together = sum(path.estimate for path in found.indirect.values()) + found.direct.estimate
    assert found.total.estimate == pytest.approx(together)
    total = ancova.fit(frame, response="y", arm="arm", reference="MDZ", covariates=["x"]).contrasts().iloc[0]
    assert (found.total.estimate, found.total.se) == pytest.approx((total["estimate"], total["se"]))
    assert found.contrast.estimate == pytest.approx(found.indirect["m1"].estimate - found.indirect["m2"].estimate)


def test_standard_errors_of_two_paths_are_their_spread_over_trials():
    # Simulation, 200 trials: an SD from 200 has an error of 5 %, of which two and a half are allowed.
    trials_of = [mediation.parallel(two_mediators(seed), **PATHS) for seed in range(200)]
    for value in (lambda found: found.contrast, lambda found: found.indirect["m1"]):
        spread = np.std([value(found).estimate for found in trials_of], ddof=1)
        assert np.mean([value(found).se for found in trials_of]) == pytest.approx(spread, rel=0.125)
    assert np.mean([found.contrast.estimate for found in trials_of]) == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("interval", ["bca", "percentile"])
def test_the_bootstrap_of_two_paths_agrees_with_the_delta_method(interval):
    # 300 participants are enough for both to agree to a tenth of the width.
    frame = two_mediators(7)
    delta = mediation.parallel(frame, **PATHS)
    drawn = mediation.parallel(
        frame, **PATHS, method="bootstrap", draws=4000, rng=np.random.default_rng(5), interval=interval
    )
    assert drawn.contrast.estimate == delta.contrast.estimate
    for ours, theirs in ((drawn.contrast, delta.contrast), (drawn.indirect["m2"], delta.indirect["m2"])):
        width = theirs.upper - theirs.lower
        assert (ours.lower, ours.upper) == pytest.approx((theirs.lower, theirs.upper), abs=0.1 * width)


def test_the_distribution_of_the_product_agrees_with_the_delta_method_where_both_legs_are_far_from_none():
    frame = two_mediators(7, n=4000)
    delta = mediation.parallel(frame, **PATHS)
    drawn = mediation.parallel(frame, **PATHS, method="quasi_bayes", draws=20_000, rng=np.random.default_rng(5))
    for ours, theirs in ((drawn.contrast, delta.contrast), (drawn.indirect["m1"], delta.indirect["m1"])):
        assert ours.estimate == theirs.estimate
        width = theirs.upper - theirs.lower
        assert (ours.lower, ours.upper) == pytest.approx((theirs.lower, theirs.upper), abs=0.05 * width)


def test_bca_intervals_are_those_of_scipy():
    # Oracle: scipy.stats.bootstrap, method BCa, of the total effect; 20,000 draws each leave 2 % of the width.
    frame = two_mediators(3, n=60)
    found = mediation.mediate(
        frame, treatment="t", mediator="m1", outcome="y", method="bootstrap", interval="bca", draws=20_000,
        rng=np.random.default_rng(8),
    )  # fmt: skip

    def indirect(t, m, y, axis=-1):
        t, m, y = (each - each.mean(axis=axis, keepdims=True) for each in (t, m, y))
        tt, tm, mm = (t * t).sum(axis), (t * m).sum(axis), (m * m).sum(axis)
        ty, my = (t * y).sum(axis), (m * y).sum(axis)
        return tm / tt * (my * tt - tm * ty) / (tt * mm - tm**2)

    arrays = tuple(frame[name].to_numpy(dtype=float) for name in ("t", "m1", "y"))
    expected = stats.bootstrap(
        arrays, indirect, paired=True, n_resamples=20_000, method="BCa", rng=np.random.default_rng(9)
    ).confidence_interval
    assert found.indirect.estimate == pytest.approx(float(indirect(*arrays)))
    assert_interval(found.indirect, (expected.low, expected.high))


def test_delta_method_errors_with_an_interaction_are_the_spread_of_the_draws():
    frame, columns = asked(CROSSED)
    delta = mediation.mediate(frame, **columns, interaction=True)
    drawn = mediation.mediate(
        frame, **columns, interaction=True, method="quasi_bayes", draws=40_000, rng=np.random.default_rng(6)
    )
    for arm in ("control", "treated"):
        assert delta.direct_by_arm[arm].se == pytest.approx(drawn.direct_by_arm[arm].se, rel=0.03)
        # The product of two normal variables has a little more spread than its linear part.
        assert delta.indirect_by_arm[arm].se == pytest.approx(drawn.indirect_by_arm[arm].se, rel=0.05)
    assert delta.total.se == pytest.approx(drawn.total.se, rel=0.05)


def test_a_proportion_of_a_total_that_may_be_nothing_is_not_bounded():
    frame = two_mediators().assign(y=lambda table: table["m1"] - 1.2 * table["t"] + table["x"])
    noise = np.random.default_rng(4).normal(0, 3, len(frame))
    found = mediation.mediate(frame.assign(y=frame["y"] + noise), treatment="t", mediator="m1", outcome="y")
    assert found.total.lower < 0 < found.total.upper
    assert found.proportion.estimate == pytest.approx(found.indirect.estimate / found.total.estimate)
    assert (found.proportion.lower, found.proportion.upper, found.proportion.p) == (-inf, inf, None)


def test_arms_may_be_named():
    frame = two_mediators()
    by_number = mediation.mediate(frame, treatment="t", mediator="m1", outcome="y")
    by_name = mediation.mediate(frame, treatment="arm", mediator="m1", outcome="y", reference="MDZ")
    assert by_number == by_name


@pytest.mark.parametrize("method", ["quasi_bayes", "bootstrap"])
def test_the_same_seed_gives_the_same_interval(method):
    frame, columns = asked(PLAIN[0])
    once, again = (
        mediation.mediate(frame, **columns, method=method, draws=200, rng=np.random.default_rng(1)) for _ in range(2)
    )
    assert once == again


def test_rows_with_a_missing_value_are_left_out_and_counted():
    frame = two_mediators()
    gaps = frame.assign(m1=frame["m1"].where(frame.index % 10 > 0))
    found = mediation.mediate(gaps, treatment="t", mediator="m1", outcome="y")
    assert (found.observations, found.rows_left_out) == (270, 30)


ONE = {"treatment": "t", "mediator": "m1", "outcome": "y"}


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f.assign(t=0), {}, r"treatment holds \[0\]"),
        (lambda f: f.assign(t=f["t"] + 1), {}, r"treatment holds \[1, 2\]"),
        (lambda f: f.drop(columns="m1"), {}, "no column"),
        (lambda f: f.assign(m1=f["t"] * 2.0), {}, "without error"),
        (
            lambda f: f.assign(x=1 - f["t"]),
            {"covariates": ["x"]},
            r"singular: \['x \(in the model of the mediator\)'\]",
        ),
        (lambda f: f.head(3), {}, "more rows are needed"),
        (lambda f: f.assign(m1=np.inf), {}, "infinite"),
        (lambda f: f, {"method": "sobel"}, "product, quasi_bayes, bootstrap"),
        (lambda f: f, {"interval": "basic"}, "percentile, bca"),
        (lambda f: f, {"method": "bootstrap"}, "give rng"),
        (lambda f: f, {"level": 2}, "level is 2"),
    ],
)
def test_what_cannot_be_mediated_is_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        mediation.mediate(change(two_mediators()), **ONE, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mediators": ("m1",)}, "name two columns"),
        ({"method": "sobel"}, "product, quasi_bayes, bootstrap"),
        ({"method": "quasi_bayes"}, "give rng"),
        ({"method": "bootstrap"}, "give rng"),
    ],
)
def test_two_paths_that_are_none_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        mediation.parallel(two_mediators(), **(PATHS | options))


def test_a_correlation_of_one_is_refused():
    with pytest.raises(ValueError, match="between -1 and 1"):
        mediation.sensitivity(two_mediators(), **ONE, rho=[0.5, 1.0])


def test_a_resample_that_loses_an_arm_is_refused():
    frame = two_mediators(n=40).assign(t=lambda table: (table.index == 0).astype(int))
    with pytest.raises(ValueError, match="lost a whole arm"):
        mediation.mediate(frame, **ONE, method="bootstrap", draws=200, rng=np.random.default_rng(1))


@pytest.mark.parametrize("path", ["m1", "m2"])
def test_sensitivity_of_one_of_two_paths_begins_at_its_product_and_ends_at_none(path):
    # Identity: without correlated errors the effect is a_k b_k of the parallel model; at rho_at_zero it is 0.
    frame, other = two_mediators(3), {"m1": "m2", "m2": "m1"}[path]
    asked_for = {"treatment": "t", "mediator": path, "outcome": "y", "covariates": ["x"], "others": [other]}
    at_zero = mediation.sensitivity(frame, **asked_for).rho_at_zero
    found = mediation.sensitivity(frame, **asked_for, rho=[0.0, at_zero]).table["indirect"].tolist()
    assert found == pytest.approx([mediation.parallel(frame, **PATHS).indirect[path].estimate, 0.0], abs=1e-12)


def interacting(seed=1, n=400):
    """Made up: the second mediator follows the first in the treated; the outcome holds their product."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) % 2
    x = rng.normal(size=n)
    m1 = 1 + 0.8 * t + 0.5 * x + rng.normal(size=n)
    m2 = 0.5 * t - x + 0.6 * t * (m1 - 1 - 0.8 * t - 0.5 * x) + rng.normal(size=n)
    y = 0.2 * t + 0.4 * m1 + 0.3 * m2 + 0.2 * t * m1 + 0.3 * m1 * m2 + x + rng.normal(size=n)
    return pd.DataFrame({"t": t, "x": x, "m1": m1, "m2": m2, "y": y})


def test_interventional_effects_are_those_of_simulated_interventions():
    # Oracle: the definitions of Vansteelandt & Daniel (2017) by drawing mediators from the fitted models, 400,000 times
    # per arm; Monte Carlo errors of about 0.005.
    frame = interacting()
    found = mediation.interventional(frame, **PATHS, rng=np.random.default_rng(1), draws=100, interval="percentile")
    ones, arm = np.ones(len(frame)), frame["t"].to_numpy(float)
    before = np.column_stack([ones, arm, frame["x"]])
    m = frame[["m1", "m2"]].to_numpy()
    legs = np.linalg.lstsq(before, m, rcond=None)[0]
    errors = m - before @ legs
    design = np.column_stack([before, m, arm[:, None] * m, m.prod(axis=1)])
    beta = np.linalg.lstsq(design, frame["y"].to_numpy(), rcond=None)[0]
    rng = np.random.default_rng(2)
    rows = rng.integers(0, len(frame), 400_000)

    def mean(at, source):
        point = before[rows].copy()
        point[:, 1] = at
        return point @ legs[:, source]

    def outcome(at, first, second):
        fixed = np.column_stack([np.ones(len(rows)), np.full(len(rows), at), frame["x"].to_numpy()[rows]])
        both = np.column_stack([first, second])
        return (np.column_stack([fixed, both, at * both, both.prod(axis=1)]) @ beta).mean()

    def drawn(at, together):
        own = errors[arm == at]
        pick = rng.integers(0, len(own), len(rows))
        other = pick if together else rng.integers(0, len(own), len(rows))
        return mean(at, 0) + own[pick, 0], mean(at, 1) + own[other, 1]

    apart = {at: drawn(at, together=False) for at in (0, 1)}
    joint = {at: drawn(at, together=True) for at in (0, 1)}
    direct = outcome(1, *joint[0]) - outcome(0, *joint[0])
    first = outcome(1, apart[1][0], apart[0][1]) - outcome(1, *apart[0])
    second = outcome(1, *apart[1]) - outcome(1, apart[1][0], apart[0][1])
    total = outcome(1, *joint[1]) - outcome(0, *joint[0])
    assert found.direct.estimate == pytest.approx(direct, abs=0.03)
    assert found.indirect["m1"].estimate == pytest.approx(first, abs=0.03)
    assert found.indirect["m2"].estimate == pytest.approx(second, abs=0.03)
    assert found.total.estimate == pytest.approx(total, abs=0.03)
    assert found.dependence.estimate == pytest.approx(total - direct - first - second, abs=0.05)
    assert found.dependence.lower > 0


def test_without_interactions_interventional_effects_are_the_products():
    frame = two_mediators(2)
    options = {"rng": np.random.default_rng(1), "draws": 200, "interactions": False}
    found, plain = mediation.interventional(frame, **PATHS, **options), mediation.parallel(frame, **PATHS)
    for name in ("m1", "m2"):
        assert found.indirect[name].estimate == pytest.approx(plain.indirect[name].estimate)
        # An SE from 200 draws has an error of 5 %.
        assert found.indirect[name].se == pytest.approx(plain.indirect[name].se, rel=0.25)
    for name in ("direct", "total", "contrast"):
        assert getattr(found, name).estimate == pytest.approx(getattr(plain, name).estimate)
    assert found.dependence.estimate == 0
    again = mediation.interventional(frame, **PATHS, **(options | {"rng": np.random.default_rng(1)}))
    assert again == found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mediators": ("m1",)}, "name two columns"),
        ({"draws": 10}, "draws is 10; allowed is a whole number, 100 or more"),
        ({"interval": "basic"}, "percentile, bca"),
        ({"covariates": ["x", "twice"]}, "singular"),
    ],
)
def test_interventional_effects_that_are_none_are_refused(options, message):
    frame = two_mediators().assign(twice=lambda table: 2 * table["x"])
    with pytest.raises(ValueError, match=message):
        mediation.interventional(frame, **(PATHS | {"rng": np.random.default_rng(1)} | options))
