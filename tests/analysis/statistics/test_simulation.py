"""Oracles: the one-at-a-time functions that a look calls, exact integration, the participant-wise simulation model."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from analysis.interim.models import one_sided
from analysis.simulation.parameters import load_parameters
from analysis.statistics import mmrm, sequential, simulation
from analysis.statistics.planned_design import family_of, planned_design
from analysis.statistics.simulation import looks, models, monitoring
from analysis.statistics.simulation.draws import draw, stratum_shares
from studies.protocol import load
from studies.protocol.further_analyses import SpendingFunction

KALM = "studies/protocols/kalm-1.0.yaml"
NEVER = np.iinfo(np.int64).max // 2
TRIALS = 100


@pytest.fixture(scope="module")
def kalm(request):
    path = request.config.rootpath / KALM
    return load(path.read_text(encoding="utf-8"), source=path.name)


def changed(protocol, **changes):
    """The protocol with parts of its analysis plan replaced, references between sections unchecked."""
    plan = protocol.analysis.model_copy(update=changes)
    return protocol.model_copy(update={"analysis": plan})


def with_model(protocol, **changes):
    """The protocol with another primary model."""
    primary = protocol.analysis.primary_model.model_copy(update=changes)
    return changed(protocol, models=(primary, *protocol.analysis.models[1:]))


def seen(protocol, scenario="default", *, trials=6, seed=1, day=NEVER):
    """What a look on a day would see of some trials, with their model."""
    model = simulation.trial_model(protocol, simulation.scenario(scenario))
    drawn = draw(model, seed=seed, first=0, count=trials)
    return model, looks.seen_until(model, drawn, np.full(trials, day))


# Sharing out --------------------------------------------------------------------------------------------


def test_a_trial_is_the_same_in_whatever_chunk_it_is_simulated(kalm):
    model = simulation.trial_model(kalm, simulation.scenario("default"))
    whole = simulation.simulate(model, seed=7, first=0, count=110)
    parts = [simulation.simulate(model, seed=7, first=first, count=count) for first, count in ((0, 35), (35, 75))]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_another_seed_gives_other_trials(kalm):
    model = simulation.trial_model(kalm, simulation.scenario("small"))
    rows = [simulation.simulate(model, seed=seed, first=0, count=5) for seed in (1, 2)]
    assert not np.array_equal(*rows, equal_nan=True)


# The statistics of a look -------------------------------------------------------------------------------


@pytest.mark.parametrize("df", ["kenward_roger", "satterthwaite", "residual"])
@pytest.mark.parametrize("effect", ["difference", "difference_in_change"])
def test_trials_fitted_together_agree_with_the_fit_of_each(kalm, df, effect):
    protocol = with_model(kalm, df=df, effect=effect)
    model, values = seen(protocol, trials=4, day=170)
    together = models.effects(model, values)
    response = values.values - (values.baseline[..., None] if model.takes_change else 0.0)
    for trial in range(4):
        alone = models._mmrm(model, response[trial], values, trial)
        assert [together.estimate[trial], together.se[trial]] == pytest.approx(alone[:2], abs=1e-9)
        z = models.z_towards_benefit(np.array(alone[0] / alone[1]), np.array(alone[2]), better="lower")
        assert together.z[trial] == pytest.approx(float(z), abs=1e-7)


def test_z_is_that_of_the_interim_analysis(kalm):
    model, values = seen(kalm, trials=2)
    found = models.effects(model, values)
    for trial in range(2):
        fit = fitted_as_a_look_does(model, values, trial)
        row = fit.contrasts().query("visit == 3").iloc[0]
        assert found.z[trial] == pytest.approx(one_sided(row["t"], row["df"], "lower")[1], abs=1e-7)


def fitted_as_a_look_does(model, values, trial):
    """The plan's model by its own names, from long rows."""
    people, visits = values.values[trial].shape
    subject = np.repeat(np.arange(people), visits)
    frame = pd.DataFrame(
        {
            "subject": subject,
            "visit": np.tile(np.arange(visits), people),
            "response": (values.values[trial] - values.baseline[trial][:, None]).ravel(),
            "arm": pd.Categorical.from_codes(values.arm[trial][subject], ["MDZ", "KET"], ordered=True),
            "baseline": values.baseline[trial][subject],
            "site": np.array(list(model.sites))[values.site[trial]][subject],
            "pain_stratum": np.array(["NEURO", "NPL", "NOCI"])[values.stratum[trial]][subject],
        }
    )
    return mmrm.fit_first_converging(
        frame, covariances=("us", "toeph"), response="response", subject="subject", visit="visit", arm="arm",
        reference="MDZ", covariates=("baseline", "site", "pain_stratum"), covariates_by_visit=("baseline",),
        df="kenward_roger",
    )  # fmt: skip


