"""Adverse events, and (closed side only) what the infusion day showed, in each column."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.datasets import Cut, Trial
from analysis.interim.groups import Groups
from analysis.interim.numbers import share, summary

_RELATED = ("possible", "probable", "definite")
_GRADES = (1, 2, 3, 4, 5)
_DISSOCIATION = "cadss"


def adverse_events(trial: Trial, groups: Groups) -> dict[str, Any]:
    """Overview, and terms by grade: participants with at least one (each at the worst grade), and events.

    groups: the columns over the treated. Terms are compared without regard to case, and ordered by how many had them.
    """
    events = counted_events(trial)
    overview = [
        ("any", "Any adverse event", events["grade"] >= 1),
        ("treatment_emergent", "Treatment-emergent", events["treatment_emergent"].astype(bool)),
        ("related", "At least possibly related", events["relatedness"].isin(_RELATED)),
        ("grade3", "Grade 3 or higher", events["grade"] >= 3),
        ("serious", "Serious", events["serious"].astype(bool)),
        ("fatal", "Fatal", events["outcome"].eq("fatal") | events["grade"].eq(5)),
    ]
    return {
        "groups": groups.head(),
        "overview": [
            {"key": key, "label": label, "cells": _cells(events[which], groups)} for key, label, which in overview
        ],
        "terms": _terms(events, groups),
        "serious": _terms(events[events["serious"].astype(bool)], groups),
    }


def infusion_day(trial: Trial, restricted: Cut, groups: Groups) -> dict[str, Any]:
    """Arm-revealing: peak dissociation, rules that fired, extremes of vital signs, delivery, alerts."""
    return {
        "groups": groups.head(),
        "dissociation_peak": [summary(_dissociation_peaks(trial, restricted).reindex(ids)) for _, ids in groups],
        "rules": _rules(trial, restricted, groups),
        "actions": _actions(restricted, groups),
        "vital_signs": _vital_signs(restricted, groups),
        "delivered_percent": [summary(trial.people["delivered_percent"].reindex(ids)) for _, ids in groups],
        "alerts": _alerts(trial, restricted, groups),
    }


def counted_events(trial: Trial) -> pd.DataFrame:
    """The adverse events begun by the data date, their terms in one spelling."""
    columns = ["participant_id", "term", "started_on", "grade", "serious", "relatedness", "outcome"]
    events = trial.cut.rows("adverseevent", [*columns, "treatment_emergent"])
    limit = trial.until.date().isoformat()
    # A partial date counts until it certainly lies beyond the cut-off.
    begun = [start <= limit[: len(start)] for start in events["started_on"]]
    events = events[pd.Series(begun, index=events.index, dtype=bool)]
    return events.assign(term=events["term"].str.strip().str.capitalize())


def _cells(events: pd.DataFrame, groups: Groups) -> list[dict[str, Any]]:
    cells = []
    for _, ids in groups:
        here = events[events["participant_id"].isin(ids)]
        worst = here.groupby("participant_id")["grade"].max()
        cells.append(
            {
                **share(len(worst), len(ids)),
                "events": len(here),
                "worst_grade": {str(grade): int((worst == grade).sum()) for grade in _GRADES},
            }
        )
    return cells


def _terms(events: pd.DataFrame, groups: Groups) -> list[dict[str, Any]]:
    found = [(str(term), _cells(here, groups)) for term, here in events.groupby("term")]
    found = [(term, cells) for term, cells in found if any(cell["events"] for cell in cells)]
    found.sort(key=lambda row: (-sum(cell["count"] for cell in row[1]), row[0]))
    return [{"term": term, "cells": cells} for term, cells in found]


def _dissociation_peaks(trial: Trial, restricted: Cut) -> pd.Series[Any]:
    """The highest total of the dissociation scale after the infusion's start, on the infusion's clock."""
    versions = trial.cut.rows("instrumentversion", ["id", "key"])
    chosen = versions.loc[versions["key"].str.startswith(_DISSOCIATION), "id"].to_list()
    responses = restricted.rows(
        "response", ["id", "participant_id"], where=[("instrument_id", "in", chosen), ("minute", ">", 0)]
    )
    scores = restricted.rows("score", ["response_id", "number"], where=[("name", "==", "total")])
    totals = responses.merge(scores, left_on="id", right_on="response_id")
    return totals.groupby("participant_id")["number"].max()


def _rules(trial: Trial, restricted: Cut, groups: Groups) -> list[dict[str, Any]]:
    texts = {rule.id: rule.text for rule in trial.protocol.safety_rules} if trial.protocol else {}
    events = restricted.rows("safetyevent", ["participant_id", "rule", "action"])
    keys = events[["rule", "action"]].drop_duplicates().sort_values(["rule", "action"])
    return [
        {
            "rule": rule,
            "text": texts.get(rule, ""),
            "action": action,
            "cells": _participants(events[events["rule"].eq(rule) & events["action"].eq(action)], groups),
        }
        for rule, action in keys.itertuples(index=False)
    ]


def _actions(restricted: Cut, groups: Groups) -> list[dict[str, Any]]:
    events = restricted.rows("safetyevent", ["participant_id", "action"])
    words = events["action"].str.split(" ").str[0].str.upper()
    return [
        {"action": word, "cells": _participants(events[words.eq(word)], groups)} for word in ("ALERT", "HOLD", "STOP")
    ]


def _participants(rows: pd.DataFrame, groups: Groups) -> list[dict[str, Any]]:
    had = set(rows["participant_id"])
    return [share(sum(each in had for each in ids), len(ids)) for _, ids in groups]


def _vital_signs(restricted: Cut, groups: Groups) -> list[dict[str, Any]]:
    """The worst reading of each person after the start: the highest, for saturation and breathing the lowest."""
    rows = restricted.rows("reading", ["participant_id", "parameter", "value"], where=[("minute", ">=", 0)])
    table = []
    for parameter in sorted(rows["parameter"].unique()):
        lowest = parameter.lower() in ("spo2", "rr", "moaas")
        by_person = rows[rows["parameter"].eq(parameter)].groupby("participant_id")["value"]
        worst = by_person.min() if lowest else by_person.max()
        table.append(
            {
                "parameter": parameter,
                "extreme": "lowest" if lowest else "highest",
                "cells": [summary(worst.reindex(ids)) for _, ids in groups],
            }
        )
    return table


def _alerts(trial: Trial, restricted: Cut, groups: Groups) -> list[dict[str, Any]]:
    columns = ["participant_id", "code"]
    parts = [trial.cut.rows("safetyalert", columns), restricted.rows("safetyalert", columns)]
    rows = pd.concat([part for part in parts if not part.empty] or parts[:1])
    return [
        {"code": code, "cells": _participants(rows[rows["code"].eq(code)], groups)}
        for code in sorted(rows["code"].unique())
    ]
