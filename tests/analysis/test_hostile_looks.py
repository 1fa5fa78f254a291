"""Whole looks on data that no method can work with: a reason in the result, never a wrong number or a traceback."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.interim import closed_result, open_result
from analysis.reports import render
from tests.analysis.kalm_cut import KalmTrial, kalm_trial, quick_plan

# One sensitivity analysis says as much about hostile data as four.
PLAN = quick_plan() | {"sensitivity": quick_plan()["sensitivity"][:1]}
ABOUT = {"look": 1, "plan_sha256": "0" * 64, "code_version": "0.1.0+test"}


def whole_look(trial: KalmTrial, folder: Path) -> dict[str, Any]:
    """Both results of the first look, and the closed report; the closed result is handed back."""
    cut, restricted = trial.write(folder)
    opened = open_result(cut, PLAN, look=1)
    closed = closed_result(cut, restricted, trial.arms, PLAN, [], look=1)
    for result in (opened, closed):
        assert json.loads(json.dumps(result, allow_nan=False)) == result
    page, _ = render({**closed, "about": ABOUT})
    assert "Traceback" not in page
    assert ">nan<" not in page.lower()
    return closed


def answers(trial: KalmTrial, item: str = "average") -> list[dict[str, Any]]:
    return [row for row in trial.rows["responseitem"] if row["item"] == item]


def primary(result: dict[str, Any]) -> dict[str, Any]:
    return next(model for model in result["models"] if model["primary"])


def days_from_infusion(trial: KalmTrial) -> dict[int, int]:
    """Response key -> day of the diary."""
    day0 = {row["participant_id"]: row["started_at"].date() for row in trial.rows["infusion"]}
    rows = (row for row in trial.rows["response"] if row.get("day"))
    return {row["id"]: (row["day"] - day0[row["participant_id"]]).days for row in rows}


def test_one_arm_only(tmp_path: Path):
    trial = kalm_trial(24, seed=4)
    trial.arms[:] = "KET"
    result = whole_look(trial, tmp_path)
    assert "MDZ" in primary(result)["why"]
    assert not result["decision"]["estimable"]
    assert result["multiplicity"]["estimable"] is False
    assert [cell["n"] for cell in result["stopping_rules"][0]["cells"] if cell["estimable"]] == [24]


def test_everything_missing_at_a_week(tmp_path: Path):
    trial = kalm_trial(24, seed=4)
    days = days_from_infusion(trial)
    gone = {key for key, day in days.items() if 8 <= day <= 14}
    trial.rows["response"] = [row for row in trial.rows["response"] if row["id"] not in gone]
    result = whole_look(trial, tmp_path)
    assert primary(result)["timepoints_left_out"] == ["WK2"]
    assert {row["visit"] for row in primary(result)["ls_means"]} == {"WK1", "WK3", "WK4"}
    assert result["decision"]["estimable"]


def test_everything_missing_at_the_week_that_is_judged(tmp_path: Path):
    trial = kalm_trial(24, seed=4)
    days = days_from_infusion(trial)
    gone = {key for key, day in days.items() if 22 <= day <= 28}
    trial.rows["response"] = [row for row in trial.rows["response"] if row["id"] not in gone]
    result = whole_look(trial, tmp_path)
    assert "WK4" in primary(result)["why"]
    assert result["decision"]["information"]["units"] == 0
    assert not result["decision"]["estimable"]


def test_one_participant_in_every_stratum(tmp_path: Path):
    trial = kalm_trial(18, seed=4)
    sites = sorted({json.loads(row["strata"])["site"] for row in trial.rows["allocation"]})
    for place, row in enumerate(trial.rows["allocation"]):
        row["strata"] = json.dumps({"site": sites[place % len(sites)], "pain_stratum": f"P{place}"})
    result = whole_look(trial, tmp_path)
    assert not primary(result)["estimable"]
    for level in result["subgroups"]["factors"][0]["levels"] if result["subgroups"]["estimable"] else ():
        assert not level["estimable"]
    assert not result["decision"]["estimable"]


def test_an_outcome_that_is_the_same_for_everybody(tmp_path: Path):
    trial = kalm_trial(24, seed=4)
    for row in trial.rows["responseitem"]:
        row["value"] = 5.0
    result = whole_look(trial, tmp_path)
    assert "no two that differ" in primary(result)["why"]
    assert not result["decision"]["estimable"]
    assert not result["sensitivity"][0]["estimable"]
    assert not result["dissociation"]["estimable"]


def test_a_visit_that_stands_twice_counts_once_with_its_later_answer(tmp_path: Path):
    trial = kalm_trial(24, seed=4)
    cut, restricted = trial.write(tmp_path / "once")
    once = closed_result(cut, restricted, trial.arms, PLAN, [], look=1)
    again = kalm_trial(24, seed=4)
    for row in [row for row in again.rows["response"] if row.get("visit_id")][:20]:
        key = row["id"] + 10_000_000
        again.rows["response"].append({**row, "id": key})
        again.rows["score"] += [
            {**score, "id": score["id"] + 10_000_000, "response_id": key}
            for score in again.rows["score"]
            if score["response_id"] == row["id"]
        ]
    cut, restricted = again.write(tmp_path / "twice")
    assert closed_result(cut, restricted, again.arms, PLAN, [], look=1)["descriptives"] == once["descriptives"]


def test_an_infinite_value_counts_as_missing_and_is_reported(tmp_path: Path):
    trial = kalm_trial(24, seed=4)
    scores = [row for row in trial.rows["score"] if row["name"] == "affective"]
    scores[0]["number"], scores[1]["number"] = math.inf, -math.inf
    result = whole_look(trial, tmp_path)
    [found] = [row for row in result["not_finite"] if row["endpoint"] == "affective_week4"]
    assert found["count"] >= 1
    assert primary(result)["estimable"]


def test_a_covariate_that_says_the_same_as_another(tmp_path: Path):
    trial = kalm_trial(24, seed=4)
    for row in trial.rows["allocation"]:
        site = json.loads(row["strata"])["site"]
        row["strata"] = json.dumps({"site": site, "pain_stratum": f"as {site}"})
    result = whole_look(trial, tmp_path)
    assert not primary(result)["estimable"]
    assert primary(result)["why"]
    assert not result["decision"]["estimable"]


def test_everybody_responds(tmp_path: Path):
    trial = kalm_trial(24, seed=4)
    days = days_from_infusion(trial)
    for row in answers(trial):
        row["value"] = 8.0 - 0.01 * (row["id"] % 7) if days[row["response_id"]] < 0 else 1.0 + 0.01 * (row["id"] % 5)
    result = whole_look(trial, tmp_path)
    row = result["responders"]["rows"][0]
    assert all(cell["count"] == cell["n"] or cell["count"] >= cell["n"] - 3 for cell in row["cells"])
    for contrast in row["contrasts"]:
        assert not contrast.get("number_needed_to_treat", {"estimable": False})["estimable"]
    assert result["loss_of_response"]["estimable"] in (True, False)


def test_nobody_at_all(tmp_path: Path):
    trial = kalm_trial(8, seed=4)
    nothing = KalmTrial({k: trial.rows[k] for k in ("protocolversion", "site")}, {}, pd.Series(dtype="str"))
    result = whole_look(nothing, tmp_path)
    assert result["consort"]["randomised"] == 0
    assert not result["decision"]["estimable"]
    assert all(not cell["estimable"] for rule in result["stopping_rules"] for cell in rule["cells"])


def test_one_participant(tmp_path: Path):
    result = whole_look(kalm_trial(1, seed=4), tmp_path)
    assert sum(arm["allocated"] for arm in result["consort"]["arms"]) == 1
    assert not result["decision"]["estimable"]


@pytest.mark.parametrize(
    "change",
    [
        lambda trial: trial.rows["allocation"].clear(),
        lambda trial: trial.rows["infusion"].clear(),
        lambda trial: trial.rows["visit"].clear(),
        lambda trial: [row.update(strata="{}") for row in trial.rows["allocation"]],
        lambda trial: [row.update(sex="", age_years=None) for row in trial.rows["participant"]],
    ],
    ids=["no allocation", "no infusion", "no visit", "no strata", "no sex and no age"],
)
def test_a_whole_kind_of_record_that_is_missing(tmp_path: Path, change: Callable[[KalmTrial], object]):
    trial = kalm_trial(16, seed=4)
    change(trial)
    whole_look(trial, tmp_path)