def test_a_site_without_participants_is_left_out_of_the_model_as_a_look_leaves_it_out(kalm):
    model, values = seen(kalm, trials=2)
    values.site[0][values.site[0] == 5] = 0
    found = models.effects(model, values)
    row = fitted_as_a_look_does(model, values, 0).contrasts().query("visit == 3").iloc[0]
    assert found.estimate[0] == pytest.approx(row["estimate"], abs=1e-9)
    assert np.isfinite(found.z).all()


def test_a_look_that_cannot_be_estimated_says_so_and_spends_nothing(kalm):
    model, values = seen(kalm, trials=2, day=30)
    values.values[0] = np.nan
    found = models.effects(model, values)
    assert np.isnan(found.z[0])


def test_ancova_and_a_difference_of_means_are_simulated_too(kalm):
    for changes in ({"method": "ancova"}, {"method": "difference_of_means", "covariates": ()}):
        protocol = with_model(kalm, timepoints=("WK4",), covariates_by_visit=(), df=None, covariance=None, **changes)
        model, values = seen(protocol, trials=1)
        found = models.effects(model, values)
        response = values.values[0, :, 0] - values.baseline[0]
        arms = [response[(values.arm[0] == arm) & np.isfinite(response)] for arm in (0, 1)]
        assert found.estimate[0] == pytest.approx(arms[1].mean() - arms[0].mean(), abs=0.35)
        if changes["method"] == "difference_of_means":
            assert found.estimate[0] == pytest.approx(arms[1].mean() - arms[0].mean(), abs=1e-12)


# Looks --------------------------------------------------------------------------------------------------


def test_a_look_comes_when_its_information_is_reached_and_sees_nothing_later(kalm):
    model = simulation.trial_model(kalm, simulation.scenario("default"))
    drawn = draw(model, seed=3, first=0, count=20)
    course = looks._Course(model, drawn)
    day = course.information.day_of(56)
    values = looks.seen_until(model, drawn, day)
    units = (np.isfinite(values.values[..., 3]) & np.isfinite(values.baseline)).sum(axis=1)
    assert (units == course.information.until(np.arange(20), day)).all()
    assert (units >= 56).all()
    before = looks.seen_until(model, drawn, day - 1)
    assert ((np.isfinite(before.values[..., 3]) & np.isfinite(before.baseline)).sum(axis=1) < 56).all()


def test_bounds_are_those_of_the_design_at_the_information_that_came(kalm):
    plan = kalm.analysis.looks
    design = sequential.design([56 / 143, 112 / 143, 1], beta=0.1)
    assert monitoring.bound(plan, (56,), False) == pytest.approx(design.efficacy_z[0], abs=1e-9)
    updated = design.update([56, 113, 150], 143, ended=True)
    assert monitoring.bound(plan, (56, 113, 150), True) == pytest.approx(updated.efficacy_z[2], abs=1e-9)


def test_every_spending_function_of_a_plan_is_the_interim_analysis_one(kalm):
    parameters = {"hwang_shih_decani": -2.0, "kim_demets": 2.5}
    for name in get_args(SpendingFunction):
        changes = {"spending": name, "spending_parameter": parameters.get(name)}
        plan = kalm.analysis.looks.model_copy(update=changes)
        design = sequential.design(plan.fractions(), beta=0.1, efficacy=family_of(plan))
        assert planned_design(plan).efficacy_z == pytest.approx(design.efficacy_z)


def test_conditional_power_is_at_the_plans_threshold_just_there(kalm):
    plan = kalm.analysis.looks
    z = monitoring.unlikely_below(plan, (56, 112))
    design = planned_design(plan).update([56, 112], 143, ended=False)
    assert sequential.conditional_power(z, 2, design=design, drift="design") == pytest.approx(0.15, abs=1e-6)


