"""The result of a look with masked arms: what a half-blind DSMB may see of A and B.

It is computed anew with the labels as arms and a plan that knows no active arm, so that no order, reference or sign
can carry what a result with the real arms knew. What would tell the arms at a glance is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.datasets import load_trial, open_cut
from analysis.interim import baseline, disposition, safety
from analysis.interim.consort import consort
from analysis.interim.currency import data_currency, deviations_by_arm
from analysis.interim.data_quality import missing_patterns_by_arm
from analysis.interim.groups import as_treated, by_arm
from analysis.interim.loss_of_response import loss_of_response
from analysis.interim.models import fitted
from analysis.interim.numbers import plain
from analysis.interim.responders import effect_sizes, responders
from analysis.interim.results import about_trial
from analysis.interim.stopping import stopping
from analysis.interim.subgroups import subgroups
from studies.protocol.analysis_plan import AnalysisPlan, Contrast

# They say which way is benefit.
_NOT_IN_EFFECTS = ("one_sided_p", "z")


def masked_result(
    cut_dir: Path,
    restricted_dir: Path,
    arms: pd.Series[Any],
    plan: Mapping[str, Any],
    labels: Mapping[str, str],
    *,
    look: int | None,
) -> dict[str, Any]:
    """The masked result of a look. labels: arm code -> label; the rest as for `closed_result`.

    Contrasts are A minus B (and so on through all pairs), two-sided; stopping rules are judged in every arm. There is
    no decision, no infusion day (its dissociation would name the arm) and no analysis that knows the active arm.
    """
    if unknown := set(arms.dropna()) - set(labels):
        raise ValueError(f"{len(unknown)} arms have no label, so they would be missing from every table.")
    loaded = load_trial(cut_dir, plan, look=look)
    names = sorted(labels.values())
    trial = replace(loaded, plan=_masked_plan(loaded.plan, names), names={name: f"Arm {name}" for name in names})
    masked = arms.map(labels)
    groups, treated = by_arm(trial, masked), as_treated(trial, masked)
    models = [fitted(trial, groups, each) for each in trial.plan.models if each.method != "difference_of_proportions"]
    found: dict[str, Any] = plain(
        {
            "kind": "masked",
            "trial": about_trial(trial, look),
            "arms": groups.head(),
            "models": [_two_sided(model) for model in models],
            "responders": responders(trial, groups),
            "effect_sizes": effect_sizes(trial, groups),
            "subgroups": subgroups(trial, groups),
            "loss_of_response": loss_of_response(trial, groups),
            "descriptives": baseline.descriptives(trial, groups),
            "disposition": disposition.after_randomisation(trial, groups),
            "consort": consort(trial, groups),
            "deviations": deviations_by_arm(trial, groups),
            "data_currency": data_currency(trial),
            "missing_patterns": missing_patterns_by_arm(trial, groups),
            "baseline": baseline.baseline(trial, groups),
            "safety": safety.adverse_events(trial, treated),
            "stopping_rules": stopping(trial, open_cut(restricted_dir), treated),
        }
    )
    return found


def _masked_plan(plan: AnalysisPlan, names: list[str]) -> AnalysisPlan:
    """The same plan without an active arm: every pair of labels compared, every rule judged in every arm."""
    pairs = tuple(Contrast(active=one, reference=other) for one, other in combinations(names, 2))
    return plan.model_copy(
        update={
            "models": tuple(model.model_copy(update={"contrasts": pairs}) for model in plan.models),
            "stopping_rules": tuple(rule.model_copy(update={"arm": None}) for rule in plan.stopping_rules),
        }
    )


def _two_sided(model: dict[str, Any]) -> dict[str, Any]:
    effects = [
        {name: value for name, value in effect.items() if name not in _NOT_IN_EFFECTS}
        for effect in model.get("effects", ())
    ]
    return {**model, "effects": effects} if model["estimable"] else model
