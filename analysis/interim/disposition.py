"""Where participants went: from screening to the endpoint (CONSORT), together or by arm."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
import pandas as pd

from analysis.datasets import Trial
from analysis.interim.groups import Groups
from analysis.interim.numbers import share


def screening(trial: Trial) -> dict[str, Any]:
    """Before randomisation: screened, failed with the criteria that failed, still in screening."""
    status = trial.people["status"]
    return {
        "screened": len(status),
        "failed": int(status.eq("screen_failure").sum()),
        "in_screening": int(status.eq("screening").sum()),
        "randomised": int(trial.people["RAND"].sum()),
        "failed_criteria": _failed_criteria(trial),
    }


def after_randomisation(trial: Trial, groups: Groups) -> dict[str, Any]:
    """Counts of the randomised in each column: treated, ended and why, analysis sets, with the primary endpoint."""
    people = trial.people
    rows = [("randomised", "Randomised", people["RAND"])]
    if trial.has_infusion:
        rows += [
            ("infused", "Infusion started", people["SAF"]),
            ("fully_dosed", "At least 80 % of the infusion delivered", people["delivered_percent"] >= 80),
        ]
    words = {"ongoing": "In the study", "completed": "Completed", "withdrawn": "Withdrawn"}
    rows += [(key, label, people["status"].eq(key)) for key, label in words.items()]
    # A finished trial that was imported has nobody "in the study" or withdrawn on record.
    rows += [
        (population.code, population.label, people[population.code])
        for population in trial.plan.populations
        if population.code in people.columns and population.code != "RAND"
    ]
    due, there = endpoint_due(trial)
    rows += [("endpoint_due", "Primary endpoint due", due), ("endpoint", "With the primary endpoint", there)]
    return {
        "groups": groups.head(),
        "rows": [
            {"key": key, "label": label, "cells": [share(int(who[ids].sum()), len(ids)) for _, ids in groups]}
            for key, label, who in rows
        ],
        "withdrawal_reasons": _reasons(trial, groups),
    }


def endpoint_due(trial: Trial) -> tuple[pd.Series[bool], pd.Series[bool]]:
    """Of whom the primary endpoint is due by the data date, and of whom it is there with its baseline."""
    endpoint = trial.plan.primary_endpoint
    values = trial.values(endpoint)
    there = trial.people["RAND"] & values[endpoint.baseline.code].notna() & values[endpoint.at].notna()
    timepoint = endpoint.timepoint(endpoint.at)
    if timepoint.days:
        due = trial.people["day0"] + pd.Timedelta(days=timepoint.days[1]) <= trial.data_date
    else:
        due = _visit_due(trial, timepoint.visit or "")
    return (trial.people["RAND"] & due) | there, there


def _visit_due(trial: Trial, code: str) -> pd.Series[bool]:
    """A visit is due when its window has closed, or it was done or missed."""
    visits = trial.cut.rows("visit", ["participant_id", "status", "closes_at"], where=[("code", "==", code)])
    closed = visits["closes_at"].dt.tz_localize(None) <= trial.data_date
    due = visits.loc[closed | visits["status"].ne("planned"), "participant_id"]
    return pd.Series(trial.people.index.isin(due), index=trial.people.index)


def _failed_criteria(trial: Trial) -> list[dict[str, Any]]:
    failed = trial.people.index[trial.people["status"].eq("screen_failure")]
    rows = trial.cut.rows("eligibilitydecision", ["participant_id", "failed_criteria"])
    rows = rows[rows["participant_id"].isin(failed)]
    counts = Counter(criterion for text in rows["failed_criteria"] for criterion in orjson.loads(text or "[]"))
    words = {each.id: each.text for each in trial.protocol.eligibility} if trial.protocol else {}
    return [
        {"criterion": name, "text": words.get(name, ""), "count": counts[name]}
        for name in sorted(counts, key=_criterion_order)
    ]


def _criterion_order(name: str) -> tuple[str, int]:
    """I2 before I10, inclusion before exclusion."""
    digits = "".join(filter(str.isdigit, name))
    return {"I": "0", "E": "1"}.get(name[:1], name[:1]), int(digits or 0)


def _reasons(trial: Trial, groups: Groups) -> list[dict[str, Any]]:
    withdrawn = trial.people[trial.people["status"].eq("withdrawn")]
    reasons = withdrawn["end_reason"].str.strip().replace("", "Not stated").fillna("Not stated")
    order = reasons.value_counts().rename_axis("reason").reset_index(name="count")
    order = order.sort_values(["count", "reason"], ascending=[False, True])
    return [
        {
            "label": reason,
            "cells": [share(int(reasons.reindex(ids).eq(reason).sum()), len(ids)) for _, ids in groups],
        }
        for reason in order["reason"]
    ]