def test_a_two_sided_plan_rejects_in_both_directions(kalm):
    looks_of = kalm.analysis.looks
    two_sided = looks_of.model_copy(update={"sides": 2})
    model = simulation.trial_model(changed(kalm, looks=two_sided), simulation.scenario("default"))
    # KET against MDZ with the labels the other way round is worse by as much.
    turned = replace(model, active=(True, False))
    for each, sign in ((model, 1), (turned, -1)):
        rows = simulation.simulate(each, seed=5, first=0, count=20)
        table = pd.DataFrame(rows, columns=simulation.columns(3))
        assert table["rejected"].mean() > 0.8
        assert (np.sign(table.loc[table["rejected"] == 1, "z_2"].dropna()) == sign).all()
        assert set(table["unlikely_1"].dropna()) <= {0, 1}
    for z in (-2.2, 0.0, 2.0):
        design = planned_design(two_sided).update([56, 112], 143, ended=False)
        power = sequential.conditional_power(z, 2, design=design, drift="design")
        assert monitoring.unlikely(two_sided, (56, 112), z) == (power < 0.15)
    assert not monitoring.unlikely(two_sided, (56, 112), -3.0)
    assert monitoring.unlikely(looks_of, (56, 112), -2.2)
    assert not monitoring.unlikely(looks_of.model_copy(update={"futility": None}), (56, 112), -2.2)


def test_rows_say_what_happened_at_each_look(kalm):
    model = simulation.trial_model(kalm, simulation.scenario("default"))
    rows = pd.DataFrame(simulation.simulate(model, seed=5, first=0, count=50), columns=simulation.columns(3))
    for _, row in rows.iterrows():
        last = int(row["ended_at"])
        taken = [number for number in (1, 2, 3) if np.isfinite(row[f"information_at_{number}"])]
        assert max(taken) == last
        crossed = [number for number in taken if row[f"z_{number}"] >= row[f"bound_{number}"]]
        assert crossed == ([last] if row["rejected"] else [])
        assert row["participants"] == row[f"participants_at_{last}"]
    assert set(rows["ended_at"]) == {1, 2, 3}


def test_a_trial_that_never_reaches_its_interim_information_has_its_final_look_only(kalm):
    model = simulation.trial_model(kalm, simulation.scenario("small"))
    rows = pd.DataFrame(simulation.simulate(model, seed=5, first=0, count=20), columns=simulation.columns(3))
    assert (rows["ended_at"] == 3).all()
    assert rows["z_1"].isna().all()
    assert rows["bound_3"].to_numpy() == pytest.approx(1.959964, abs=1e-6)
    assert (rows["participants"] == 48).all()


# What is drawn ------------------------------------------------------------------------------------------


def test_diary_means_have_the_moments_of_the_simulation_model(kalm):
    # Weekly means of .5 + .5 exp(-dt/20) latent correlation, slope 1.6, noise .7, rounding variance 1/12.
    _, values = seen(kalm, "null_global", trials=40)
    baseline = values.baseline[np.isfinite(values.baseline)]
    lags = np.abs(np.subtract.outer(np.arange(7), np.arange(7)))
    latent = 0.5 + 0.5 * np.exp(-lags / 20).mean() + 0.15**2
    expected = 1.6**2 * latent + (0.7**2 + 1 / 12) / 6.3
    # Clipping at 10 takes a little from both.
    assert baseline.mean() == pytest.approx(6.5, abs=0.15)
    assert baseline.var() == pytest.approx(expected, rel=0.12)


def test_the_effect_at_week_4_is_the_models(kalm):
    model, values = seen(kalm, trials=80)
    response = values.values[..., 3]
    means = [np.nanmean(response[values.arm == arm]) for arm in (0, 1)]
    # SD of a trial's difference about .27; rounding to 0-10 costs a little of the latent effect.
    assert means[1] - means[0] == pytest.approx(model.drug_effect, abs=4 * 0.27 / np.sqrt(80) + 0.05)


def test_strata_and_arms_are_shared_out_as_the_protocol_says(kalm):
    _, values = seen(kalm, trials=60)
    shares = [np.mean(values.stratum == place) for place in range(3)]
    assert shares == pytest.approx(stratum_shares(load_parameters()), abs=0.02)
    assert sum(stratum_shares(load_parameters())) == pytest.approx(1)
    assert abs(np.mean(values.arm) - 0.5) < 0.02
    # Blocks of 4 and 6: within a stratum the arms never differ by more than 3.
    for trial in range(60):
        cell = values.site[trial] * 3 + values.stratum[trial]
        difference = np.bincount(cell, weights=2 * values.arm[trial] - 1)
        assert np.abs(difference).max() <= 3


