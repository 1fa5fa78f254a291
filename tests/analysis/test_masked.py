"""Masked arms: labels drawn by chance, and a result that depends on the labels alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from analysis.canonical import canonical_json
from analysis.interim import closed_result, masked_result
from analysis.masking import draw_labels
from analysis.reports import render
from tests.analysis.kalm_cut import KalmTrial, kalm_trial, quick_plan

PLAN = quick_plan()
ONE_WAY, OTHER_WAY = {"KET": "A", "MDZ": "B"}, {"KET": "B", "MDZ": "A"}


@pytest.fixture(scope="module")
def trial() -> KalmTrial:
    return kalm_trial(60, seed=2, effect=1.5)


@pytest.fixture(scope="module")
def cut(trial: KalmTrial, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return trial.write(tmp_path_factory.mktemp("masked"))


@pytest.fixture(scope="module")
def masked(trial: KalmTrial, cut: tuple[Path, Path]) -> dict[str, Any]:
    return masked_result(*cut, trial.arms, PLAN, ONE_WAY, look=1)


def test_the_labels_are_a_permutation_of_the_seed_alone():
    assert draw_labels(["KET", "MDZ"], 7) == draw_labels(["MDZ", "KET"], 7)
    assert sorted(draw_labels(["KET", "MDZ", "SAL"], 7).values()) == ["A", "B", "C"]


def test_every_order_of_arms_is_drawn_alike():
    # 600 seeds over 6 orders: chi-square on 5 df, so that one in a thousand right programs would fail.
    orders = [tuple(draw_labels(["KET", "MDZ", "SAL"], seed).values()) for seed in range(600)]
    counts = [orders.count(order) for order in sorted(set(orders))]
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 0.001


def test_the_masked_result_is_the_same_when_arms_and_labels_are_exchanged_together(trial, cut, masked):
    """Nothing but the labels is in it: what was KET and is now MDZ has left no trace."""
    exchanged = trial.arms.map({"KET": "MDZ", "MDZ": "KET"})
    assert canonical_json(masked_result(*cut, exchanged, PLAN, OTHER_WAY, look=1)) == canonical_json(masked)


def test_the_other_labels_give_the_same_numbers_in_the_other_columns(trial, cut, masked):
    other = masked_result(*cut, trial.arms, PLAN, OTHER_WAY, look=1)
    assert [group["code"] for group in other["arms"]] == ["A", "B"]
    assert [group["n"] for group in other["arms"]] == [group["n"] for group in masked["arms"]][::-1]
    for one, two in zip(masked["models"], other["models"], strict=True):
        if one["estimable"]:
            [first], [second] = one["effects"], two["effects"]
            assert first["estimate"] == pytest.approx(-second["estimate"], rel=1e-6)
            assert first["p"] == pytest.approx(second["p"], rel=1e-6)
            assert (first["active"], first["reference"]) == (second["active"], second["reference"]) == ("A", "B")


def test_no_arm_is_named_in_any_value_or_key_that_holds_data(masked):
    data = json.dumps({key: value for key, value in masked.items() if key != "trial"})
    for word in ("KET", "MDZ", "etamine 0.5", "idazolam 0.0"):
        assert word not in data
    assert masked["trial"]["arms"] == {"A": "Arm A", "B": "Arm B"}


def test_what_knows_the_active_arm_is_left_out(trial, cut, masked):
    closed = closed_result(*cut, trial.arms, PLAN, [], look=1)
    assert set(closed) - set(masked) == {
        "decision", "multiplicity", "estimands", "proportions", "sensitivity", "mechanism", "dissociation", "mediation",
        "blinding", "intercurrent_events", "pharmacokinetics", "sensory_profile", "not_finite", "infusion_day",
    }  # fmt: skip
    for model in masked["models"]:
        for effect in model.get("effects", ()):
            assert not {"z", "one_sided_p"} & set(effect)
    for rule in masked["stopping_rules"]:
        assert rule["arm"] is None
        assert all(cell["judged"] for cell in rule["cells"])


def test_the_masked_report_shows_both_arms_and_names_none(masked):
    about = {"look": 1, "plan_sha256": "0" * 64, "code_version": "0.1.0+test"}
    page, _ = render({**masked, "about": about})
    shown = page.split("Where this comes from")[0]
    assert "Arm A" in shown
    assert "Arm B" in shown
    assert "Ketamine 0.5" not in page
    assert "KET" not in shown


def test_a_report_shows_who_signed_the_plan_and_what_it_changed(masked):
    plan = {
        "signature": {"by": "statistician", "name": "Stella Moreau", "at": "2026-03-01T09:00:00+00:00"},
        "change_reason": "one subgroup only",
        "changes": [{"path": "subgroups.factors[1]", "before": "site", "after": "(absent)"}],
    }
    about = {"look": 1, "plan_sha256": "0" * 64, "code_version": "0.1.0+test"}
    page, _ = render({**masked, "about": {**about, "plan": plan}})
    for words in ("Stella Moreau (statistician)", "one subgroup only", "subgroups.factors[1]", "(absent)"):
        assert words in page
    assert "not signed" in render({**masked, "about": about})[0]
