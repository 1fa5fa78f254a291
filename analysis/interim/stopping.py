"""The plan's safety stopping rules at a look: counted in the cut, as treated, and judged in every arm named."""

from __future__ import annotations

from typing import Any

from analysis.datasets import Cut, Trial
from analysis.interim.groups import Groups
from analysis.interim.numbers import estimated
from analysis.interim.safety import counted_events
from analysis.statistics import stopping_rules as rules
from studies.protocol.stopping_rules import StoppingRule


def stopping(trial: Trial, restricted: Cut, treated: Groups) -> list[dict[str, Any]]:
    """Every rule of the plan: how many had the event in each arm, what the rule says there, and whether it stops.

    treated: the safety population as treated. A rule that names an arm is judged in that one, the other arms are
    shown beside it; one that names none in each arm. Before `not_before` participants a rule stops nothing.
    """
    return [_rule(trial, restricted, treated, rule) for rule in trial.plan.stopping_rules]


def _rule(trial: Trial, restricted: Cut, treated: Groups, rule: StoppingRule) -> dict[str, Any]:
    had = _had_event(trial, restricted, rule)
    cells = []
    for code, ids in treated:
        events, n = sum(each in had for each in ids), len(ids)
        judged = rule.arm is None or rule.arm == code
        enough = n >= rule.not_before
        found = estimated(lambda events=events, n=n: _judge(rule, events, n))  # type: ignore[misc]
        stops = bool(judged and enough and found.get("stops", False))
        cells.append({"arm": code, "judged": judged, "enough": enough, **found, "stops": stops})
    about = rule.model_dump(mode="json", include={"id", "label", "event", "arm", "method", "limit", "not_before"})
    about |= {"threshold": rule.probability if rule.method == "beta_binomial" else rule.alpha, "prior": rule.prior}
    return {**about, "groups": treated.head(), "cells": cells, "stops": any(cell["stops"] for cell in cells)}


def _judge(rule: StoppingRule, events: int, n: int) -> dict[str, Any]:
    if n == 0:
        raise ValueError("Nobody was treated.")
    if rule.method == "beta_binomial":
        bayes = rules.beta_binomial(
            events, n, limit=rule.limit, threshold=float(rule.probability or 0), prior=rule.prior
        )
        return {
            "events": events,
            "n": n,
            "rate": events / n,
            "estimate": bayes.mean,
            "lower": bayes.lower,
            "upper": bayes.upper,
            "probability": bayes.probability,
            "boundary": bayes.boundary,
            "stops": bayes.stops,
        }
    test = rules.exact(events, n, limit=rule.limit, alpha=float(rule.alpha or 0))
    return {
        "events": events,
        "n": n,
        "rate": events / n,
        "estimate": test.estimate,
        "lower": test.lower,
        "upper": test.upper,
        "p": test.p,
        "boundary": test.boundary,
        "stops": test.stops,
    }


def _had_event(trial: Trial, restricted: Cut, rule: StoppingRule) -> set[int]:
    """The participants who had it up to the data date."""
    if rule.event == "infusion_stopped":
        fired = restricted.rows("safetyevent", ["participant_id", "action"])
        return set(fired.loc[fired["action"].str.upper().str.startswith("STOP"), "participant_id"])
    events = counted_events(trial)
    chosen = events["treatment_emergent"].astype(bool)
    if rule.event == "serious_adverse_event":
        chosen &= events["serious"].astype(bool)
    if rule.terms:
        chosen &= events["term"].str.casefold().isin({term.strip().casefold() for term in rule.terms})
    if rule.related:
        chosen &= events["relatedness"].isin(("possible", "probable", "definite"))
    chosen &= events["grade"] >= rule.grade_at_least
    return set(events.loc[chosen, "participant_id"])
