"""Pooled enrolment against plan: by site, and by month of randomisation."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.datasets import Trial


def enrolment(trial: Trial) -> dict[str, Any]:
    """How many were screened and randomised: in all, by site and by month, beside what was planned."""
    people = trial.people
    return {
        "screened": len(people),
        "randomised": int(people["RAND"].sum()),
        "planned": trial.protocol.planned_participants if trial.protocol else None,
        "by_site": _by_site(trial),
        "by_month": _by_month(trial),
    }


def _by_site(trial: Trial) -> list[dict[str, Any]]:
    sites = trial.cut.rows("site", ["code", "name", "planned_participants"]).sort_values("code")
    people = trial.people
    screened = people.groupby("site").size()
    randomised = people.groupby("site")["RAND"].sum()
    return [
        {
            "site": row.code,
            "name": row.name,
            "planned": row.planned_participants,
            "screened": int(screened.get(row.code, 0)),
            "randomised": int(randomised.get(row.code, 0)),
        }
        for row in sites.itertuples(index=False, name="Site")
    ]


def _by_month(trial: Trial) -> list[dict[str, Any]]:
    """One row a month from the first to the last randomisation or the data date, none left out."""
    days = trial.people["randomised_on"].dropna()
    if days.empty or trial.plan.looks is None:
        return []
    start = _recruitment_start(trial) or days.min()
    end = max(days.max(), min(trial.data_date, days.max() + pd.DateOffset(months=3)))
    months = pd.period_range(start, end, freq="M")
    counts = days.dt.to_period("M").value_counts().reindex(months, fill_value=0)
    total = counts.cumsum()
    return [
        {
            "month": str(month),
            "randomised": int(counts[month]),
            "cumulative": int(total[month]),
            "planned_pace": _planned_by(trial, min(month.end_time.normalize(), trial.data_date)),
        }
        for month in months
    ]


def _recruitment_start(trial: Trial) -> pd.Timestamp | None:
    start = trial.protocol.study.recruitment_from if trial.protocol else None
    return None if start is None else pd.Timestamp(start)


def _planned_by(trial: Trial, day: pd.Timestamp) -> float | None:
    """A straight line from the start of recruitment to the last participant, whose endpoint is due at the last cut-off.

    None where the protocol does not say when recruitment starts, or the plan has no looks.
    """
    start, looks = _recruitment_start(trial), trial.plan.looks
    if start is None or looks is None or trial.protocol is None:
        return None
    last = pd.Timestamp(looks.planned[-1].clinical_cutoff) - pd.Timedelta(days=_days_to_endpoint(trial))
    done = min(max((day - start) / (last - start), 0.0), 1.0)
    return trial.protocol.planned_participants * done


def _days_to_endpoint(trial: Trial) -> int:
    endpoint = trial.plan.primary_endpoint
    timepoint = endpoint.timepoint(endpoint.at)
    if timepoint.days:
        return timepoint.days[1]
    visit = trial.protocol.visit(timepoint.visit or "") if trial.protocol else None
    return (visit.day or 0) if visit else 0
