"""Derived endpoints: one row per participant and timepoint, from diary days or from visits (DOMAIN 1.6)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.datasets.cut_tables import Cut, local_days
from studies.protocol.analysis_plan import Endpoint, Timepoint

_ANSWERED = ("complete", "partial")
_QST = "qst"


def endpoint_values(cut: Cut, people: pd.DataFrame, endpoint: Endpoint, *, until: pd.Timestamp) -> pd.DataFrame:
    """Every participant's value at baseline and at each timepoint of an endpoint.

    Returns participant_id, timepoint, value (NaN where missing) and entries (diary days or forms behind it), in
    the order of `people` and of the plan. A diary mean needs the timepoint's `at_least` entries. Values count
    until the day `until`; days count from the infusion at the site.
    """
    timepoints = (endpoint.baseline, *endpoint.timepoints)
    parts = [_daily(cut, people, endpoint, [t for t in timepoints if t.days], until)]
    parts += [_at_visits(cut, people, endpoint, [t for t in timepoints if t.visit], until)]
    found = pd.concat([part for part in parts if not part.empty] or parts[:1])
    found = found.set_index(["participant_id", "timepoint"])
    cells = pd.MultiIndex.from_product(
        [people.index, [t.code for t in timepoints]], names=["participant_id", "timepoint"]
    )
    complete = found.reindex(cells)
    complete["entries"] = complete["entries"].fillna(0).astype("int64")
    return complete.reset_index()


def _daily(
    cut: Cut, people: pd.DataFrame, endpoint: Endpoint, timepoints: list[Timepoint], until: pd.Timestamp
) -> pd.DataFrame:
    """Means over diary days, missing with too few entries."""
    if not timepoints:
        return _nothing()
    rows = _answers(cut, endpoint, daily=True)
    rows = rows[rows["participant_id"].isin(people.index) & (rows["day"] <= until)]
    # A day answered under two versions of the diary is one day, and its later answer counts.
    rows = rows.sort_values(["participant_id", "day", "completed_at", "value"], kind="stable")
    rows = rows.drop_duplicates(["participant_id", "day"], keep="last")
    days = (rows["day"] - people["day0"].reindex(rows["participant_id"]).to_numpy()).dt.days
    means = [_mean_over(rows, days, timepoint) for timepoint in timepoints]
    return pd.concat(means, ignore_index=True)


def _mean_over(rows: pd.DataFrame, days: pd.Series[Any], timepoint: Timepoint) -> pd.DataFrame:
    first, last = timepoint.days or (0, 0)
    within = rows[days.between(first, last)].groupby("participant_id")["value"].agg(["mean", "count"])
    frame = within.rename(columns={"mean": "value", "count": "entries"}).reset_index()
    frame["value"] = frame["value"].where(frame["entries"] >= timepoint.at_least)
    return frame.assign(timepoint=timepoint.code)


def _at_visits(
    cut: Cut, people: pd.DataFrame, endpoint: Endpoint, timepoints: list[Timepoint], until: pd.Timestamp
) -> pd.DataFrame:
    """Values at visits. Where two forms answer for one visit, the one completed last counts."""
    if not timepoints:
        return _nothing()
    rows = _sensory(cut, endpoint) if endpoint.instrument == _QST else _answers(cut, endpoint, daily=False)
    rows = rows[rows["participant_id"].isin(people.index)].reset_index(drop=True)
    done = local_days(rows["completed_at"], rows["participant_id"].map(people["zone"]))
    rows = rows[done <= until].sort_values(["participant_id", "completed_at", "value"], kind="stable")
    visits = {timepoint.visit: timepoint.code for timepoint in timepoints}
    rows["timepoint"] = rows["visit"].map(visits)
    rows = rows.dropna(subset=["timepoint", "value"])
    last = rows.groupby(["participant_id", "timepoint"])["value"].last()
    return last.to_frame().assign(entries=1).reset_index()


def _answers(cut: Cut, endpoint: Endpoint, *, daily: bool) -> pd.DataFrame:
    """participant_id, day or visit, completed_at, value of an instrument's item or score."""
    columns = ["id", "participant_id", "visit_id", "day", "completed_at"]
    instruments = cut.rows("instrumentversion", ["id"], where=[("key", "==", endpoint.instrument)])
    where: list[tuple[str, str, Any]] = [("instrument_id", "in", instruments["id"].to_list())]
    rows = cut.rows("response", columns, where=[*where, ("status", "in", _ANSWERED)])
    item = endpoint.item is not None
    kind, key, value = ("responseitem", "item", "value") if item else ("score", "name", "number")
    name = endpoint.item if item else endpoint.score
    values = cut.rows(kind, ["response_id", value], where=[(key, "==", name)]).dropna()
    rows = rows.merge(values, left_on="id", right_on="response_id").rename(columns={value: "value"})
    # A rating on the infusion day's clock is no answer for the visit.
    rows = rows[rows["day"].notna()] if daily else rows[rows["visit_id"].notna()]
    return rows if daily else rows.assign(visit=rows["visit_id"].map(_visit_codes(cut)))


def _sensory(cut: Cut, endpoint: Endpoint) -> pd.DataFrame:
    """The same of a value computed from QST sessions, test area: its z where it has one.

    A plan calls a parameter by its name or, as among other scores, with qst_ before it.
    """
    parameter = (endpoint.score or endpoint.item or "").removeprefix("qst_")
    sessions = cut.rows("qstsession", ["id", "participant_id", "visit_id", "tested_at"])
    values = cut.rows(
        "qstvalue",
        ["session_id", "value", "z"],
        where=[("parameter", "==", parameter), ("area", "==", "test")],
    )
    rows = values.merge(sessions, left_on="session_id", right_on="id")
    rows["value"] = rows["z"].fillna(rows["value"])
    rows["visit"] = rows["visit_id"].map(_visit_codes(cut))
    return rows.rename(columns={"tested_at": "completed_at"})


def _visit_codes(cut: Cut) -> pd.Series[Any]:
    return cut.rows("visit", ["id", "code"]).set_index("id")["code"]


def _nothing() -> pd.DataFrame:
    return pd.DataFrame({"participant_id": [], "timepoint": [], "value": [], "entries": []})
