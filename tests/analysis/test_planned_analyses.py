"""Every analysis that a plan states beside its models, on one small trial: against its own definition by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.datasets import Trial, load_trial
from analysis.interim import closed_result
from analysis.interim.groups import by_arm
from analysis.interim.order_of_testing import order_of_testing
from analysis.reports import render
from analysis.reports.wording import number
from analysis.statistics import ancova, blinding, imputation, proportions, sequential
from analysis.statistics import stopping_rules as rules
from studies.protocol.analysis_plan import AnalysisPlan
from tests.analysis.kalm_cut import KalmTrial, kalm_trial, quick_plan

PLAN = quick_plan()


@pytest.fixture(scope="module")
def rows() -> KalmTrial:
    """Rescue above the allowance by three participants, an infusion stopped by its rule, a serious event each."""
    trial = kalm_trial(70, seed=5, effect=1.0)
    day0 = {row["participant_id"]: row["started_at"].date() for row in trial.rows["infusion"]}
    for key in trial.arms.index[:3]:
        diary = [row for row in trial.rows["response"] if row["participant_id"] == key and row.get("day")]
        answer = next(row for row in diary if 22 <= (row["day"] - day0[key]).days <= 24)
        trial.rows["responseitem"].append(
            {"id": 9_000_000 + int(key), "response_id": answer["id"], "item": "rescue_doses", "value": 9}
        )
    ket = trial.arms.index[trial.arms == "KET"]
    trial.restricted["safetyevent"].append(
        {"id": 9_100_000, "participant_id": int(ket[0]), "rule": "S02", "action": "STOP", "minute": 20}
    )
    for key in ket[:6]:
        event = next(row for row in trial.rows["adverseevent"])
        trial.rows["adverseevent"].append(
            {**event, "id": 9_200_000 + int(key), "participant_id": int(key), "number": 90, "grade": 3, "serious": True}
        )
    return trial


@pytest.fixture(scope="module")
def cut(rows: KalmTrial, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return rows.write(tmp_path_factory.mktemp("planned"))


@pytest.fixture(scope="module")
def trial(cut: tuple[Path, Path]) -> Trial:
    return load_trial(cut[0], PLAN, look=1)


@pytest.fixture(scope="module")
def look(rows: KalmTrial, cut: tuple[Path, Path]) -> dict[str, Any]:
    return closed_result(*cut, rows.arms, PLAN, [])


def cell(rule: dict[str, Any], arm: str) -> dict[str, Any]:
    return next(each for each in rule["cells"] if each["arm"] == arm)


def test_stopping_rules_count_participants_and_say_what_the_rule_says(look, rows):
    found = {rule["id"]: rule for rule in look["stopping_rules"]}
    ket = cell(found["serious_events"], "KET")
    serious = pd.DataFrame(rows.rows["adverseevent"]).query("serious")
    serious = serious[serious["started_on"].str[:7] <= "2026-05"]
    had = serious["participant_id"].map(rows.arms).eq("KET")
    assert ket["events"] == serious.loc[had, "participant_id"].nunique() >= 6
    expected = rules.beta_binomial(ket["events"], ket["n"], limit=0.05, threshold=0.95, prior=(0.5, 9.5))
    assert ket["probability"] == pytest.approx(expected.probability)
    assert (ket["stops"], ket["boundary"]) == (expected.stops, expected.boundary) == (True, expected.boundary)
    assert found["serious_events"]["stops"]
    exact = cell(found["severe_related_events"], "KET")
    assert exact["p"] == pytest.approx(stats.binom.sf(exact["events"] - 1, exact["n"], 0.15))
    assert cell(found["infusions_stopped"], "KET")["events"] == 1


def test_a_rule_that_names_an_arm_is_not_judged_in_the_others_and_waits_for_its_number(look, rows, cut):
    for rule in look["stopping_rules"]:
        assert not cell(rule, "MDZ")["judged"]
        assert not cell(rule, "MDZ")["stops"]
    later = json.loads(json.dumps(PLAN))
    for rule in later["stopping_rules"]:
        rule["not_before"] = 500
    waiting = closed_result(*cut, rows.arms, {**later, "sensitivity": []}, [])
    assert not any(rule["stops"] for rule in waiting["stopping_rules"])


def test_intercurrent_events_are_read_from_the_cut_and_make_non_responders(look, rows):
    events = {event["id"]: event for event in look["intercurrent_events"]}
    assert sum(each["count"] for each in events["ICE-2"]["cells"]) == 3
    incomplete = sum(row["delivered_percent"] < 95 for row in rows.rows["infusion"])
    assert sum(each["count"] for each in events["ICE-1"]["cells"]) == incomplete
    assert sum(each["count"] for each in look["responders"]["after_event"]) == 3


def test_values_after_rescue_are_imputed_as_the_reference_arm(look, rows, cut):
    """The hypothetical estimand: three participants more are imputed than under the treatment policy."""
    plan = quick_plan()
    jump = plan["sensitivity"][0]
    plan["sensitivity"] = [jump, {**jump, "id": "rescue", "events": ["ICE-2"]}]
    policy, hypothetical = closed_result(*cut, rows.arms, plan, [])["sensitivity"]
    assert sum(hypothetical["imputed"].values()) == sum(policy["imputed"].values()) + 3


def test_reference_based_imputation_is_that_of_the_statistics_with_the_plans_seed(look, trial, rows):
    from analysis.interim.model_data import model_data

    data = model_data(trial, by_arm(trial, rows.arms), trial.plan.primary_model)
    frame = data.with_first("MDZ").dropna(subset=list(data.covariates))
    rule = trial.plan.sensitivity[0]
    table = imputation.multiple(
        frame, response="response", subject="subject", visit="visit", arm="arm", reference="MDZ", imputations=2,
        rng=np.random.default_rng(rule.seed), strategy="JR", covariates=data.covariates,
        covariates_by_visit=data.covariates_by_visit,
    )  # fmt: skip
    expected = table[(table["parameter"] == "trt") & (table["visit"] == "WK4")].iloc[0]
    assert look["sensitivity"][0]["estimate"] == pytest.approx(expected["estimate"], rel=1e-9)
    assert look["sensitivity"][0]["se"] == pytest.approx(expected["se"], rel=1e-9)


def test_the_tipping_point_is_the_first_delta_whose_interval_reaches_no_effect(look):
    found = look["sensitivity"][1]
    assert [step["delta"] for step in found["steps"]] == [0, 3]
    estimates = [step["estimate"] for step in found["steps"]]
    # Worse imputed values under ketamine can only make the effect smaller.
    assert estimates == sorted(estimates)
    tipped = [step["delta"] for step in found["steps"] if step["upper"] >= 0]
    assert found["tipping_delta"] == (tipped[0] if tipped else None)


def test_every_estimand_stands_beside_the_estimate_of_its_analysis(look):
    primary, hypothetical, composite = look["estimands"]
    effect = next(model for model in look["models"] if model["primary"])["effects"][0]
    assert (primary["id"], primary["estimate"], primary["lower"]) == ("primary", effect["estimate"], effect["lower"])
    assert (hypothetical["analysis"], hypothetical["estimable"]) == ("rescue_as_reference", False)
    difference = look["responders"]["rows"][0]["contrasts"][0]["risk_difference"]
    assert (composite["analysis"], composite["estimate"]) == ("responders", difference["estimate"])


def test_the_responder_test_is_cochran_mantel_haenszel_over_pain_strata(look, trial, rows):
    [found] = look["proportions"]
    endpoint = trial.plan.endpoint("responder30_week4")
    values = trial.values(endpoint)
    better = (values["BASE"] - values["WK4"]) / values["BASE"] >= 0.3 - 1e-9
    better[rows.arms.index[:3]] = False
    chosen = trial.people["FAS"]
    arm = rows.arms.reindex(trial.people.index)
    tables = []
    for level in sorted(trial.strata.loc[chosen, "pain_stratum"].unique()):
        here = chosen & trial.strata["pain_stratum"].eq(level)
        tables.append([[int(better[here & arm.eq(code)].sum()), int((~better)[here & arm.eq(code)].sum())]
                       for code in ("KET", "MDZ")])  # fmt: skip
    expected = proportions.stratified(tables)
    contrast = found["contrasts"][0]
    assert contrast["estimate"] == pytest.approx(expected.risk_difference.estimate)
    assert contrast["z"] == pytest.approx(np.sqrt(expected.chi_square) * np.sign(expected.risk_difference.estimate))


def test_subgroups_are_an_ancova_in_each_level_and_q_of_cochran_between_them(look, trial, rows):
    [factor] = [each for each in look["subgroups"]["factors"] if each["factor"] == "pain_stratum"]
    level = next(each for each in factor["levels"] if each["level"] == "NPL")
    values = trial.values(trial.plan.primary_endpoint)
    frame = values.assign(arm=rows.arms.reindex(values.index), change=values["WK4"] - values["BASE"])
    frame = frame[trial.people["FAS"] & trial.strata["pain_stratum"].eq("NPL")].dropna(subset=["change"])
    expected = ancova.fit(frame, response="change", arm="arm", reference="MDZ", covariates=["BASE"]).contrasts().iloc[0]
    assert level["estimate"] == pytest.approx(expected["estimate"], rel=1e-9)
    assert level["n"] == frame["arm"].value_counts().to_dict()
    known = [each for each in factor["levels"] if each["estimable"]]
    weight = np.array([1 / each["se"] ** 2 for each in known])
    effects = np.array([each["estimate"] for each in known])
    q = float(weight @ (effects - weight @ effects / weight.sum()) ** 2)
    assert factor["interaction"]["chi_square"] == pytest.approx(q)
    assert factor["interaction"]["p"] == pytest.approx(stats.chi2.sf(q, len(known) - 1))
    for each in known:
        low, high = sorted((each["estimate"], float(weight @ effects / weight.sum())))
        assert low - 0.15 <= each["shrunken"]["estimate"] <= high + 0.15


def test_improvement_is_in_standard_deviations_of_the_first_look(look, rows, tmp_path, trial):
    scale = look["mechanism"]["scale"]
    baseline = trial.values(trial.plan.endpoint("qst_week4"))["BL"][trial.people["RAND"]]
    assert scale["qst_week4"] == pytest.approx(baseline.std())
    later = kalm_trial(100, seed=5, effect=1.0)
    cut, restricted = later.write(tmp_path)
    second = closed_result(cut, restricted, later.arms, {**PLAN, "sensitivity": []}, [look])
    assert second["mechanism"]["scale"] == scale


def test_relief_that_outlasts_sensory_testing_shows_as_a_contrast(look):
    """The simulated QST effect halves every two days, pain's stays: at week 4 only pain's is left."""
    found = look["dissociation"]
    assert found["days"] == [1, 7, 28]
    curves = {(row["dimension"], row["day"]): row["estimate"] for row in found["curves"]}
    assert found["level_contrast"]["estimate"] == pytest.approx(curves["S", 28] - curves["Q", 28])
    assert found["level_contrast"]["z"] == pytest.approx(stats.norm.isf(found["level_contrast"]["one_sided_p"]))
    assert curves["S", 28] > 0.3
    assert abs(curves["Q", 28]) < 0.45


def test_the_paths_add_up_to_the_total_effect(look):
    found = look["mediation"]
    through = sum(found["indirect"][code]["estimate"] for code in ("A", "Q"))
    assert found["total"]["estimate"] == pytest.approx(through + found["direct"]["estimate"])
    assert found["contrast"]["estimate"] == pytest.approx(
        found["indirect"]["A"]["estimate"] - found["indirect"]["Q"]["estimate"]
    )
    curve = found["unmeasured"]["A"]["curve"]
    zero = found["unmeasured"]["A"]["rho_at_zero"]
    assert all((row["indirect"] > 0) == (row["rho"] < zero) for row in curve if abs(row["rho"] - zero) > 0.01)


def test_the_blind_is_judged_from_the_guesses_of_each_who_was_asked(look, rows):
    found = {(row["visit"], row["respondent"]): row for row in look["blinding"]["rows"]}
    assert set(found) == {("D0", "participant"), ("D0", "infusion_nurse")}
    responses = {r["id"]: r for r in rows.rows["response"] if r.get("respondent") == "participant"}
    guesses = [(int(i["value"]), rows.arms[responses[i["response_id"]]["participant_id"]])
               for i in rows.rows["responseitem"] if i["response_id"] in responses]  # fmt: skip
    counts = [[guesses.count((guess, arm)) for arm in ("KET", "MDZ")] for guess in (1, 2, 3)]
    row = found["D0", "participant"]
    assert row["counts"] == counts
    assert row["james"]["estimate"] == pytest.approx(blinding.james(counts).estimate)
    assert row["bang"]["KET"]["estimate"] == pytest.approx(blinding.bang(counts).treatment.estimate)


def test_a_sensory_profile_has_the_mean_z_of_every_cell(look, rows):
    sessions = {row["id"]: row for row in rows.rows["qstsession"]}
    visits = {row["id"]: row["code"] for row in rows.rows["visit"]}
    cold = [row for row in rows.rows["qstvalue"] if row["parameter"] == "CDT"]
    before = [row for row in cold if visits[sessions[row["session_id"]]["visit_id"]] == "BL"]
    z = [row["z"] for row in before if rows.arms[row["participant_id"]] == "KET"]
    found = next(each for each in look["sensory_profile"]["cells"]
                 if (each["visit"], each["parameter"], each["arm"]) == ("BL", "CDT", "KET"))  # fmt: skip
    assert (found["n"], found["mean"]) == (len(z), pytest.approx(np.mean(z)))
    low, high = stats.t.interval(0.95, len(z) - 1, np.mean(z), stats.sem(z))
    assert [found["lower"], found["upper"]] == pytest.approx([low, high])


def test_consort_puts_everybody_into_one_box_of_each_row(look):
    found = look["consort"]
    assert found["screened"] == found["excluded"]["n"] + found["in_screening"] + found["randomised"]
    assert found["randomised"] == sum(arm["allocated"] for arm in found["arms"])
    for arm in found["arms"]:
        assert arm["allocated"] == arm["treated"] + arm["not_treated"]
        assert arm["allocated"] == arm["completed"] + arm["ongoing"] + arm["withdrawn"]
        assert arm["allocated"] == arm["analysed"] + arm["not_analysed"]
        assert sum(each["count"] for each in arm["withdrawal_reasons"]) == arm["withdrawn"]


def test_the_missing_patterns_of_the_arms_add_up_to_those_whose_weeks_are_due(look, trial):
    for group in look["missing_patterns"]["groups"]:
        assert sum(row["count"] for row in group["rows"]) == group["n"]
        assert all(row["monotone"] == (row["there"] == sorted(row["there"], reverse=True)) for row in group["rows"])


# ── The order of testing ──


def a_look(*z: float | None, primary: float = 5.0, looks: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A look's result with these z of the first secondary endpoints, the rest not estimable."""
    missing = {"estimable": False, "why": "no data"}

    def effect(value: float | None) -> dict[str, Any]:
        found = {"estimate": 1.0, "lower": 0.0, "upper": 2.0, "one_sided_p": 0.01, "z": value}
        return missing if value is None else {"estimable": True, "effects": [found]}

    plan = AnalysisPlan.model_validate(PLAN)
    assert plan.multiplicity is not None
    models = []
    for key, value in zip(plan.multiplicity.endpoints, [primary, *z, *[None] * 6], strict=False):
        model = plan.model_of(key)
        if model is not None and model.method != "difference_of_proportions":
            models.append({"id": model.id, **effect(value)})
    path = looks or [{"look": 1, "fraction": 56 / 143}]
    ahead = [{"fraction": 112 / 143}, {"fraction": 1.0}][len(path) - 1 :]
    return {
        "decision": {"estimable": True, "look": path[-1]["look"], "path": path, "bounds_to_come": ahead},
        "models": models,
        "proportions": [{"id": "responder30_test", "contrasts": [missing]}],
        "dissociation": missing,
    }


