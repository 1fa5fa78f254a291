"""Covariates that are findings of the protocol: read from the cut, refused where they bias or tell the arm."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.datasets import Trial, baseline_fact, load_trial
from analysis.interim.groups import by_arm
from analysis.interim.mechanism import mechanism
from analysis.interim.models import fitted
from studies.protocol import DocumentInvalid, load
from studies.protocol.pain_classification import PainFindings
from tests.analysis.kalm_cut import KALM, KalmTrial, kalm_trial, plan_of

COVARIATES = "covariates: [baseline, strata]\n      covariates_by"
NOTED = datetime(2025, 11, 1, tzinfo=UTC)


def with_finding(line: str) -> str:
    """KALM with one more finding."""
    return KALM.replace("findings:\n", f"findings:\n  - {line}\n", 1)


@pytest.fixture(scope="module")
def rows() -> KalmTrial:
    return kalm_trial(40, seed=5)


def noted(trial: KalmTrial, key: str, values: dict[int, Any], *, at: datetime = NOTED) -> list[dict[str, Any]]:
    """Rows of findings as the site enters them."""
    first = 900_000 + len(trial.rows.get("finding", []))
    name = "text" if any(isinstance(value, str) for value in values.values()) else "number"
    return [
        {"id": first + place, "participant_id": person, "key": key, name: value, "changed_at": at, "change_no": 1}
        | {"source_kind": "form", "source_record": person, "source_field": "medical_history"}
        for place, (person, value) in enumerate(values.items())
    ]


def trial_of(rows: KalmTrial, folder: Path, findings: list[dict[str, Any]], text: str = KALM) -> Trial:
    versions = [{**version, "source": text} for version in rows.rows["protocolversion"]]
    changed = KalmTrial({**rows.rows, "finding": findings, "protocolversion": versions}, rows.restricted, rows.arms)
    cut, _ = changed.write(folder)
    return load_trial(cut, plan_of(text))


def primary(trial: Trial, rows: KalmTrial, *covariates: str) -> dict[str, Any]:
    model = trial.plan.primary_model.model_copy(update={"covariates": ("baseline", *covariates)})
    return fitted(trial, by_arm(trial, rows.arms), model)


def test_a_model_adjusts_for_a_finding_as_for_the_same_values_of_a_named_covariate(rows: KalmTrial, tmp_path: Path):
    ages = {row["id"]: float(row["age_years"]) for row in rows.rows["participant"]}
    trial = trial_of(rows, tmp_path, noted(rows, "pain_duration_months", ages))
    by_name, by_finding = primary(trial, rows, "age_years"), primary(trial, rows, "pain_duration_months")
    assert by_finding["effects"] == by_name["effects"]
    assert by_finding["covariates_missing"] == {}
    assert "pain_duration_months" in by_finding["covariates"]


def test_who_lacks_a_finding_is_counted_and_a_correction_counts_last(rows: KalmTrial, tmp_path: Path):
    people = [int(key) for key in rows.arms.index]
    values = {person: float(place % 7) for place, person in enumerate(people)}
    del values[people[3]]
    entered = noted(rows, "egfr", values)
    corrected = noted(rows, "egfr", {people[0]: 99.0}, at=datetime(2026, 1, 1, tzinfo=UTC))
    trial = trial_of(rows, tmp_path, [{**corrected[0], "id": 1, "source_record": 1}, *entered])
    fact = baseline_fact(trial, "egfr")
    assert fact is not None
    assert fact[people[0]] == 99.0
    assert pd.isna(fact[people[3]])
    assert primary(trial, rows, "egfr")["covariates_missing"] == {"egfr": 1}
    assert baseline_fact(trial, "shoe_size") is None
    assert primary(trial, rows, "shoe_size")["why"] == "Nobody in the cut has the covariate shoe_size."


def test_a_finding_from_an_instrument_is_its_last_answer_before_treatment(rows: KalmTrial, tmp_path: Path):
    text = with_finding("{key: mood, label: MADRS, type: number, instrument: madrs, score: total}")
    trial = trial_of(rows, tmp_path, [], text)
    endpoint = next(each for each in trial.plan.endpoints if each.instrument == "madrs" and each.baseline.visit == "BL")
    expected = trial.values(endpoint)[endpoint.baseline.code]
    found = baseline_fact(trial, "mood")
    assert found is not None
    assert expected.notna().any()
    assert found[expected.notna()].to_list() == expected.dropna().to_list()


def test_the_pain_class_is_concluded_from_what_was_found(rows: KalmTrial, tmp_path: Path):
    first, second = (int(key) for key in rows.arms.index[:2])
    neuropathic = {"lesion_history": 1, "plausible_distribution": 1, "sensory_signs": 1, "confirming_test": 0}
    absent = [key for key in PainFindings.__dataclass_fields__ if key not in neuropathic]
    findings: list[dict[str, Any]] = []
    for key, value in {**neuropathic, **dict.fromkeys(absent, 0)}.items():
        findings += [{**row, "id": 1 + len(findings)} for row in noted(rows, key, {first: float(value)})]
    trial = trial_of(rows, tmp_path, findings)
    pain_class = baseline_fact(trial, "pain_class")
    assert pain_class is not None
    assert (pain_class[first], pain_class[second]) == ("neuropathic", None)


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("shoe_size", "'shoe_size' is not a covariate here. Use age_years, baseline"),
        ("cadss_total", "The finding 'cadss_total' tells the arm"),
        ("aldrete_score", "The finding 'aldrete_score' is not collected before treatment"),
        ("consent_is_current", "'consent_is_current' is about the consent"),
    ],
)
def test_a_plan_that_names_what_no_model_may_adjust_for_is_refused_when_it_is_loaded(name: str, refusal: str):
    assert load(KALM.replace(COVARIATES, COVARIATES.replace("strata", "strata, egfr"), 1), source="kalm").findings
    with pytest.raises(DocumentInvalid) as refused:
        load(KALM.replace(COVARIATES, COVARIATES.replace("strata", f"strata, {name}"), 1), source="kalm")
    [problem] = refused.value.problems
    assert (problem.path, refusal in problem.message) == ("analysis.models[primary_mmrm].covariates", True)


def test_the_covariates_of_mediation_are_checked_and_found_alike(rows: KalmTrial, tmp_path: Path):
    mediation = "outcome_day: 28, covariates: [strata]"
    assert KALM.count(mediation) == 1
    with pytest.raises(DocumentInvalid, match=r"mechanism.mediation.covariates: 'shoe_size' is not a covariate here"):
        load(KALM.replace(mediation, mediation.replace("strata", "shoe_size")), source="kalm")
    text = KALM.replace(mediation, mediation.replace("strata", "egfr"))
    people = [int(key) for key in rows.arms.index]
    trial = trial_of(rows, tmp_path, noted(rows, "egfr", {p: float(p % 7) for p in people}), text)
    found = mechanism(trial, by_arm(trial, rows.arms), [])["mediation"]
    assert "egfr" in found.get("covariates", found)
