"""The endpoints that share one error, tested in the plan's order over the looks (Maurer & Bretz 2013; Glimm 2010)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

import numpy as np

from analysis.interim.numbers import estimated, not_estimable
from analysis.statistics import multiplicity
from analysis.statistics.planned_design import family_named, family_of
from studies.protocol.analysis_plan import AnalysisPlan
from studies.protocol.further_analyses import Multiplicity

_ALPHA_WITHOUT_LOOKS = 0.025
Result = Mapping[str, Any]


def order_of_testing(plan: AnalysisPlan, result: Result, earlier: Sequence[Result]) -> dict[str, Any]:
    """Which endpoints are rejected by now, each with the statistic of this look.

    result: what this look has computed so far (decision, models, proportions, dissociation). earlier: the results of
    the looks before. An endpoint that cannot be estimated is not rejected, and with a fixed sequence neither are
    those behind it.
    """
    rule = plan.multiplicity
    if rule is None:
        return not_estimable("The plan tests one endpoint.")
    tests = [_test(plan, key, result) for key in rule.endpoints]
    decided = estimated(lambda: _decided(plan, rule, tests, result, earlier))
    rejected = decided.pop("rejected", [None] * len(tests))
    at_look = decided.pop("at_look", [None] * len(tests))
    rows = [
        {**test, "rejected": reject, "rejected_at": look}
        for test, reject, look in zip(tests, rejected, at_look, strict=True)
    ]
    return {"procedure": rule.procedure, "tests": rows, **decided}


def _test(plan: AnalysisPlan, key: str, result: Result) -> dict[str, Any]:
    """The effect that judges an endpoint, and its z, positive towards benefit."""
    endpoint = plan.endpoint(key)
    about = {"endpoint": key, "label": endpoint.label, "role": endpoint.role}
    if endpoint.type == "dissociation_contrast":
        return {**about, "analysis": "dissociation", **_of(result["dissociation"], "level_contrast")}
    model = plan.model_of(key)
    if model is None:
        return {**about, "analysis": None, **not_estimable("No model judges it.")}
    found = [each for each in (*result["models"], *result["proportions"]) if each["id"] == model.id]
    about["analysis"] = model.id
    if not found:
        return {**about, **not_estimable("Its model was not fitted.")}
    if "contrasts" in found[0]:
        return {**about, **_effect(found[0]["contrasts"][0])}
    return {**about, **_of(found[0], "effects")}


def _of(analysis: Result, name: str) -> dict[str, Any]:
    if not analysis["estimable"]:
        return not_estimable(analysis["why"])
    effect = analysis[name]
    return _effect(effect[0] if isinstance(effect, list) else effect)


def _effect(effect: Result) -> dict[str, Any]:
    if not effect.get("estimable", True):
        return not_estimable(effect["why"])
    return {"estimable": True, **{name: effect[name] for name in ("estimate", "lower", "upper", "one_sided_p", "z")}}


def _decided(
    plan: AnalysisPlan, rule: Multiplicity, tests: list[dict[str, Any]], result: Result, earlier: Sequence[Result]
) -> dict[str, Any]:
    weights, transitions = _graph(rule)
    if plan.looks is None:
        p = [test["one_sided_p"] if test["estimable"] else 1.0 for test in tests]
        decisions = multiplicity.graphical(weights, transitions, p, alpha=_ALPHA_WITHOUT_LOOKS)
        return {
            "alpha": _ALPHA_WITHOUT_LOOKS,
            "rejected": decisions.rejected.tolist(),
            "at_look": [None] * len(tests),
            "adjusted_p": decisions.adjusted_p.tolist(),
        }
    if not result["decision"]["estimable"]:
        raise ValueError(result["decision"]["why"])
    timing = _timing(result["decision"])
    families = [
        family_of(plan.looks) if key == plan.looks.endpoint and key not in rule.spending else _family(plan, rule, key)
        for key in rule.endpoints
    ]
    z = np.array([*_before(rule, result["decision"], earlier), [_z(test) for test in tests]])
    found = multiplicity.group_sequential_graphical(
        weights, transitions, families, z, timing=timing, alpha=plan.looks.alpha
    )
    looks = [each["look"] for each in result["decision"]["path"]]
    return {
        "alpha": plan.looks.alpha,
        "spending": {key: rule.spending.get(key, plan.looks.spending) for key in rule.endpoints},
        "rejected": found.rejected.tolist(),
        "at_look": [looks[place - 1] if place else None for place in found.look.tolist()],
    }


def _family(plan: AnalysisPlan, rule: Multiplicity, key: str) -> Any:
    return family_named(rule.spending[key]) if key in rule.spending or plan.looks is None else family_of(plan.looks)


def _z(test: Result) -> float:
    return float(test["z"]) if test["estimable"] else nan


def _before(rule: Multiplicity, decision: Result, earlier: Sequence[Result]) -> list[list[float]]:
    """z of every endpoint at the looks that are on this look's path, nan where one was not tested there."""
    rows = []
    by_look = {each["decision"].get("look"): each for each in earlier}
    for step in decision["path"][:-1]:
        found = by_look.get(step["look"], {}).get("multiplicity", {}).get("tests", [])
        z = {test["endpoint"]: _z(test) for test in found}
        rows.append([z.get(key, nan) for key in rule.endpoints])
    return rows


def _timing(decision: Result) -> list[float]:
    """The information fractions of the looks so far and to come; the last look has all there will be."""
    times = [each["fraction"] for each in (*decision["path"], *decision["bounds_to_come"])]
    return [*times[:-1], 1.0]


def _graph(rule: Multiplicity) -> tuple[list[float], list[list[float]]]:
    """Weights and transitions; a fixed sequence hands all of its alpha to the next."""
    keys, count = rule.endpoints, len(rule.endpoints)
    if rule.procedure == "graphical":
        return (
            [rule.weights.get(key, 0.0) for key in keys],
            [[rule.transitions.get(one, {}).get(other, 0.0) for other in keys] for one in keys],
        )
    return (
        [1.0, *[0.0] * (count - 1)],
        [[1.0 if to == place + 1 else 0.0 for to in range(count)] for place in range(count)],
    )
