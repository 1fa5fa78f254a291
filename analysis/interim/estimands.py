"""Every estimand of the plan with what estimates it: the question and its answer side by side (ICH E9(R1))."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.interim.numbers import not_estimable
from studies.protocol.analysis_plan import AnalysisPlan, Estimand

Result = Mapping[str, Any]
_FIELDS = ("estimate", "se", "lower", "upper")


def estimands(plan: AnalysisPlan, result: Result) -> list[dict[str, Any]]:
    """The primary estimand, then the supplementary ones, each with the estimate of its analysis.

    result: what the look has computed: models, sensitivity analyses, responders.
    """
    primary = _row(plan.estimand, plan.primary_model.id, result)
    return [primary, *(_row(each, each.analysis or "", result) for each in plan.supplementary_estimands)]


def _row(estimand: Estimand, analysis: str, result: Result) -> dict[str, Any]:
    about = estimand.model_dump(mode="json", exclude={"analysis"})
    return {**about, "analysis": analysis, **_estimate(analysis, result)}


def _estimate(analysis: str, result: Result) -> dict[str, Any]:
    if analysis == "responders":
        return _of_responders(result["responders"])
    found = [each for each in (*result["models"], *result["sensitivity"]) if each["id"] == analysis]
    if not found:
        return not_estimable("Its analysis is not in the plan.")
    if not found[0]["estimable"]:
        return not_estimable(found[0]["why"])
    effect = found[0]["effects"][0] if "effects" in found[0] else found[0]
    return {"estimable": True, **{name: effect.get(name) for name in _FIELDS}}


def _of_responders(responders: Result) -> dict[str, Any]:
    """The first definition of response and the first contrast."""
    if not responders["estimable"]:
        return not_estimable(responders["why"])
    contrast = responders["rows"][0]["contrasts"][0]
    if not contrast["estimable"]:
        return not_estimable(contrast["why"])
    return {"estimable": True, **{name: contrast["risk_difference"][name] for name in _FIELDS}}
