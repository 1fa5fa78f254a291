"""Was the blind kept: what participants, nurses and raters guessed, by James' and Bang's indices (DOMAIN 2.7)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.datasets import Trial, local_days
from analysis.interim.groups import Groups
from analysis.interim.numbers import estimated, fields, not_estimable
from analysis.statistics import blinding as indices
from studies.protocol.further_analyses import BlindingAssessment

_ANSWERED = ("complete", "partial")


def blinding(trial: Trial, groups: Groups) -> dict[str, Any]:
    """Guesses by visit and by who was asked, counted in the two arms compared, with both indices.

    counts: guess active, guess reference, do not know, each in the active and the reference arm. James: 1 nobody
    claims to know, 0 all know; Bang, by arm: 0 random, 1 all right, -1 all wrong.
    """
    rule = trial.plan.blinding
    if rule is None:
        return not_estimable("The plan does not assess the blind.")
    about = {"active": rule.active, "reference": rule.reference}
    return {**about, **estimated(lambda: {"rows": _rows(trial, groups, rule)})}


def _rows(trial: Trial, groups: Groups, rule: BlindingAssessment) -> list[dict[str, Any]]:
    guesses = _guesses(trial, groups, rule)
    if guesses.empty:
        raise ValueError("Nobody has been asked what treatment it was.")
    order = [*rule.visits]
    keys = sorted(
        set(zip(guesses["visit"], guesses["respondent"], strict=True)), key=lambda k: (order.index(k[0]), k[1])
    )
    return [{"visit": visit, "respondent": who, **_indices(guesses, visit, who, rule)} for visit, who in keys]


def _indices(guesses: pd.DataFrame, visit: str, who: str, rule: BlindingAssessment) -> dict[str, Any]:
    here = guesses[(guesses["visit"] == visit) & (guesses["respondent"] == who)]
    arms = (rule.active, rule.reference)
    answers = (rule.guesses[rule.active], rule.guesses[rule.reference], rule.do_not_know)
    counts = [[int(((here["guess"] == answer) & (here["arm"] == arm)).sum()) for arm in arms] for answer in answers]

    def compute() -> dict[str, Any]:
        bang = indices.bang(counts)
        return {
            "james": fields(indices.james(counts)),
            "bang": {rule.active: fields(bang.treatment), rule.reference: fields(bang.control)},
        }

    return {"counts": counts, **estimated(compute)}


def _guesses(trial: Trial, groups: Groups, rule: BlindingAssessment) -> pd.DataFrame:
    """visit, respondent, guess, arm: the last answer of each person asked about each participant."""
    versions = trial.cut.rows("instrumentversion", ["id"], where=[("key", "==", rule.instrument)])
    rows = trial.cut.rows(
        "response",
        ["id", "participant_id", "visit_id", "respondent", "completed_at"],
        where=[("instrument_id", "in", versions["id"].to_list()), ("status", "in", _ANSWERED)],
    )
    items = trial.cut.rows("responseitem", ["response_id", "value"], where=[("item", "==", rule.item)])
    visits = trial.cut.rows("visit", ["id", "code"]).set_index("id")["code"]
    rows = rows.merge(items.dropna(), left_on="id", right_on="response_id").rename(columns={"value": "guess"})
    rows = rows[rows["participant_id"].isin(groups.member.index)].reset_index(drop=True)
    rows = rows.assign(visit=rows["visit_id"].map(visits), arm=rows["participant_id"].map(groups.member))
    answered = local_days(rows["completed_at"], rows["participant_id"].map(trial.people["zone"]))
    rows = rows[(answered <= trial.until) & rows["visit"].isin(rule.visits)]
    rows = rows.sort_values(["participant_id", "completed_at", "guess"], kind="stable")
    last: pd.DataFrame = rows.drop_duplicates(["participant_id", "visit", "respondent"], keep="last")
    return last.assign(respondent=last["respondent"].fillna(""))