def order(result: dict[str, Any], earlier: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return order_of_testing(AnalysisPlan.model_validate(PLAN), result, earlier or [])


def test_a_secondary_is_tested_at_what_its_own_function_has_spent_not_at_full_alpha():
    """Glimm 2010: after an early stop the Pocock-type bound counts, which lies above 1.96."""
    design = sequential.design([56 / 143, 112 / 143, 1], efficacy=sequential.lan_demets_pocock())
    bound = float(design.efficacy_z[0])
    assert bound > 2.1
    assert [test["rejected"] for test in order(a_look(bound + 0.01))["tests"][:2]] == [True, True]
    assert [test["rejected"] for test in order(a_look(bound - 0.01))["tests"][:2]] == [True, False]


def test_the_sequence_ends_at_the_first_endpoint_that_is_not_rejected():
    found = order(a_look(None, 9.0))["tests"]
    assert [test["rejected"] for test in found[:3]] == [True, False, False]
    assert found[1]["why"] == "no data"
    assert not any(test["rejected"] for test in order(a_look(9.0, 9.0, primary=0.0))["tests"])


def test_a_secondary_of_an_earlier_look_counts_once_the_primary_is_rejected():
    first = a_look(4.0, primary=1.0)
    first["multiplicity"] = order(first)
    assert not any(test["rejected"] for test in first["multiplicity"]["tests"])
    path = [{"look": 1, "fraction": 56 / 143}, {"look": 2, "fraction": 112 / 143}]
    second = order(a_look(0.0, primary=5.0, looks=path), [first])["tests"]
    assert [(test["rejected"], test["rejected_at"]) for test in second[:2]] == [(True, 2), (True, 2)]


def test_the_closed_report_shows_every_one_of_them_in_its_own_numbers(look):
    about = {"look": 1, "plan_sha256": "0" * 64, "code_version": "0.1.0+test"}
    page, _ = render({**look, "about": about})
    ket = cell(look["stopping_rules"][0], "KET")
    expected = [
        "Safety stopping rules",
        f"{ket['events']} of {ket['n']}",
        "Endpoints in the order of testing",
        "Estimands",
        "Had nobody used rescue analgesics above the allowance",
        "Missing values jump to the reference arm",
        "Missing values worse by delta under ketamine",
        "Rescue analgesic above the allowance",
        "Does relief outlast the effect on sensory testing?",
        number(look["dissociation"]["level_contrast"]["estimate"]),
        "What carries the effect on pain?",
        number(look["mediation"]["total"]["estimate"]),
        "What was guessed",
        number(look["blinding"]["rows"][0]["james"]["estimate"]),
    ]
    for words in expected:
        assert words in page, words
