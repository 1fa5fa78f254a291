"""What tells the arm among measurements: side effects of the infusion, and what was raised because of them."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from outcomes.models import Response
from studies.models import Finding, Participant, SafetyAlert, User
from studies.permissions import arm_revealing_scope, of_visible_participants


def revealing_responses(participant: Participant) -> frozenset[int]:
    """Keys of a participant's responses to instruments that tell the arm."""
    rows = Response.objects.filter(participant=participant, instrument__arm_revealing=True)
    return frozenset(rows.values_list("pk", flat=True))


def visible_responses(user: User, path: str = "") -> Q:
    """A condition for rows of responses that a person may see; `path` leads from the row to the response."""
    visible = of_visible_participants(user, f"{path}participant")
    return visible & (
        Q(**{f"{path}instrument__arm_revealing": False}) | arm_revealing_scope(user, f"{path}participant")
    )


def visible_alerts(user: User) -> QuerySet[SafetyAlert]:
    """Alerts that a person may see: one that a side effect raised is for the infusion unit alone."""
    revealing = Response.objects.filter(instrument__arm_revealing=True).values("pk")
    by_side_effects = Q(source_kind="response", source_record__in=revealing)
    return SafetyAlert.objects.filter(of_visible_participants(user)).filter(
        ~by_side_effects | arm_revealing_scope(user)
    )


def visible_findings(user: User) -> QuerySet[Finding]:
    """Findings that a person may see: what came from a side effect or from the bedside is the infusion unit's."""
    revealing = Response.objects.filter(instrument__arm_revealing=True).values("pk")
    from_the_unit = Q(source_kind="response", source_record__in=revealing) | Q(source_kind="infusion")
    return Finding.objects.filter(of_visible_participants(user)).filter(~from_the_unit | arm_revealing_scope(user))
