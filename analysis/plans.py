"""The analysis plan of a protocol version, frozen as text: a look runs what was written down before."""

from __future__ import annotations

from analysis.canonical import canonical_json, sha256_of
from analysis.models import Plan
from analysis.permissions import may_freeze_plan
from studies.acting import Program, verb
from studies.errors import InvalidEntry, TrialError
from studies.models import ProtocolVersion, Study, User
from studies.permissions import require


class PlanConflict(TrialError):
    """Two texts under one version."""

    code = "plan_conflict"


@verb(because="analysis plan frozen")
def freeze_plan(user: User | Program, *, protocol_version: ProtocolVersion) -> Plan:
    """Freeze the analysis plan of a protocol version as canonical JSON. Safe to repeat: a frozen plan stays.

    Raises NotAllowed; PlanConflict for another plan under a version that is frozen.
    """
    study = protocol_version.study
    require(may_freeze_plan(user, study), f"freeze the analysis plan of {study}")
    source = plan_source(protocol_version)
    plan, _ = Plan.objects.get_or_create(
        study=study,
        version=protocol_version.definition.analysis.version,
        defaults={
            "protocol_version": protocol_version,
            "source": source,
            "sha256": sha256_of(source.encode()),
        },
    )
    if plan.source != source:
        raise PlanConflict(
            f"The analysis plan of {protocol_version} differs from the frozen version {plan.version}: "
            "give it a new version number."
        )
    return plan


def plan_source(protocol_version: ProtocolVersion) -> str:
    """The section `analysis` of a protocol version as canonical JSON."""
    return canonical_json(protocol_version.definition.analysis.model_dump(mode="json")).decode()


def current_plan(study: Study) -> Plan:
    """The plan frozen last. Raises InvalidEntry if there is none."""
    plan = study.plans.order_by("pk").last()
    if plan is None:
        raise InvalidEntry(f"{study} has no frozen analysis plan: run freeze_plan {study} first.")
    return plan
