"""A plan file before it is frozen: its mistakes, each at its line, and what it would change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from analysis.differences import Difference, differences
from analysis.models import Plan
from analysis.plan_changes import require_kept, require_later
from studies.errors import InvalidEntry
from studies.models import ProtocolVersion, Study
from studies.protocol import DocumentInvalid
from studies.protocol.analysis_plan import AnalysisPlan
from studies.protocol.plan_file import load_plan
from studies.protocol.yaml_document import Mistake, Problem, locate


@dataclass(frozen=True, slots=True)
class CheckedPlan:
    """What a plan file is: its mistakes or, without any, its version and what it changes against the plan in force."""

    problems: tuple[Problem, ...]
    version: str = ""
    changes: tuple[Difference, ...] = ()

    @property
    def may_be_frozen(self) -> bool:
        """Whether it is a new version without a mistake."""
        return not self.problems and bool(self.changes)


def check_plan(protocol_version: ProtocolVersion, text: str, *, source: str) -> CheckedPlan:
    """Check a plan file against its protocol, the versions frozen before and the looks taken. Writes nothing.

    source: the file's name, for messages. A file that says what the plan in force says has no changes.
    """
    try:
        plan = load_plan(text, protocol_version.definition, source=source)
    except DocumentInvalid as error:
        return CheckedPlan(tuple(error.problems))
    mistakes = list(_mistakes(protocol_version.study, plan))
    if mistakes:
        return CheckedPlan(tuple(locate(text, mistakes, source=source)), plan.version)
    return CheckedPlan((), plan.version, tuple(_changes(protocol_version.study, plan)))


def _mistakes(study: Study, plan: AnalysisPlan) -> Iterator[Mistake]:
    frozen = study.plans.filter(version=plan.version).first()
    if frozen is not None and not _same(frozen, plan):
        said = f"Version {plan.version} is frozen with another text. Give this one a new version number."
        yield Mistake(("analysis", "version"), said)
        return
    if frozen is not None:
        return
    try:
        require_later(study, plan.version)
    except InvalidEntry as error:
        yield Mistake(("analysis", "version"), error.message)
    try:
        require_kept(study, plan)
    except InvalidEntry as error:
        yield Mistake(("analysis", "looks"), error.message)


def _same(frozen: Plan, plan: AnalysisPlan) -> bool:
    return AnalysisPlan.model_validate_json(frozen.source) == plan


def _changes(study: Study, plan: AnalysisPlan) -> Iterator[Difference]:
    """Against the plan frozen last; the first plan is new as a whole."""
    before = study.plans.order_by("pk").last()
    earlier = orjson.loads(before.source) if before else {}
    yield from differences(earlier, plan.model_dump(mode="json"))
