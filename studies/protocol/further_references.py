"""Names in a plan's further analyses that lead nowhere: models, endpoints, timepoints, dimensions, arms, events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from studies.protocol.analysis_plan import AnalysisPlan, Estimand
from studies.protocol.section import repeated
from studies.protocol.yaml_document import Mistake

Place = tuple[str | int, ...]


def mistakes_in_further_analyses(plan: AnalysisPlan, sections: Mapping[str, Any]) -> Iterator[Mistake]:
    """Everything wrong in them, with its place below `analysis`."""
    yield from repeated("sensitivity", plan.sensitivity, "id")
    yield from repeated("stopping_rules", plan.stopping_rules, "id")
    yield from repeated("supplementary_estimands", plan.supplementary_estimands, "id")
    yield from _tested(plan)
    yield from _sensitivity(plan)
    yield from _subgroups(plan, sections)
    yield from _estimands(plan)
    yield from _mechanism(plan)
    yield from _arms(plan, sections)
    yield from _recorded(plan, sections)


def _unknown(place: Place, name: str | None, known: set[str], what: str) -> Iterator[Mistake]:
    if name is not None and name not in known:
        yield Mistake(place, f"'{name}' is not {what}. Use {', '.join(sorted(known)) or 'none: there is none'}.")


def _endpoints(plan: AnalysisPlan) -> set[str]:
    return {endpoint.id for endpoint in plan.endpoints}


def _models(plan: AnalysisPlan) -> set[str]:
    return {model.id for model in plan.models}


def _tested(plan: AnalysisPlan) -> Iterator[Mistake]:
    """Every endpoint that is tested has something that tests it."""
    if plan.multiplicity is None:
        return
    for index, key in enumerate(plan.multiplicity.endpoints):
        place = ("multiplicity", "endpoints", index)
        yield from _unknown(place, key, _endpoints(plan), "an endpoint of the plan")
        if key in _endpoints(plan) and not _has_a_test(plan, key):
            yield Mistake(place, f"No model of the plan judges '{key}', so it cannot be tested. Add one to models.")
    primary = {endpoint.id for endpoint in plan.endpoints if endpoint.role == "primary"}
    if plan.multiplicity.endpoints[0] not in primary:
        yield Mistake(("multiplicity", "endpoints", 0), "The first endpoint that is tested must be the primary one.")


def _has_a_test(plan: AnalysisPlan, key: str) -> bool:
    if plan.endpoint(key).type == "dissociation_contrast":
        return plan.mechanism is not None and plan.mechanism.dissociation is not None
    return plan.model_of(key) is not None


def _sensitivity(plan: AnalysisPlan) -> Iterator[Mistake]:
    events = {event.id for event in plan.events if event.recorded_as}
    for index, each in enumerate(plan.sensitivity):
        place = ("sensitivity", index)
        yield from _unknown((*place, "model"), each.model, _models(plan), "a model of the plan")
        for event in each.events:
            yield from _unknown((*place, "events"), event, events, "an intercurrent event with recorded_as")
        model = next((model for model in plan.models if model.id == each.model), None)
        if model is not None and (model.method != "mmrm" or model.effect != "difference"):
            yield Mistake(
                (*place, "model"), f"'{each.model}' must be an mmrm of differences: values are imputed under it."
            )


def _subgroups(plan: AnalysisPlan, sections: Mapping[str, Any]) -> Iterator[Mistake]:
    if plan.subgroups is None:
        return
    yield from _unknown(("subgroups", "model"), plan.subgroups.model, _models(plan), "a model of the plan")
    strata = sections.get("strata")
    if strata is None:
        return
    known = {"site", "sex", *(factor.key for factor in strata.factors)}
    for factor in plan.subgroups.factors:
        yield from _unknown(("subgroups", "factors"), factor, known, "a factor that makes subgroups here")


def _estimands(plan: AnalysisPlan) -> Iterator[Mistake]:
    known = _models(plan) | {each.id for each in plan.sensitivity}
    known |= {"responders"} if plan.responders else set()
    for index, estimand in enumerate(plan.supplementary_estimands):
        place = ("supplementary_estimands", index)
        yield from _unknown((*place, "endpoint"), estimand.endpoint, _endpoints(plan), "an endpoint of the plan")
        if estimand.analysis is None:
            yield Mistake(place, f"Say which analysis estimates '{estimand.id}': {', '.join(sorted(known))}.")
        yield from _unknown((*place, "analysis"), estimand.analysis, known, "an analysis of the plan")
        yield from _repeated_events(place, estimand)


def _repeated_events(place: Place, estimand: Estimand) -> Iterator[Mistake]:
    for mistake in repeated("intercurrent_events", estimand.intercurrent_events, "id"):
        yield Mistake((*place, *mistake.location), mistake.message)


def _mechanism(plan: AnalysisPlan) -> Iterator[Mistake]:
    if plan.mechanism is None:
        return
    for number, dimension in enumerate(plan.mechanism.dimensions):
        for index, source in enumerate(dimension.sources):
            place = ("mechanism", "dimensions", number, "sources", index)
            yield from _unknown((*place, "endpoint"), source.endpoint, _endpoints(plan), "an endpoint of the plan")
            if source.endpoint in _endpoints(plan):
                codes = {timepoint.code for timepoint in plan.endpoint(source.endpoint).timepoints}
                for code in source.days:
                    yield from _unknown((*place, "days"), code, codes, f"a timepoint of {source.endpoint}")


def _arms(plan: AnalysisPlan, sections: Mapping[str, Any]) -> Iterator[Mistake]:
    arms = {arm.code for arm in sections.get("arms", ())}
    populations = {population.code for population in plan.populations}
    if not arms:
        return
    for name in ("mechanism", "blinding"):
        part = getattr(plan, name)
        for side in ("active", "reference") if part is not None else ():
            yield from _unknown((name, side), getattr(part, side), arms, "an arm")
    if plan.mechanism is not None:
        yield from _unknown(
            ("mechanism", "population"), plan.mechanism.population, populations, "a population of the plan"
        )
    for index, rule in enumerate(plan.stopping_rules):
        yield from _unknown(("stopping_rules", index, "arm"), rule.arm, arms, "an arm")


def _recorded(plan: AnalysisPlan, sections: Mapping[str, Any]) -> Iterator[Mistake]:
    diary = sections.get("diary")
    for index, event in enumerate(plan.events):
        recorded = event.recorded_as
        if recorded is None or recorded.days is None:
            continue
        if diary is None or recorded.instrument != diary.instrument or not diary.covers(*recorded.days):
            yield Mistake(
                ("estimand", "intercurrent_events", index, "recorded_as"),
                f"The diary does not ask '{recorded.instrument}' on all days {recorded.days[0]} to {recorded.days[1]}.",
            )
