"""Derived endpoints: one row per participant and timepoint, from diary days or from visits (DOMAIN 1.6).

Every value can be followed to the rows of the cut it was computed from.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pandas as pd

from analysis.datasets.cut_tables import Cut, local_days
from studies.protocol.analysis_plan import Endpoint, Timepoint

_ANSWERED = ("complete", "partial")
_QST = "qst"
_COLUMNS = ["participant_id", "timepoint", "value", "on", "table", "record", "change_no"]


def endpoint_values(cut: Cut, people: pd.DataFrame, endpoint: Endpoint, *, until: pd.Timestamp) -> pd.DataFrame:
    """Every participant's value at baseline and at each timepoint of an endpoint.

    Returns participant_id, timepoint, value (NaN where missing) and entries (diary days or forms behind it), in
    the order of `people` and of the plan. A diary mean needs the timepoint's `at_least` entries. Values count
    until the day `until`; days count from the infusion at the site. One that is infinite counts as missing.
    """
    return values_from(endpoint_records(cut, people, endpoint, until=until), people, endpoint)


def values_from(records: pd.DataFrame, people: pd.DataFrame, endpoint: Endpoint) -> pd.DataFrame:
    """The same, from the endpoint's records."""
    finite = records[np.isfinite(records["value"])]
    found = finite.groupby(["participant_id", "timepoint"])["value"].agg(["mean", "count"])
    timepoints = (endpoint.baseline, *endpoint.timepoints)
    cells = pd.MultiIndex.from_product(
        [people.index, [t.code for t in timepoints]], names=["participant_id", "timepoint"]
    )
    complete = found.reindex(cells).reset_index()
    complete["entries"] = complete["count"].fillna(0).astype("int64")
    least = complete["timepoint"].map({t.code: t.at_least for t in timepoints}).astype("float64")
    complete["value"] = complete["mean"].where(complete["entries"] >= least)
    values: pd.DataFrame = complete[["participant_id", "timepoint", "value", "entries"]]
    return values


def endpoint_records(cut: Cut, people: pd.DataFrame, endpoint: Endpoint, *, until: pd.Timestamp) -> pd.DataFrame:
    """The rows of the cut that an endpoint's values are computed from; the value is the mean of theirs.

    Returns participant_id, timepoint, value, on (the day answered, or tested), table, record (its key there) and
    change_no, one row per diary day or visit.
    """
    timepoints = (endpoint.baseline, *endpoint.timepoints)
    parts = [_daily(cut, people, endpoint, [t for t in timepoints if t.days], until)]
    parts += [_at_visits(cut, people, endpoint, [t for t in timepoints if t.visit], until)]
    records = pd.concat([part for part in parts if not part.empty] or parts[:1], ignore_index=True)
    kept: pd.DataFrame = records[_COLUMNS].astype({"value": "float64"})
    return kept


def _daily(
    cut: Cut, people: pd.DataFrame, endpoint: Endpoint, timepoints: list[Timepoint], until: pd.Timestamp
) -> pd.DataFrame:
    """The diary days within each timepoint."""
    if not timepoints:
        return _nothing()
    rows = answers(cut, endpoint, endpoint.instrument, daily=True)
    rows = rows[rows["participant_id"].isin(people.index) & (rows["day"] <= until)]
    # A day answered under two versions of the diary is one day, and its later answer counts.
    rows = rows.sort_values(["participant_id", "day", "completed_at", "value"], kind="stable")
    rows = rows.drop_duplicates(["participant_id", "day"], keep="last").assign(on=lambda r: r["day"])
    days = (rows["day"] - people["day0"].reindex(rows["participant_id"]).to_numpy()).dt.days
    parts = []
    for timepoint in timepoints:
        first, last = timepoint.days or (0, 0)
        parts.append(rows[days.between(first, last)].assign(timepoint=timepoint.code))
    together: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return together


def _at_visits(
    cut: Cut, people: pd.DataFrame, endpoint: Endpoint, timepoints: list[Timepoint], until: pd.Timestamp
) -> pd.DataFrame:
    """One row per visit. Where two forms answer for one visit, the one completed last counts."""
    parts = []
    for instrument in dict.fromkeys(t.instrument or endpoint.instrument for t in timepoints):
        asked = {t.visit: t.code for t in timepoints if (t.instrument or endpoint.instrument) == instrument}
        rows = _sensory(cut, endpoint) if instrument == _QST else answers(cut, endpoint, instrument, daily=False)
        parts.append(rows.assign(timepoint=rows["visit"].map(asked)).dropna(subset=["timepoint", "value"]))
    if not parts:
        return _nothing()
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[rows["participant_id"].isin(people.index)].reset_index(drop=True)
    rows["on"] = local_days(rows["completed_at"], rows["participant_id"].map(people["zone"]))
    rows = rows[rows["on"] <= until].sort_values(["participant_id", "completed_at", "value"], kind="stable")
    last: pd.DataFrame = rows.drop_duplicates(["participant_id", "timepoint"], keep="last")
    return last


class Measured(Protocol):
    """Whatever names a value of an instrument: one of its items or one of its scores."""

    @property
    def item(self) -> str | None: ...
    @property
    def score(self) -> str | None: ...


def answers(cut: Cut, measured: Measured, instrument: str, *, daily: bool) -> pd.DataFrame:
    """participant_id, day or visit, completed_at, value of an instrument's item or score, and where it stands."""
    columns = ["id", "participant_id", "visit_id", "day", "completed_at"]
    versions = cut.rows("instrumentversion", ["id"], where=[("key", "==", instrument)])
    where: list[tuple[str, str, Any]] = [("instrument_id", "in", versions["id"].to_list())]
    rows = cut.rows("response", columns, where=[*where, ("status", "in", _ANSWERED)])
    item = measured.item is not None
    kind, key, value = ("responseitem", "item", "value") if item else ("score", "name", "number")
    name = measured.item if item else measured.score
    values = cut.rows(kind, ["id", "change_no", "response_id", value], where=[(key, "==", name)])
    values = values.dropna(subset=[value]).rename(columns={"id": "record", value: "value"})
    rows = rows.merge(values, left_on="id", right_on="response_id").assign(table=kind)
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
        ["id", "change_no", "session_id", "value", "z"],
        where=[("parameter", "==", parameter), ("area", "==", "test")],
    )
    rows = values.rename(columns={"id": "record"}).merge(sessions, left_on="session_id", right_on="id")
    rows["value"] = rows["z"].fillna(rows["value"])
    rows["visit"] = rows["visit_id"].map(_visit_codes(cut))
    return rows.assign(table="qstvalue").rename(columns={"tested_at": "completed_at"})


def _visit_codes(cut: Cut) -> pd.Series[Any]:
    return cut.rows("visit", ["id", "code"]).set_index("id")["code"]


def _nothing() -> pd.DataFrame:
    frame = pd.DataFrame({name: [] for name in _COLUMNS})
    return frame.astype({"on": "datetime64[us]", "value": "float64"})
