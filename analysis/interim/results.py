"""The two results of a look: open, from the blinded cut alone; closed, with the arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.datasets import Cut, Trial, load_trial, open_cut
from analysis.interim import baseline, disposition, safety
from analysis.interim.blinding import blinding
from analysis.interim.consort import consort
from analysis.interim.currency import data_currency, deviations_by_arm
from analysis.interim.data_quality import data_quality, missing_patterns_by_arm, not_finite
from analysis.interim.decision import decision
from analysis.interim.enrolment import enrolment
from analysis.interim.estimands import estimands
from analysis.interim.events import intercurrent_events
from analysis.interim.groups import Groups, as_treated, by_arm, pooled
from analysis.interim.loss_of_response import loss_of_response
from analysis.interim.mechanism import mechanism
from analysis.interim.models import fitted
from analysis.interim.numbers import plain
from analysis.interim.order_of_testing import order_of_testing
from analysis.interim.pharmacokinetics import pharmacokinetics
from analysis.interim.proportion_models import proportion_models
from analysis.interim.responders import effect_sizes, responders
from analysis.interim.sensitivity import sensitivity
from analysis.interim.sensory_profile import sensory_profile
from analysis.interim.stopping import stopping
from analysis.interim.subgroups import subgroups


def open_result(cut_dir: Path, plan: Mapping[str, Any], *, look: int | None = None) -> dict[str, Any]:
    """What everyone may know at a look: pooled enrolment, disposition, data quality, baseline and safety.

    cut_dir: the blinded cut; nothing else is read, so the result cannot depend on the arms. plan: the frozen plan.
    look: its number, which brings the clinical cut-off date; None counts all that is in the cut. Returns a dict that
    JSON can hold, the same for the same cut and plan on any database; numbers that the data do not allow are null
    or {"estimable": false, "why": ...}. Raises ValueError for a folder or plan that is not one.
    """
    trial = load_trial(cut_dir, plan, look=look)
    everyone = pooled(trial.people)
    randomised = everyone.within(trial.people["RAND"])
    return _plain_dict(
        {
            "kind": "open",
            "trial": about_trial(trial, look),
            "data_currency": data_currency(trial),
            "enrolment": enrolment(trial),
            "screening": disposition.screening(trial),
            "disposition": disposition.after_randomisation(trial, randomised),
            "data_quality": data_quality(trial),
            "baseline": baseline.baseline(trial, randomised),
            "safety": safety.adverse_events(trial, everyone.within(trial.people["SAF"])),
        }
    )


def closed_result(
    cut_dir: Path,
    restricted_dir: Path,
    arms: pd.Series[Any],
    plan: Mapping[str, Any],
    earlier: Sequence[Mapping[str, Any]],
    *,
    look: int | None = None,
    levels: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """What the DSMB sees at a look, by arm: the decision, the primary and other models, responders, safety.

    restricted_dir: the arm-revealing rest of the same snapshot. arms: participant key -> arm code. earlier: results
    of the looks before, oldest first. look: its number, by default the one after `earlier`; a number beyond the
    plan's is an unplanned look. levels: of drugs, in the unblinded cut (`cuts.levels_of`). Otherwise as `open_result`.
    """
    number = len(earlier) + 1 if look is None else look
    trial = load_trial(cut_dir, plan, look=number)
    groups = by_arm(trial, arms)
    restricted, treated = open_cut(restricted_dir), as_treated(trial, arms)
    found: dict[str, Any] = {
        "kind": "closed",
        "trial": about_trial(trial, number if trial.plan.looks else look),
        "arms": groups.head(),
        **_efficacy(trial, groups, earlier, number),
        **_descriptions(trial, groups),
        **_safety(trial, restricted, treated),
        "pharmacokinetics": pharmacokinetics(trial, treated, levels),
    }
    found["multiplicity"] = order_of_testing(trial.plan, found, earlier)
    found["estimands"] = estimands(trial.plan, found)
    return _plain_dict(found)


def _efficacy(trial: Trial, groups: Groups, earlier: Sequence[Mapping[str, Any]], number: int) -> dict[str, Any]:
    """The decision and every analysis of the plan that compares the arms."""
    models = [
        fitted(trial, groups, model) for model in trial.plan.models if model.method != "difference_of_proportions"
    ]
    primary = next(model for model in models if model["primary"])
    planned = trial.plan.looks.planned if trial.plan.looks else ()
    return {
        "decision": decision(trial, groups, primary, earlier, number),
        "models": models,
        "proportions": proportion_models(trial, groups),
        "sensitivity": sensitivity(trial, groups, final=number >= len(planned)),
        "subgroups": subgroups(trial, groups),
        "responders": responders(trial, groups),
        "effect_sizes": effect_sizes(trial, groups),
        "loss_of_response": loss_of_response(trial, groups),
        **mechanism(trial, groups, earlier),
        "blinding": blinding(trial, groups),
        "intercurrent_events": intercurrent_events(trial, groups),
    }


def _descriptions(trial: Trial, groups: Groups) -> dict[str, Any]:
    """What the arms are like, side by side."""
    return {
        "descriptives": baseline.descriptives(trial, groups),
        "sensory_profile": sensory_profile(trial, groups),
        "disposition": disposition.after_randomisation(trial, groups),
        "consort": consort(trial, groups),
        "deviations": deviations_by_arm(trial, groups),
        "data_currency": data_currency(trial),
        "missing_patterns": missing_patterns_by_arm(trial, groups),
        "not_finite": not_finite(trial),
        "baseline": baseline.baseline(trial, groups),
    }


def _safety(trial: Trial, restricted: Cut, treated: Groups) -> dict[str, Any]:
    found: dict[str, Any] = {
        "safety": safety.adverse_events(trial, treated),
        "stopping_rules": stopping(trial, restricted, treated),
    }
    if trial.has_infusion:
        found["infusion_day"] = safety.infusion_day(trial, restricted, treated)
    return found


def about_trial(trial: Trial, look: int | None) -> dict[str, Any]:
    protocol = trial.protocol
    return {
        "study": trial.cut.study,
        "title": protocol.study.title if protocol else trial.cut.study,
        "look": look,
        "cut": trial.cut.name,
        "cut_taken_at": trial.cut.taken_at.isoformat(),
        "code_version": trial.cut.manifest.get("code_version"),
        "plan_version": trial.plan.version,
        "clinical_cutoff": trial.cutoff,
        "data_until": trial.data_date,
        "estimand": trial.plan.estimand.model_dump(mode="json"),
        "primary_endpoint": trial.plan.primary_endpoint.label,
        "populations": [population.model_dump(mode="json") for population in trial.plan.populations],
        "arms": trial.arm_labels(),
        "visits": {visit.id: visit.label for visit in protocol.visits} if protocol else {},
    }


def _plain_dict(result: dict[str, Any]) -> dict[str, Any]:
    cleaned: dict[str, Any] = plain(result)
    return cleaned
