"""How current the data of a look are, pooled over arms: a committee asks what it does not see yet."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.datasets import Trial, local_days
from analysis.interim.data_quality import LATE_AFTER_DAYS, counted_responses, counted_visits
from analysis.interim.groups import Groups
from analysis.interim.numbers import share, summary


def data_currency(trial: Trial) -> dict[str, Any]:
    """The last day that left data, visits overdue, and days from answering to entry (summary and those late).

    Imported rows were all entered at once, so that their days to entry say nothing.
    """
    visits, responses = counted_visits(trial), counted_responses(trial)
    due = visits[visits["due"]]
    overdue = ~(due["done"] | due["missed"])
    entry = (responses["entered_at"] - responses["completed_at"]).dt.total_seconds() / 86400
    return {
        "last_randomised_on": _last(trial.people["randomised_on"]),
        "last_data_on": _last(pd.concat([_answered(trial, responses), _seen(trial, visits)])),
        "visits_overdue": share(int(overdue.sum()), len(due)),
        "entry_days": summary(entry.clip(lower=0)),
        "late_after_days": LATE_AFTER_DAYS,
        "late": share(int((entry > LATE_AFTER_DAYS).sum()), len(entry)),
    }


def deviations_by_arm(trial: Trial, groups: Groups) -> list[dict[str, Any]]:
    """Participants with a deviation from the protocol, by kind and severity, in each column."""
    rows = trial.cut.rows("deviation", ["participant_id", "kind", "severity", "occurred_on"])
    rows = rows[~(rows["occurred_on"] > trial.until)]
    return [
        {
            "kind": kind,
            "severity": severity,
            "cells": [share(here.loc[here.isin(ids)].nunique(), len(ids)) for _, ids in groups],
        }
        for (kind, severity), here in rows.groupby(["kind", "severity"], sort=True)["participant_id"]
    ]


def _answered(trial: Trial, responses: pd.DataFrame) -> pd.Series[Any]:
    return local_days(responses["completed_at"], responses["participant_id"].map(trial.people["zone"]))


def _seen(trial: Trial, visits: pd.DataFrame) -> pd.Series[Any]:
    done = visits[visits["done"]]
    return local_days(done["started_at"], done["participant_id"].map(trial.people["zone"]))


def _last(days: pd.Series[Any]) -> str | None:
    known = days.dropna()
    return None if known.empty else str(known.max().date())
