"""The rows that a model is fitted to: participants of its population by timepoint, with their covariates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.datasets import Trial, baseline_fact
from analysis.interim.groups import Groups
from studies.protocol.analysis_plan import Contrast, Endpoint, Model


@dataclass(frozen=True)
class ModelData:
    """Long rows (subject, visit, arm, response, covariates) in the order of identifiers and of the plan.

    left_out: covariates of the plan that are the same for everybody, and so cannot be estimated. empty: timepoints of
    the plan at which nobody has a value, which the model is fitted without. missing: of each covariate that somebody
    lacks, how many of the population do; they are not in the model.
    """

    frame: pd.DataFrame
    arms: tuple[str, ...]
    covariates: tuple[str, ...]
    covariates_by_visit: tuple[str, ...]
    left_out: tuple[str, ...]
    empty: tuple[str, ...]
    missing: Mapping[str, int]

    def facts(self) -> dict[str, Any]:
        people = self.frame.groupby("arm", observed=True)["subject"].nunique()
        return {
            "covariates": list(self.covariates),
            "covariates_by_visit": list(self.covariates_by_visit),
            "covariates_left_out": list(self.left_out),
            "covariates_missing": dict(self.missing),
            "timepoints_left_out": list(self.empty),
            "participants": {arm: int(people.get(arm, 0)) for arm in self.arms},
        }

    def require(self, contrast: Contrast) -> None:
        """Raises ValueError if an arm of the contrast has no value at all."""
        there = self.frame.dropna(subset=["response"])["arm"]
        for code in (contrast.active, contrast.reference):
            if not (there == code).any():
                raise ValueError(f"Nobody in arm {code} has a value to compare.")

    def with_first(self, reference: str) -> pd.DataFrame:
        """The same rows, the arms ordered with the reference first, and only arms that have rows."""
        present = [code for code in self.arms if (self.frame["arm"] == code).any()]
        order = [reference, *(code for code in present if code != reference)]
        return self.frame.assign(arm=pd.Categorical(self.frame["arm"], order, ordered=True))


def model_data(trial: Trial, groups: Groups, model: Model) -> ModelData:
    """Rows for a model. Raises ValueError for a population the cut cannot derive or a covariate nobody has."""
    endpoint = trial.plan.endpoint(model.endpoint)
    people = trial.people[trial.population(model.population)]
    people = people[people.index.isin(groups.member.index)]
    values = trial.values(endpoint).reindex(people.index)
    covariates = _covariate_frame(trial, people, values[endpoint.baseline.code])
    wanted = _expanded(trial, model.covariates)
    covariates = _with_findings(trial, covariates, wanted)
    if unknown := [name for name in wanted if name not in covariates.columns]:
        raise ValueError(f"Nobody in the cut has the covariate {', '.join(unknown)}.")
    frame = _rows(people, values, groups, model, endpoint).join(covariates[wanted], on="participant_id")
    complete = frame.dropna()
    if complete["response"].nunique() < 2:
        raise ValueError(f"{len(complete)} complete values, and no two that differ: there is nothing to compare.")
    left_out = [name for name in wanted if complete[name].nunique() < 2]
    kept = tuple(name for name in wanted if name not in left_out)
    by_visit = tuple(name for name in _expanded(trial, model.covariates_by_visit) if name in kept)
    seen = set(frame.loc[frame["response"].notna(), "visit"])
    empty = tuple(str(code) for code in frame["visit"].cat.categories if code not in seen)
    lacking = covariates[list(kept)].isna().sum()
    missing = {str(name): int(count) for name, count in lacking.items() if count}
    frame = frame.drop(columns=["participant_id", *left_out]).reset_index(drop=True)
    return ModelData(frame, tuple(groups.labels), kept, by_visit, tuple(left_out), empty, missing)


def _rows(people: pd.DataFrame, values: pd.DataFrame, groups: Groups, model: Model, endpoint: Endpoint) -> pd.DataFrame:
    codes = list(model.timepoints) or [endpoint.at]
    wide = values[codes]
    if model.effect == "difference" and endpoint.type == "change":
        wide = wide.sub(values[endpoint.baseline.code], axis=0)
    long = wide.reset_index().melt("participant_id", var_name="visit", value_name="response")
    return long.assign(
        subject=long["participant_id"].map(people["identifier"]),
        arm=long["participant_id"].map(groups.member),
        visit=pd.Categorical(long["visit"], codes, ordered=True),
    )


def _covariate_frame(trial: Trial, people: pd.DataFrame, baseline: pd.Series[Any]) -> pd.DataFrame:
    frame = trial.strata.reindex(people.index)
    if "site" not in frame.columns:
        frame["site"] = people["site"]
    return frame.assign(baseline=baseline, age_years=people["age_years"], sex=people["sex"].replace("", None))


def _with_findings(trial: Trial, covariates: pd.DataFrame, wanted: list[str]) -> pd.DataFrame:
    """The covariates, with those added that are findings of the protocol."""
    named = {name: baseline_fact(trial, name) for name in wanted if name not in covariates.columns}
    found = {name: fact.reindex(covariates.index) for name, fact in named.items() if fact is not None}
    return covariates.assign(**found)


def _expanded(trial: Trial, names: tuple[str, ...]) -> list[str]:
    """`strata` stands for every factor of the stratification, as frozen at randomisation."""
    expanded: list[str] = []
    for name in names:
        expanded += list(trial.strata.columns) if name == "strata" else [name]
    return list(dict.fromkeys(expanded))
