"""How complete, timely and true to the schedule the data are, pooled over arms."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.datasets import Trial, local_days
from analysis.interim.groups import Groups
from analysis.interim.numbers import not_estimable, share, summary
from studies.protocol.arm_revealing import Revealing

# Monitoring plans commonly ask for entry within a week.
LATE_AFTER_DAYS = 7
_ANSWERED = ("complete", "partial")


def data_quality(trial: Trial) -> dict[str, Any]:
    """Forms due and there, diary days, late entry, visits and their windows, deviations, missing endpoint values."""
    responses = counted_responses(trial)
    visits = counted_visits(trial)
    return {
        "visits": _visit_rows(visits),
        "forms": _forms(trial, visits, responses),
        "diary": _diary(trial, responses),
        "late_entry": _late_entry(responses),
        "deviations": _deviations(trial),
        "queries": not_estimable("The cut holds no queries."),
        "missing_patterns": missing_patterns(trial),
        "not_finite": not_finite(trial),
    }


def not_finite(trial: Trial) -> list[dict[str, Any]]:
    """Endpoints of which values are infinite: these count as missing, and somebody should correct them."""
    rows = []
    for endpoint in trial.plan.endpoints:
        trial.values(endpoint)
        if count := trial.not_finite[endpoint.id]:
            rows.append({"endpoint": endpoint.id, "label": endpoint.label, "count": count})
    return rows


def missing_patterns(trial: Trial) -> dict[str, Any]:
    """Which of the primary endpoint's timepoints are there, for those of whom all are due: one row a pattern."""
    there = _there(trial)
    return {**_pattern_head(trial), "n": len(there), "rows": _patterns(there)}


def missing_patterns_by_arm(trial: Trial, groups: Groups) -> dict[str, Any]:
    """The same in every arm; `monotone`: nothing is there after the first that is missing."""
    there = _there(trial)
    parts = [(code, there[there.index.isin(ids)]) for code, ids in groups]
    return {
        **_pattern_head(trial),
        "groups": [
            {"code": code, "label": groups.labels[code], "n": len(rows), "rows": _patterns(rows)}
            for code, rows in parts
        ],
    }


def _pattern_head(trial: Trial) -> dict[str, Any]:
    endpoint, codes = trial.plan.primary_endpoint, _timepoints_of_primary(trial)
    labels = [endpoint.baseline.label or codes[0], *(endpoint.timepoint(code).label or code for code in codes[1:])]
    return {"timepoints": codes, "labels": labels}


def _there(trial: Trial) -> pd.DataFrame:
    """For those of whom all timepoints are due: which are there."""
    endpoint, codes = trial.plan.primary_endpoint, _timepoints_of_primary(trial)
    last = endpoint.timepoint(codes[-1]).days
    due = trial.people["RAND"].copy()
    if last:
        due &= trial.people["day0"] + pd.Timedelta(days=last[1]) <= trial.data_date
    return trial.values(endpoint).loc[due, codes].notna()


def _patterns(there: pd.DataFrame) -> list[dict[str, Any]]:
    codes = list(there.columns)
    counts = there.value_counts().rename("count").reset_index()
    counts = counts.sort_values(["count", *codes], ascending=False)
    rows = []
    for _, row in counts.iterrows():
        pattern = [bool(row[code]) for code in codes]
        rows.append(
            {"there": pattern, "count": int(row["count"]), "monotone": pattern == sorted(pattern, reverse=True)}
        )
    return rows


def _timepoints_of_primary(trial: Trial) -> list[str]:
    endpoint, model = trial.plan.primary_endpoint, trial.plan.primary_model
    chosen = [code for code in model.timepoints if code != endpoint.baseline.code] or [endpoint.at]
    return [endpoint.baseline.code, *chosen]


def counted_visits(trial: Trial) -> pd.DataFrame:
    """Every visit of the screened, with whether it is done, missed and due by the data date."""
    columns = ["id", "participant_id", "code", "position", "closes_at", "started_at", "status", "out_of_window"]
    visits = trial.cut.rows("visit", columns)
    visits = visits[visits["participant_id"].isin(trial.people.index)].reset_index(drop=True)
    zones = visits["participant_id"].map(trial.people["zone"])
    closed = local_days(visits["closes_at"], zones) <= trial.data_date
    started = local_days(visits["started_at"], zones)
    # A done visit without a time belongs to an imported study.
    visits["done"] = visits["status"].eq("done") & ~(started > trial.until)
    visits["missed"] = visits["status"].eq("missed") & ~(local_days(visits["closes_at"], zones) > trial.until)
    visits["due"] = visits["done"] | visits["missed"] | closed
    left = trial.people["status"].isin(("withdrawn", "screen_failure"))
    gone = visits["participant_id"].map(left).astype(bool)
    visits["due"] &= visits["done"] | visits["missed"] | ~gone
    return visits


