"""Open and closed results of a look: right numbers, the same for the same cut, and words where there are none."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.canonical import canonical_json
from analysis.datasets import load_trial
from analysis.interim import closed_result, open_result
from analysis.statistics import ancova, sequential
from tests.analysis.kalm_cut import KalmTrial, kalm_trial, quick_plan

PLAN = quick_plan()


@pytest.fixture(scope="module")
def trial() -> KalmTrial:
    return kalm_trial(90, seed=2)


@pytest.fixture(scope="module")
def look(trial: KalmTrial, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The closed result of the first look."""
    cut, restricted = trial.write(tmp_path_factory.mktemp("look"))
    return closed_result(cut, restricted, trial.arms, PLAN, [])


@pytest.fixture(scope="module")
def open_look(trial: KalmTrial, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    cut, _ = trial.write(tmp_path_factory.mktemp("open"))
    return open_result(cut, PLAN, look=1)


def closed(trial: KalmTrial, folder: Path, earlier: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    cut, restricted = trial.write(folder)
    return closed_result(cut, restricted, trial.arms, more.pop("plan", PLAN), earlier or [], **more)


def primary(result: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(model for model in result["models"] if model["primary"])
    return found


def test_a_look_on_information_that_did_not_grow_spends_nothing_and_says_so(trial, look, tmp_path):
    units = look["decision"]["information"]["units"]
    again = closed(trial, tmp_path, earlier=[look], look=2)["decision"]
    assert again["estimable"] is False
    assert again["why"].startswith(f"The information did not grow: {units} units now, {units} at look 1.")


# ── The same for the same cut ──


def test_the_same_cut_gives_the_same_bytes_twice(trial, look, tmp_path):
    assert canonical_json(closed(trial, tmp_path)) == canonical_json(look)


def test_another_database_with_other_keys_and_row_order_gives_the_same_bytes(trial, look, open_look, tmp_path):
    other = kalm_trial(90, seed=2, first_key=500_000)
    for rows in (*other.rows.values(), *other.restricted.values()):
        rows.reverse()
    shift = 499_999
    other.arms.index = trial.arms.index + shift
    cut, restricted = other.write(tmp_path)
    assert canonical_json(closed_result(cut, restricted, other.arms, PLAN, [])) == canonical_json(look)
    assert canonical_json(open_result(cut, PLAN, look=1)) == canonical_json(open_look)


def test_a_result_is_plain_json_without_nan(look, open_look):
    for result in (look, open_look):
        assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_the_open_result_names_no_number_by_arm(open_look):
    text = json.dumps({key: value for key, value in open_look.items() if key != "trial"})
    assert "KET" not in text
    assert "MDZ" not in text


# ── The decision ──


def test_information_is_counted_in_the_cut(trial, look, tmp_path):
    cut, _ = trial.write(tmp_path)
    loaded = load_trial(cut, PLAN, look=1)
    values = loaded.values(loaded.plan.primary_endpoint)
    there = loaded.people["FAS"] & values["WK4"].notna() & values["BASE"].notna()
    information = look["decision"]["information"]
    assert information["units"] == int(there.sum()) > 0
    assert information["fraction"] == pytest.approx(information["units"] / 143)


def test_the_bound_is_the_spending_function_at_the_information_that_came(look):
    # Lan-DeMets: at one look the bound is the normal quantile of what is spent there.
    decision = look["decision"]
    fraction = decision["information"]["fraction"]
    spent = 2 - 2 * stats.norm.cdf(stats.norm.isf(0.025 / 2) / np.sqrt(fraction))
    assert decision["alpha_spent"] == pytest.approx(spent, abs=1e-7)
    assert decision["bound"] == pytest.approx(stats.norm.isf(spent), abs=1e-6)


def test_z_is_the_normal_quantile_of_the_one_sided_p_of_the_primary_contrast(look):
    effect = primary(look)["effects"][0]
    one_sided = stats.t.cdf(effect["estimate"] / effect["se"], effect["df"])
    assert look["decision"]["z"] == pytest.approx(stats.norm.isf(one_sided), rel=1e-9)
    assert look["decision"]["crossed"] is (look["decision"]["z"] >= look["decision"]["bound"])


def test_the_number_trail_leads_from_the_units_to_the_decision(look):
    trail = {step["step"]: step["value"] for step in look["decision"]["trail"]}
    assert trail["Information fraction"] == pytest.approx(trail["Information units"] / trail["Maximum information"])
    assert trail["t"] == pytest.approx(trail["Estimate"] / trail["Standard error"])
    assert trail["z"] == look["decision"]["z"]
    assert trail["Efficacy bound (z)"] == look["decision"]["bound"]


def test_a_second_look_spends_only_what_the_first_left(trial, look, tmp_path):
    later = closed(kalm_trial(150, seed=2), tmp_path, [look])
    decision = later["decision"]
    assert [step["look"] for step in decision["path"]] == [1, 2]
    units = [step["units"] for step in decision["path"]]
    expected = sequential.design([56 / 143, 112 / 143, 1]).update(units, 143, ended=False)
    assert decision["bound"] == pytest.approx(expected.efficacy_z[1], abs=1e-9)
    assert later["trial"]["clinical_cutoff"] == "2026-10-31"


def test_an_unplanned_look_spends_at_its_own_information_and_leaves_the_planned_ones(trial, tmp_path):
    decision = closed(trial, tmp_path, look=4)["decision"]
    assert decision["planned"] is False
    assert [step["look"] for step in decision["path"]] == [4]
    assert [step["units"] for step in decision["bounds_to_come"]][-1] == pytest.approx(143)


def test_a_look_after_the_bound_was_crossed_says_where_it_was(tmp_path):
    strong = closed(kalm_trial(90, seed=2, effect=3.0), tmp_path / "a")
    assert strong["decision"]["crossed"]
    assert strong["decision"]["after_stopping"]["estimable"]
    after = closed(kalm_trial(150, seed=2, effect=3.0), tmp_path / "b", [strong])
    assert after["decision"]["crossed_before_at"] == [1]
    assert after["decision"]["recommendation"] == "The efficacy bound was crossed at look 1"


def test_the_repeated_interval_excludes_zero_exactly_when_the_bound_is_crossed(look, tmp_path):
    for result in (look, closed(kalm_trial(90, seed=2, effect=3.0), tmp_path)):
        interval = result["decision"]["repeated_interval"]
        assert (interval["upper"] < 0) is result["decision"]["crossed"]


def test_futility_is_shown_below_its_threshold_and_never_binding(tmp_path):
    worse = closed(kalm_trial(90, seed=2, effect=-1.5), tmp_path)
    futility = worse["decision"]["futility"]
    assert futility["below"]
    assert futility["binding"] is False
    assert worse["decision"]["recommendation"] == "Efficacy bound not crossed: continue"


# ── Efficacy ──


def test_the_ancova_is_that_of_its_own_rows(trial, look, tmp_path):
    cut, _ = trial.write(tmp_path)
    loaded = load_trial(cut, PLAN, look=1)
    values = loaded.values(loaded.plan.primary_endpoint)[loaded.people["FAS"]]
    frame = loaded.strata.join(values).assign(
        arm=trial.arms.reindex(loaded.people.index), change=values["WK4"] - values["BASE"]
    )
    fit = ancova.fit(
        frame.loc[values.index].dropna(subset=["change"]),
        response="change",
        arm="arm",
        reference="MDZ",
        covariates=("BASE", "site", "pain_stratum"),
    )
    [effect] = next(m for m in look["models"] if m["method"] == "ancova")["effects"]
    assert effect["estimate"] == pytest.approx(fit.contrasts()["estimate"].iloc[0], rel=1e-9)
    assert effect["se"] == pytest.approx(fit.contrasts()["se"].iloc[0], rel=1e-9)


def test_a_fall_of_exactly_30_per_cent_is_a_response_and_missing_is_none(tmp_path):
    trial = kalm_trial(24, seed=4)
    exact, missing = (int(key) for key in trial.arms.index[:2])
    day0 = {r["participant_id"]: r["started_at"].date() for r in trial.rows["infusion"]}
    days = {r["id"]: (r["participant_id"], (r["day"] - day0[r["participant_id"]]).days)
            for r in trial.rows["response"] if r.get("day")}  # fmt: skip
    for item in trial.rows["responseitem"]:
        person, day = days.get(item["response_id"], (0, 0))
        if item["item"] == "average" and person == exact and (day < 0 or 22 <= day <= 28):
            # Floating point makes 7.0 to 4.9 a little less than 30 %.
            item["value"] = 7.0 if day < 0 else 4.9
    gone = {key for key, (person, day) in days.items() if person == missing and 22 <= day <= 28}
    trial.rows["response"] = [r for r in trial.rows["response"] if r["id"] not in gone]
    trial.arms[:] = "MDZ"
    trial.arms[[exact, missing]] = "KET"
    found = closed(trial, tmp_path)["responders"]
    cells = dict(zip((g["code"] for g in found["groups"]), found["rows"][0]["cells"], strict=True))
    assert found["rows"][0]["definition"] == "At least 30 % better"
    assert (cells["KET"]["count"], cells["KET"]["n"]) == (1, 2)


def test_who_had_an_event_that_the_plan_names_is_a_non_responder_whatever_the_pain(tmp_path):
    trial = kalm_trial(24, seed=4)
    before = closed(trial, tmp_path / "before")
    better = _better_by_30_percent(trial, tmp_path / "values")
    rescued, ketamine, spared = better[:3]
    day = {r["participant_id"]: r["started_at"].date() for r in trial.rows["infusion"]}
    trial.rows["intercurrentevent"] = [
        {"id": 900_001, "participant_id": rescued, "event": "ICE-2", "started_on": day[rescued] + timedelta(days=20)},
        {"id": 900_002, "participant_id": ketamine, "event": "ICE-3", "started_on": day[ketamine] + timedelta(days=9)},
        # The plan lets this one be a responder.
        {"id": 900_003, "participant_id": spared, "event": "ICE-4", "started_on": day[spared] + timedelta(days=9)},
    ]
    after = closed(trial, tmp_path / "after")
    counts = [sum(c["count"] for c in each["responders"]["rows"][0]["cells"]) for each in (before, after)]
    assert counts == [len(better), len(better) - 2]
    assert sum(cell["count"] for cell in after["responders"]["after_event"]) == 2
    told = {event["id"]: sum(cell["count"] for cell in event["cells"]) for event in after["intercurrent_events"]}
    assert (told["ICE-2"], told["ICE-3"], told["ICE-4"]) == (1, 1, 1)


def _better_by_30_percent(trial: KalmTrial, folder: Path) -> list[int]:
    """Who of the population fell by 30 per cent or more, from the rows."""
    loaded = load_trial(trial.write(folder)[0], PLAN, look=1)
    values = loaded.values(loaded.plan.primary_endpoint)[loaded.people["FAS"]]
    return [int(key) for key in values.index[values["WK4"] <= 0.7 * values["BASE"] + 1e-9]]


def test_every_mean_comes_with_its_n_and_missing(look):
    sizes = {group["code"]: group["n"] for group in look["arms"]}
    for table in look["descriptives"]:
        for cell in table["cells"]:
            assert cell["n"] + cell["missing"] == sizes[cell["arm"]]
            assert (cell["mean"] is None) is (cell["n"] == 0)


# ── Safety ──


def test_adverse_events_are_counted_by_hand_alike(trial, look):
    events = pd.DataFrame(trial.rows["adverseevent"])
    events = events[events["started_on"].str[:7] <= "2026-05"]
    events["arm"] = events["participant_id"].map(trial.arms)
    for index, group in enumerate(look["safety"]["groups"]):
        here = events[events["arm"] == group["code"]]
        cell = look["safety"]["overview"][0]["cells"][index]
        assert (cell["count"], cell["events"]) == (here["participant_id"].nunique(), len(here))
    terms = {row["term"] for row in look["safety"]["terms"]}
    assert "Drowsiness" in terms
    assert "drowsiness" not in terms


def test_safety_is_as_treated_when_another_persons_kit_was_given(trial, tmp_path):
    mixed = kalm_trial(24, seed=4)
    ket = int(mixed.arms.index[mixed.arms == "KET"][0])
    mdz = int(mixed.arms.index[mixed.arms == "MDZ"][0])
    kits = {r["participant_id"]: r["kit_number"] for r in mixed.rows["allocation"]}
    infusion = next(r for r in mixed.rows["infusion"] if r["participant_id"] == ket)
    infusion["kit_number"] = kits[mdz]
    result = closed(mixed, tmp_path)
    treated = {g["code"]: g["n"] for g in result["safety"]["groups"]}
    allocated = {g["code"]: g["n"] for g in result["arms"]}
    assert treated["KET"] == allocated["KET"] - 1
    assert treated["MDZ"] == allocated["MDZ"] + 1


def test_the_dissociation_peak_comes_from_the_restricted_part(trial, look):
    responses = {r["id"]: r for r in trial.restricted["response"] if r["minute"] > 0}
    totals = [(responses[s["response_id"]]["participant_id"], s["number"])
              for s in trial.restricted["score"] if s["response_id"] in responses]  # fmt: skip
    peaks = pd.DataFrame(totals, columns=["person", "total"]).groupby("person")["total"].max()
    for group, cell in zip(look["infusion_day"]["groups"], look["infusion_day"]["dissociation_peak"], strict=True):
        assert cell["median"] == peaks[trial.arms.reindex(peaks.index) == group["code"]].median()


# ── Data that do not allow it ──


def test_one_arm_only_says_what_cannot_be_compared(tmp_path):
    trial = kalm_trial(24, seed=4)
    trial.arms[:] = "KET"
    result = closed(trial, tmp_path)
    assert not result["decision"]["estimable"]
    assert "MDZ" in primary(result)["why"]
    assert not result["responders"]["rows"][0]["contrasts"][0]["estimable"]


def test_before_anybody_has_the_endpoint_there_is_no_decision(tmp_path):
    trial = kalm_trial(24, seed=4)
    trial.rows["responseitem"] = []
    result = closed(trial, tmp_path)
    assert result["decision"]["information"]["units"] == 0
    assert not result["decision"]["estimable"]
    assert not primary(result)["estimable"]
    assert not result["loss_of_response"]["estimable"]


def test_a_trial_that_has_not_begun_gives_empty_tables(tmp_path):
    trial = kalm_trial(8, seed=4)
    nothing = KalmTrial({k: trial.rows[k] for k in ("protocolversion", "site")}, {}, pd.Series(dtype="str"))
    cut, restricted = nothing.write(tmp_path)
    opened = open_result(cut, PLAN, look=1)
    assert (opened["enrolment"]["screened"], opened["enrolment"]["randomised"]) == (0, 0)
    result = closed_result(cut, restricted, nothing.arms, PLAN, [])
    assert [group["n"] for group in result["arms"]] == [0, 0]
    assert not result["decision"]["estimable"]


@pytest.mark.parametrize("value", [5.0, None])
def test_a_constant_or_missing_week_gives_a_reason_not_a_number(tmp_path, value):
    trial = kalm_trial(24, seed=4)
    for item in trial.rows["responseitem"]:
        item["value"] = value
    result = closed(trial, tmp_path)
    assert not result["decision"]["estimable"]
    assert primary(result)["why"]


def test_a_protocol_text_that_cannot_be_read_leaves_the_rest_standing(tmp_path):
    trial = kalm_trial(24, seed=4)
    trial.rows["protocolversion"][0]["source"] = "study: x"
    cut, _ = trial.write(tmp_path)
    result = open_result(cut, PLAN, look=1)
    assert not result["data_quality"]["forms"]["estimable"]
    assert result["enrolment"]["planned"] is None
    assert result["enrolment"]["randomised"] == 24


def test_a_plan_that_is_not_valid_is_refused(trial, tmp_path):
    cut, _ = trial.write(tmp_path)
    with pytest.raises(ValueError, match="looks"):
        open_result(cut, {**PLAN, "looks": {"alpha": 2}}, look=1)
