"""What a new version of a plan must leave as it is once looks were taken under an earlier one.

Alpha that was spent is spent. A bound at a later look is computed from the information and z of the looks before under
the plan of that look, so whatever decides how much they spent stays for good (Lan & DeMets 1983: the spending function
is fixed beforehand). Models, covariates, sensitivity analyses and looks to come may change, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from analysis.models import Look
from studies.errors import InvalidEntry
from studies.models import Study
from studies.protocol.analysis_plan import AnalysisPlan
from studies.protocol.planned_looks import Looks

_FIXED = (
    "alpha",
    "sides",
    "spending",
    "spending_parameter",
    "maximum_information",
    "information_unit",
    "population",
    "endpoint",
)


def require_later(study: Study, version: str) -> None:
    """Raises InvalidEntry for a version number that is not above that of the version frozen last."""
    last = study.plans.order_by("pk").last()
    if last is not None and _numbers(version) <= _numbers(last.version):
        raise InvalidEntry(f"Version {version} does not come after {last.version}, frozen last.", field="text")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def require_kept(study: Study, plan: AnalysisPlan) -> None:
    """Raises InvalidEntry naming everything in `plan` that the looks taken in the study no longer allow."""
    taken = list(study.looks.select_related("plan").order_by("pk"))
    if taken:
        changed = list(_changed(taken, plan))
        if changed:
            first, last = taken[0].number, taken[-1].number
            said = f"Look {first} was taken" if first == last else f"Looks {first} to {last} were taken"
            raise InvalidEntry(
                f"{said} under the plan before, and what was spent there stands. " + " ".join(changed), field="text"
            )


def _changed(taken: list[Look], plan: AnalysisPlan) -> Iterator[str]:
    before = AnalysisPlan.model_validate_json(taken[-1].plan.source)
    if (before.looks is None) != (plan.looks is None):
        yield "Looks cannot be added or taken away."
    if before.looks is None or plan.looks is None:
        return
    for name in _FIXED:
        old, new = getattr(before.looks, name), getattr(plan.looks, name)
        if old != new:
            yield f"looks.{name} was {old!r} and must stay; it is {new!r}."
    better = before.endpoint(before.looks.endpoint).better
    now = next((each.better for each in plan.endpoints if each.id == before.looks.endpoint), better)
    if now != better:
        yield f"{before.looks.endpoint} is better when {better} and must stay so."
    yield from _looks_taken(taken, before.looks, plan.looks)


def _looks_taken(taken: list[Look], before: Looks, now: Looks) -> Iterator[str]:
    """A look that was taken stays as it was planned, and keeps its number to itself."""
    planned = {look.number: look for look in before.planned}
    kept = {look.number: look for look in now.planned}
    for look in taken:
        if not look.planned and look.number in kept:
            yield f"Number {look.number} was given to an unplanned look; the plan can have {look.number - 1} looks."
        if look.planned and kept.get(look.number) != planned.get(look.number):
            yield f"Look {look.number} was taken and must stay in the plan as it was."
    last = max((look.number for look in taken if look.planned), default=0)
    if last < len(before.planned) and last >= len(now.planned):
        yield f"After look {last} the plan needs a last look at {now.maximum_information} units."