def counted_responses(trial: Trial) -> pd.DataFrame:
    """Every answered form that counts by the data date, with its instrument's key."""
    columns = ["participant_id", "visit_id", "day", "instrument_id", "status", "completed_at", "entered_at"]
    rows = trial.cut.rows("response", columns)
    rows = rows[rows["participant_id"].isin(trial.people.index)].reset_index(drop=True)
    keys = trial.cut.rows("instrumentversion", ["id", "key"]).set_index("id")["key"]
    rows["instrument"] = rows["instrument_id"].map(keys)
    done = local_days(rows["completed_at"], rows["participant_id"].map(trial.people["zone"]))
    return rows[done <= trial.until]


def _visit_rows(visits: pd.DataFrame) -> list[dict[str, Any]]:
    order = visits.groupby("code")["position"].min().sort_values(kind="stable").index
    rows = []
    for code in order:
        here = visits[visits["code"].eq(code) & visits["due"]]
        done, missed = int(here["done"].sum()), int(here["missed"].sum())
        rows.append(
            {
                "visit": code,
                "due": len(here),
                "done": done,
                "missed": missed,
                "overdue": len(here) - done - missed,
                "out_of_window": share(int((here["done"] & here["out_of_window"]).sum()), done),
            }
        )
    return rows


def _forms(trial: Trial, visits: pd.DataFrame, responses: pd.DataFrame) -> dict[str, Any]:
    """Questionnaires of visits that took place, those apart that would tell the arm and are not in the blinded cut."""
    if trial.protocol is None:
        return not_estimable("The cut's protocol text cannot be read, so it is not known which forms are due.")
    versions = trial.cut.rows("instrumentversion", ["key", "arm_revealing"])
    flagged = versions.loc[versions["arm_revealing"].astype(bool), "key"]
    hidden = Revealing.of([trial.protocol], flagged=flagged).instruments
    done = visits[visits["done"]].set_index("id")["code"]
    at_visits = responses.assign(visit=responses["visit_id"].map(done)).dropna(subset=["visit"])
    status = at_visits.groupby(["visit", "status"]).size()
    rows = []
    for visit in trial.protocol.visits:
        each = [a for a in visit.due() if a.kind == "instrument" and a.key not in hidden]
        due = len(each) * int((done == visit.id).sum())
        if due:
            counts = {word: int(status.get((visit.id, word), 0)) for word in (*_ANSWERED, "not_done", "refused")}
            rows.append({"visit": visit.id, "label": visit.label, "due": due, **_form_counts(due, counts)})
    return {"estimable": True, "rows": rows, "left_out": sorted(hidden)}


def _form_counts(due: int, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "complete": share(counts["complete"], due),
        "partial": counts["partial"],
        "not_done": counts["not_done"] + counts["refused"],
        "missing": max(due - sum(counts.values()), 0),
    }


def _diary(trial: Trial, responses: pd.DataFrame) -> dict[str, Any]:
    """Diary days due by the data date, for participants while in the study, and how many hold an entry."""
    if trial.protocol is None or trial.protocol.diary is None:
        return not_estimable("The protocol has no diary.")
    people = trial.people[trial.people["infusion_on"].notna()]
    ends = trial.cut.rows("participant", ["id", "ended_on"]).set_index("id")["ended_on"].reindex(people.index)
    last = (ends.where(ends < trial.data_date, trial.data_date) - people["infusion_on"]).dt.days
    diary = responses[responses["instrument"].eq(trial.protocol.diary.instrument) & responses["day"].notna()]
    diary = diary[diary["participant_id"].isin(people.index) & diary["status"].isin(_ANSWERED)]
    day = (diary["day"] - people["infusion_on"].reindex(diary["participant_id"]).to_numpy()).dt.days
    rows = []
    for start, end in trial.protocol.diary.days:
        due = int((last.clip(upper=end) - start + 1).clip(lower=0).sum())
        rows.append({"days": [start, end], **share(int(day.between(start, end).sum()), due)})
    return {"estimable": True, "rows": rows}


def _late_entry(responses: pd.DataFrame) -> dict[str, Any]:
    """Days from answering to entry. Imported rows were all entered at once and say nothing."""
    days = (responses["entered_at"] - responses["completed_at"]).dt.total_seconds() / 86400
    facts = summary(days.clip(lower=0))
    return {
        **facts,
        "late_after_days": LATE_AFTER_DAYS,
        "late": share(int((days > LATE_AFTER_DAYS).sum()), len(days)),
    }


def _deviations(trial: Trial) -> list[dict[str, Any]]:
    rows = trial.cut.rows("deviation", ["participant_id", "kind", "severity", "occurred_on"])
    rows = rows[~(rows["occurred_on"] > trial.until) & rows["participant_id"].isin(trial.people.index)]
    table = []
    for kind in sorted(rows["kind"].unique()):
        here = rows[rows["kind"].eq(kind)]
        people = here["participant_id"].nunique()
        counts = {word: int(here["severity"].eq(word).sum()) for word in ("minor", "major")}
        table.append({"kind": kind, **counts, "participants": int(people)})
    return table
