"""What an analysis plan may get wrong: names that lead nowhere, sequences with gaps, days without a diary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from studies.protocol.analysis_plan import AnalysisPlan, Endpoint, Estimand, Timepoint
from studies.protocol.baseline_findings import no_covariate_because
from studies.protocol.further_references import mistakes_in_further_analyses
from studies.protocol.schedule import collected_assessments
from studies.protocol.section import repeated
from studies.protocol.yaml_document import Mistake


def mistakes_in_analysis(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    """Names that lead nowhere: arms, visits, diary days, endpoints, populations, timepoints, factors."""
    plan = sections.get("analysis")
    if plan is None:
        return
    yield from _below(repeated("endpoints", plan.endpoints, "id"))
    yield from _below(repeated("populations", plan.populations, "code"))
    yield from _below(_one_primary(plan))
    yield from _below(_endpoints(plan, sections))
    yield from _below(_models(plan, sections))
    yield from _below(_references(plan))
    yield from _below(mistakes_in_further_analyses(plan, sections))


def _below(mistakes: Iterator[Mistake]) -> Iterator[Mistake]:
    for mistake in mistakes:
        yield Mistake(("analysis", *mistake.location), mistake.message)


def _one_primary(plan: AnalysisPlan) -> Iterator[Mistake]:
    if sum(endpoint.role == "primary" for endpoint in plan.endpoints) != 1:
        yield Mistake(("endpoints",), "Exactly one endpoint must have role: primary.")
    if sum(model.primary for model in plan.models) != 1:
        yield Mistake(("models",), "Exactly one model must have primary: true.")
    orders = sorted(endpoint.order for endpoint in plan.endpoints if endpoint.order is not None)
    if orders != list(range(1, len(orders) + 1)):
        yield Mistake(("endpoints",), f"The fixed sequence must be 1, 2, 3 without gaps; it is {orders}.")


def _endpoints(plan: AnalysisPlan, sections: Mapping[str, Any]) -> Iterator[Mistake]:
    if "visits" not in sections:
        return
    visits = {visit.id: visit for visit in sections["visits"]}
    imported = "study" in sections and sections["study"].origin == "imported"
    collected, diary = collected_assessments(sections), sections.get("diary")
    for index, endpoint in enumerate(plan.endpoints):
        place = ("endpoints", index)
        if endpoint.instrument not in collected:
            yield Mistake((*place, "instrument"), f"No visit collects '{endpoint.instrument}'.")
            continue
        for timepoint in (endpoint.baseline, *endpoint.timepoints):
            visit = visits.get(timepoint.visit or "")
            if timepoint.days and not (diary and diary.covers(*timepoint.days)):
                first, last = timepoint.days
                yield Mistake(place, f"The diary is not kept on all days from {first} to {last}.")
            elif timepoint.visit and visit is None:
                yield Mistake(place, f"'{timepoint.visit}' is not a visit.")
            elif visit and not imported and not _asked(endpoint, timepoint) & {a.key for a in visit.assessments}:
                yield Mistake(place, f"'{timepoint.instrument or endpoint.instrument}' is not collected at {visit.id}.")


def _asked(endpoint: Endpoint, timepoint: Timepoint) -> set[str]:
    return {timepoint.instrument or endpoint.instrument}


def _models(plan: AnalysisPlan, sections: Mapping[str, Any]) -> Iterator[Mistake]:
    arms = {arm.code for arm in sections.get("arms", ())}
    for index, model in enumerate(plan.models):
        for contrast in model.contrasts if arms else ():
            for code in sorted({contrast.active, contrast.reference} - arms):
                yield Mistake(("models", index, "contrasts"), f"'{code}' is not an arm.")
        named = {*model.covariates, *model.covariates_by_visit}
        yield from _covariates(("models", index, "covariates"), named, {"baseline"}, sections)
    mediation = plan.mechanism.mediation if plan.mechanism else None
    if mediation is not None:
        yield from _covariates(("mechanism", "mediation", "covariates"), {*mediation.covariates}, set(), sections)


def _covariates(
    place: tuple[str | int, ...], named: set[str], also: set[str], sections: Mapping[str, Any]
) -> Iterator[Mistake]:
    """Covariates that are none here: names that lead nowhere, and findings that no model may adjust for."""
    strata = sections.get("strata")
    if strata is None:
        return
    known = {"strata", "site", "age_years", "sex", *also, *(factor.key for factor in strata.factors)}
    findings = {finding.key: finding for finding in sections.get("findings", ())}
    for name in sorted(named - known):
        if name not in findings:
            yield Mistake(
                place,
                f"'{name}' is not a covariate here. Use {', '.join(sorted(known))}, or a finding of the protocol "
                "that is known before treatment.",
            )
        elif why := no_covariate_because(findings[name], sections):
            yield Mistake(place, f"The finding '{name}' {why}, so a model cannot adjust for it.")


def _references(plan: AnalysisPlan) -> Iterator[Mistake]:
    endpoints = {endpoint.id: endpoint for endpoint in plan.endpoints}
    populations = {population.code for population in plan.populations}
    parts: list[tuple[tuple[str | int, ...], Any]] = [
        (("models", index), model) for index, model in enumerate(plan.models)
    ]
    names = ("estimand", "looks", "responders", "loss_of_response")
    parts += [((name,), getattr(plan, name)) for name in names if getattr(plan, name) is not None]
    for place, part in parts:
        population = getattr(part, "population", None) if not isinstance(part, Estimand) else None
        if population is not None and population not in populations:
            yield Mistake((*place, "population"), f"'{population}' is not a population of the plan.")
        endpoint = endpoints.get(part.endpoint)
        if endpoint is None:
            yield Mistake((*place, "endpoint"), f"'{part.endpoint}' is not an endpoint of the plan.")
            continue
        codes = {timepoint.code for timepoint in (endpoint.baseline, *endpoint.timepoints)}
        for code in sorted({*getattr(part, "timepoints", ())} - codes):
            yield Mistake((*place, "timepoints"), f"'{code}' is not a timepoint of {endpoint.id}.")