def test_two_to_one_doubles_the_active_arm(kalm):
    _, values = seen(kalm, "two_to_one", trials=20)
    assert np.mean(values.arm) == pytest.approx(2 / 3, abs=0.02)


def test_drop_out_is_as_the_scenario_says_and_nobody_writes_after_leaving(kalm):
    model = simulation.trial_model(kalm, simulation.scenario("default"))
    dropout = model.parameters.dropout.model_copy(update={"mechanism": "MCAR"})
    constant = replace(model, parameters=model.parameters.model_copy(update={"dropout": dropout}))
    shares = {}
    for name, each in {"MAR": model, "MCAR": constant}.items():
        written = np.isfinite(draw(each, seed=2, first=0, count=40).written)
        # Of seven days on which a tenth is missed, all are: that is nobody but those who have left.
        shares[name] = 1 - written[..., model.days >= 22].any(axis=-1).mean()
        # The three who leave by day 28 do so between the days 1 and 28, so some week before it still has entries.
        assert written[..., model.days == -1].mean() == pytest.approx(0.9, abs=0.02)
    # By day 14 two chances of .03 have passed, and a part of the third.
    assert 1 - 0.97**2 - 0.01 < shares["MCAR"] < 1 - 0.97**3 + 0.01
    assert shares["MAR"] != shares["MCAR"]


def test_visits_give_the_values_of_other_endpoints(kalm):
    endpoint = kalm.analysis.endpoint("madrs_week4")
    protocol = with_model(kalm, endpoint="madrs_week4", timepoints=("D1", "W1", "W2", "W4"))
    model, values = seen(protocol, trials=40)
    assert endpoint.at == "W4"
    assert np.nanmean(values.baseline) == pytest.approx(18, abs=0.5)
    means = [np.nanmean(values.values[..., 3][values.arm == arm]) for arm in (0, 1)]
    # 9 x .80 x 2^(-28/21)
    assert model.drug_effect == pytest.approx(-9 * 0.80 * 2 ** (-28 / 21))
    assert means[1] - means[0] == pytest.approx(model.drug_effect, abs=1.0)


def test_belief_moves_pain_where_the_drug_does_nothing(kalm):
    model, values = seen(kalm, "unblinding", trials=60)
    means = [np.nanmean(values.values[..., 3][values.arm == arm]) for arm in (0, 1)]
    assert model.drug_effect == 0
    # More of the active arm believe in it: .5 x 1.6 times the difference of their shares, about .25.
    assert -0.45 < means[1] - means[0] < -0.05


# What is reported ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found(kalm):
    return simulation.operating_characteristics(
        kalm, scenarios=["null_global", "default:0.5", "default"], trials=TRIALS, seed=20261124
    )


def test_under_no_effect_the_error_is_nominal_within_monte_carlo_error(found):
    null = found["null_global"]
    assert null.power is None
    assert abs(null.type_i_error.estimate - 0.025) <= 3 * np.sqrt(0.025 * 0.975 / TRIALS)
    assert null.effect == 0


def test_more_effect_gives_more_power_and_earlier_stops(found):
    half, whole = found["default:0.5"], found["default"]
    assert half.type_i_error is None
    assert found["null_global"].rejected.estimate < half.power.estimate < whole.power.estimate
    assert whole.expected_participants.estimate < half.expected_participants.estimate < 168
    assert half.effect == pytest.approx(whole.effect / 2)


def test_stopping_adds_up(found):
    for each in found.scenarios:
        assert sum(look.ends.estimate for look in each.looks) == pytest.approx(1)
        assert sum(look.stops.estimate for look in each.looks) == pytest.approx(each.rejected.estimate)
        assert each.looks[-1].stopped.estimate == pytest.approx(each.rejected.estimate)
        assert each.looks[-1].unlikely is None
        assert each.rejected.lower <= each.rejected.estimate <= each.rejected.upper
        assert each.rejected.se == pytest.approx(
            np.sqrt(each.rejected.estimate * (1 - each.rejected.estimate) / TRIALS)
        )


