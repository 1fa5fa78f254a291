"""Intercurrent events, read from the cut as the plan says: who had one, and on which day it began (ICH E9(R1)).

An event never deletes data; what it means is decided where an estimand's analysis uses it.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.datasets import Trial, local_days
from analysis.interim.groups import Groups
from analysis.interim.numbers import share
from studies.protocol.analysis_plan import Endpoint, IntercurrentEvent, RecordedAs, Timepoint

_ANSWERED = ("complete", "partial")


def intercurrent_events(trial: Trial, groups: Groups) -> list[dict[str, Any]]:
    """Every event of the estimand: how it is handled, and how many had it in each arm."""
    rows = []
    for event in trial.plan.events:
        days = event_days(trial, event)
        cells = [share(int(ids.isin(days.index).sum()), len(ids)) for _, ids in groups]
        about = event.model_dump(mode="json", include={"id", "event", "strategy", "supplementary"})
        rows.append({**about, "cells": cells})
    return rows


def event_days(trial: Trial, event: IntercurrentEvent) -> pd.Series[Any]:
    """The first day of an event, by participant, of those who had it.

    It is read from what the plan says it is recorded as, and from the records of the event itself; the earlier counts.
    """
    days = _records(trial, event)
    if event.recorded_as is None:
        return days
    readers = {"withdrawal": _withdrawals, "infusion_incomplete": _incomplete, "diary_above": _above}
    found = readers[event.recorded_as.kind](trial, event.recorded_as).dropna()
    earliest: pd.Series[Any] = pd.concat([days, found]).groupby(level=0).min()
    return earliest


def had_any(trial: Trial, names: tuple[str, ...]) -> pd.Series[bool]:
    """Who had one of these events by the data date, of all participants of the trial."""
    had = pd.Series(data=False, index=trial.people.index)
    for event in trial.plan.events:
        if event.id in names:
            had |= had.index.isin(event_days(trial, event).index)
    return had


def from_event_on(trial: Trial, endpoint: Endpoint, names: tuple[str, ...]) -> pd.DataFrame:
    """For every participant and timepoint of an endpoint: whether it lies at or after the first of these events.

    A diary week counts as after an event that began on one of its days. Raises ValueError for a visit without a day.
    """
    first = pd.Series(pd.NaT, index=trial.people.index, dtype="datetime64[us]")
    for event in trial.plan.events:
        if event.id in names:
            first = pd.concat([first, event_days(trial, event).reindex(first.index)], axis=1).min(axis=1)
    elapsed = (first - trial.people["day0"]).dt.days
    return pd.DataFrame({each.code: elapsed <= _last_day(trial, each) for each in endpoint.timepoints})


def _last_day(trial: Trial, timepoint: Timepoint) -> int:
    if timepoint.days:
        return timepoint.days[1]
    visit = trial.protocol.visit(timepoint.visit or "") if trial.protocol else None
    if visit is None or visit.day is None:
        raise ValueError(f"{timepoint.code} has no day, so it is not known whether it lies after an event.")
    return visit.day


def _records(trial: Trial, event: IntercurrentEvent) -> pd.Series[Any]:
    """The first day on which the event itself is recorded, of each participant, up to the data date."""
    rows = trial.cut.rows("intercurrentevent", ["participant_id", "started_on"], where=[("event", "==", event.id)])
    rows = rows[rows["participant_id"].isin(trial.people.index) & (rows["started_on"] <= trial.data_date)]
    first: pd.Series[Any] = rows.groupby("participant_id")["started_on"].min()
    return first


def _withdrawals(trial: Trial, _: RecordedAs) -> pd.Series[Any]:
    ended = trial.cut.rows("participant", ["id", "ended_on"]).set_index("id")["ended_on"].reindex(trial.people.index)
    return ended.where(trial.people["status"].eq("withdrawn"))


def _incomplete(trial: Trial, recorded: RecordedAs) -> pd.Series[Any]:
    people = trial.people
    return people["infusion_on"].where(people["delivered_percent"] < (recorded.below_percent or 0))


def _above(trial: Trial, recorded: RecordedAs) -> pd.Series[Any]:
    first, last = recorded.days or (0, 0)
    versions = trial.cut.rows("instrumentversion", ["id"], where=[("key", "==", recorded.instrument)])
    rows = trial.cut.rows(
        "response",
        ["id", "participant_id", "day", "completed_at"],
        where=[("instrument_id", "in", versions["id"].to_list()), ("status", "in", _ANSWERED)],
    )
    values = trial.cut.rows("responseitem", ["response_id", "value"], where=[("item", "==", recorded.item)])
    rows = rows.merge(values.dropna(), left_on="id", right_on="response_id")
    rows = rows[rows["participant_id"].isin(trial.people.index) & rows["day"].notna()].reset_index(drop=True)
    answered = local_days(rows["completed_at"], rows["participant_id"].map(trial.people["zone"]))
    elapsed = (rows["day"] - trial.people["day0"].reindex(rows["participant_id"]).to_numpy()).dt.days
    chosen = rows[(rows["value"] > (recorded.above or 0)) & elapsed.between(first, last) & (answered <= trial.until)]
    earliest: pd.Series[Any] = chosen.groupby("participant_id")["day"].min()
    return earliest
