"""The analysis plan of a study: frozen as text, signed before the first look, changed only as a new version.

A look runs what was written down before. Once frozen, the text stays as it is for ever, and once signed so does the
signature: the database refuses anything else (migration 0004_plan_signature).
"""

from __future__ import annotations

from typing import Any

import orjson
from django.utils import timezone

from analysis.canonical import canonical_json, sha256_of
from analysis.differences import Difference, differences
from analysis.models import Plan
from analysis.permissions import may_freeze_plan, may_sign_plan
from analysis.plan_changes import require_kept, require_later
from studies.acting import Program, verb
from studies.errors import AlreadyDone, InvalidEntry, TrialError
from studies.models import ProtocolVersion, Study, User
from studies.permissions import require
from studies.protocol import DocumentInvalid
from studies.protocol.analysis_plan import AnalysisPlan
from studies.protocol.plan_file import load_plan

# What a signature stands for: kept with it, and shown wherever it is (21 CFR 11.50).
SIGNATURE_MEANING = "I have read this analysis plan and approve it: looks are analysed as it says, and not otherwise."


class PlanConflict(TrialError):
    """Two texts under one version."""

    code = "plan_conflict"


class PlanNotSigned(TrialError):
    """A look is ordered under a plan that nobody signed."""

    code = "plan_not_signed"


@verb(because="analysis plan frozen")
def freeze_plan(
    user: User | Program, *, protocol_version: ProtocolVersion, text: str = "", source: str = "", reason: str = ""
) -> Plan:
    """Freeze an analysis plan as canonical JSON. Safe to repeat: a frozen plan stays.

    text: a plan file; without it the plan that stands in the protocol. source: the file's name, for messages.
    reason: why the plan changes, where the study has another version already.
    Raises NotAllowed; InvalidEntry for a file with mistakes, a change without a reason, or one of what the looks
    taken so far rest on; PlanConflict for another plan under a version that is frozen.
    """
    study = protocol_version.study
    require(may_freeze_plan(user, study), f"freeze the analysis plan of {study}")
    plan = _read(protocol_version, text, source) if text else protocol_version.definition.analysis
    content = _plan_text(plan)
    frozen = study.plans.filter(version=plan.version).first()
    if frozen is None:
        require_later(study, plan.version)
        require_kept(study, plan)
        return Plan.objects.create(
            study=study,
            protocol_version=protocol_version,
            version=plan.version,
            source=content,
            sha256=sha256_of(content.encode()),
            change_reason=_reason_for_change(study, reason),
        )
    # Compared as plans, not as texts: a later schema spells out what an earlier text left to its defaults.
    if AnalysisPlan.model_validate_json(frozen.source) != plan:
        raise PlanConflict(
            f"The analysis plan of {protocol_version} differs from the frozen version {frozen.version}: "
            "give it a new version number.",
            field="text",
        )
    return frozen


@verb(because="analysis plan signed")
def sign_plan(user: User, *, plan: Plan, password: str) -> Plan:
    """Sign a frozen plan: who, when, what it means, and that the password was entered again.

    The signature covers the SHA-256 of the text.
    Raises NotAllowed; InvalidEntry for a wrong password; AlreadyDone for a plan that is signed, or that a later
    version has taken the place of.
    """
    require(may_sign_plan(user, plan.study), f"sign the analysis plan of {plan.study}")
    if not user.check_password(password):
        raise InvalidEntry("The password is not right. A plan is signed by entering it again.", field="password")
    plan = Plan.objects.select_for_update().get(pk=plan.pk)
    if plan.signed_at is not None:
        raise AlreadyDone(f"{plan} was signed by {plan.signed_name} before. A change is a new version.")
    later = plan.study.plans.filter(pk__gt=plan.pk).order_by("pk").last()
    if later is not None:
        raise AlreadyDone(f"Version {later.version} has taken the place of {plan}. Sign that one.")
    plan.signed_by = user.get_username()
    plan.signed_name = user.get_full_name() or user.get_username()
    plan.signed_at = timezone.now()
    plan.signed_meaning = SIGNATURE_MEANING
    plan.save(update_fields=["signed_by", "signed_name", "signed_at", "signed_meaning"])
    plan.refresh_from_db()
    return plan


def plan_source(protocol_version: ProtocolVersion) -> str:
    """The plan that stands in a protocol version, in the spelling that is frozen."""
    return _plan_text(protocol_version.definition.analysis)


def _plan_text(plan: AnalysisPlan) -> str:
    return canonical_json(plan.model_dump(mode="json")).decode()


def current_plan(study: Study) -> Plan:
    """The plan frozen last. Raises InvalidEntry if there is none."""
    plan = study.plans.order_by("pk").last()
    if plan is None:
        raise InvalidEntry(f"{study} has no frozen analysis plan. Freeze one at Study, Analysis plan.")
    return plan


def unsigned_plan(study: Study) -> Plan | None:
    """The plan frozen last, if it waits for the signature that a look needs."""
    plan = study.plans.order_by("pk").last()
    waits = plan is not None and plan.signed_at is None and study.origin == Study.Origin.CONDUCTED
    return plan if waits else None


def require_signature(plan: Plan) -> None:
    """Raises PlanNotSigned for the plan of a trial that is conducted here, unless somebody signed it.

    A finished trial that was imported has its results in print: nobody can sign before it.
    """
    if plan.signed_at is None and plan.study.origin == Study.Origin.CONDUCTED:
        raise PlanNotSigned(
            f"{plan} is not signed, so no look may be taken under it. A statistician signs it at Study, Analysis "
            f"plan, or by freeze_plan {plan.study} --signed-by NAME."
        )


def plan_before(plan: Plan) -> Plan | None:
    """The version that a plan changes: the last one signed before it, or else the one frozen before it.

    A version that nobody signed was never in force, so what it changed is shown again by the next one.
    """
    earlier = plan.study.plans.filter(pk__lt=plan.pk).order_by("pk")
    return earlier.filter(signed_at__isnull=False).last() or earlier.last()


def changes_of(plan: Plan) -> list[Difference]:
    """What a plan changed against the version before it; nothing for the first."""
    before = plan_before(plan)
    if before is None:
        return []
    return list(differences(orjson.loads(before.source), orjson.loads(plan.source)))


def about_plan(plan: Plan) -> dict[str, Any]:
    """Version, hash, signature and changes of a plan, as a report shows them."""
    signed = None
    if plan.signed_at is not None:
        signed = {
            "by": plan.signed_by,
            "name": plan.signed_name,
            "at": plan.signed_at.isoformat(),
            "meaning": plan.signed_meaning,
        }
    return {
        "version": plan.version,
        "sha256": sha256_of(plan.source.encode()),
        "signature": signed,
        "change_reason": plan.change_reason,
        "changes": [{"path": each.path, "before": each.before, "after": each.after} for each in changes_of(plan)],
    }


def _read(protocol_version: ProtocolVersion, text: str, source: str) -> AnalysisPlan:
    try:
        return load_plan(text, protocol_version.definition, source=source or "the plan file")
    except DocumentInvalid as error:
        raise InvalidEntry(str(error), field="text") from error


def _reason_for_change(study: Study, reason: str) -> str:
    reason, changes = reason.strip(), study.plans.exists()
    if changes and not reason:
        raise InvalidEntry(f"{study} has a frozen analysis plan. Say why it changes.", field="reason")
    return reason if changes else ""