def test_tables_have_a_row_for_each_scenario_and_look(found):
    assert list(found.summary["scenario"]) == ["null_global", "default:0.5", "default"]
    assert (
        found.summary.set_index("scenario").loc["null_global", "type_i_error"] == found["null_global"].rejected.estimate
    )
    assert len(found.looks) == 9
    assert {"stops", "stops_se", "information", "bound"} <= set(found.looks.columns)
    with pytest.raises(KeyError):
        found["mnar"]


def test_a_path_is_read_as_the_protocol(kalm, request):
    path = request.config.rootpath / KALM
    by_path = simulation.operating_characteristics(path, scenarios="small", trials=20, seed=1)
    given = simulation.operating_characteristics(kalm, scenarios=[simulation.Scenario("small")], trials=20, seed=1)
    assert by_path == given


def test_a_share_of_none_or_all_has_an_interval_that_ends_there(kalm):
    model = simulation.trial_model(kalm, simulation.scenario("small"))
    rows = simulation.simulate(model, seed=5, first=0, count=20)
    for share in (0.0, 1.0):
        rows[:, looks.ENDED.index("rejected")] = share
        rejected = simulation.characteristics(model, rows).rejected
        assert rejected.estimate == share
        # Wilson's interval of 0 of 20: 0 to .1611.
        assert (rejected.lower, rejected.upper) == pytest.approx((0.8389 * share, 0.1611 + 0.8389 * share), abs=1e-4)
        assert share in (rejected.lower, rejected.upper)


# Refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scenarios": ["nobody"]}, "there is no 'nobody'; allowed are default"),
        ({"scenarios": ["default:-1"]}, "is not a scenario"),
        ({"scenarios": ["default:11"]}, "allowed is 0 to 10"),
        ({"scenarios": []}, "one or more"),
        ({"scenarios": ["default", "default:1"]}, "each once"),
        ({"scenarios": ["mediation"]}, "there is no 'mediation'"),
        ({"trials": 0}, "trials is 0"),
        ({"trials": 1.5}, "trials is 1.5"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_a_wrong_argument_is_named(kalm, arguments, message):
    with pytest.raises(ValueError, match=message):
        simulation.operating_characteristics(kalm, **{"scenarios": ["default"], "trials": 10, "seed": 1, **arguments})


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (lambda kalm: changed(kalm, looks=None), "no looks"),
        (lambda kalm: kalm.model_copy(update={"randomisation": None}), "block sizes"),
        (lambda kalm: with_model(kalm, method="difference_of_proportions"), "difference_of_proportions"),
        (lambda kalm: with_model(kalm, endpoint="interference_week4"), "bpi_sf interference"),
        (lambda kalm: with_model(kalm, covariates=("baseline", "sex")), r"\['sex'\]"),
        (lambda kalm: kalm.model_copy(update={"sites": kalm.sites + kalm.sites[:1]}), "7 sites"),
    ],
)
def test_a_protocol_that_cannot_be_simulated_says_why(kalm, protocol, message):
    with pytest.raises(ValueError, match=message):
        simulation.operating_characteristics(protocol(kalm), scenarios=["default"], trials=1, seed=1)


# Statistics without data --------------------------------------------------------------------------------


@pytest.mark.parametrize("drift", [0.0, 2.0, 3.3])
@pytest.mark.parametrize(
    "options",
    [{}, {"sides": 2}, {"futility": sequential.hwang_shih_decani(-2)}, {"efficacy": sequential.pocock()}],
)
def test_simulated_statistics_agree_with_the_exact_integration(options, drift):
    design = sequential.design([0.3, 0.6, 1.0], **options)
    exact = design.properties(drift)
    simulated = simulation.simulated_properties(design, drift=drift, trials=20_000, seed=11)
    assert abs(simulated.power - exact.power) <= 4 * np.sqrt(exact.power * (1 - exact.power) / 20_000)
    spread = np.sqrt(exact.stop_efficacy * (1 - exact.stop_efficacy) / 20_000)
    assert (np.abs(simulated.stop_efficacy - exact.stop_efficacy) <= 4 * spread + 1e-12).all()
    if options.get("sides") != 2:
        assert (np.abs(simulated.stop_futility[:-1] - exact.stop_futility[:-1]) <= 0.015).all()
    assert abs(simulated.expected_information - exact.expected_information) <= 4 * simulated.expected_information_se
