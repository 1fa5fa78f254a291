"""The numbers of a CONSORT diagram: from those screened to those analysed in each arm (Hopewell et al. 2025)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from analysis.datasets import Trial
from analysis.interim.disposition import endpoint_due, screening
from analysis.interim.groups import Groups


def consort(trial: Trial, groups: Groups) -> dict[str, Any]:
    """Enrolment, and for each arm allocation, follow-up and analysis. Every participant is in one box of each row.

    groups: the randomised by arm. `analysed` counts the primary model's population; where the cut cannot derive it,
    the randomised.
    """
    before = screening(trial)
    return {
        "screened": before["screened"],
        "excluded": {"n": before["failed"], "reasons": before["failed_criteria"]},
        "in_screening": before["in_screening"],
        "randomised": before["randomised"],
        "arms": [_arm(trial, code, groups.labels[code], ids) for code, ids in groups],
    }


def _arm(trial: Trial, code: str, label: str, ids: pd.Index[Any]) -> dict[str, Any]:
    people = trial.people.loc[ids]
    chosen = trial.plan.primary_model.population
    analysed = people[chosen] if chosen in people.columns else people["RAND"]
    _, there = endpoint_due(trial)
    withdrawn = people["status"].eq("withdrawn")
    reasons = Counter(people.loc[withdrawn, "end_reason"].str.strip().replace("", "Not stated").fillna("Not stated"))
    return {
        "code": code,
        "label": label,
        "allocated": len(people),
        "treated": int(people["SAF"].sum()),
        "not_treated": int((~people["SAF"]).sum()),
        "completed": int(people["status"].eq("completed").sum()),
        "ongoing": int(people["status"].eq("ongoing").sum()),
        "withdrawn": int(withdrawn.sum()),
        "withdrawal_reasons": [
            {"label": reason, "count": count}
            for reason, count in sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
        ],
        "analysed": int(analysed.sum()),
        "not_analysed": int((~analysed).sum()),
        "with_endpoint": int((there.loc[ids] & analysed).sum()),
    }
