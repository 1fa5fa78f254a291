"""What tells the arm among measurements: side effects of the infusion, and what was raised because of them."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from outcomes.models import Response
from studies.models import Participant, SafetyAlert, User
from studies.permissions import arm_revealing_scope, of_visible_participants


def revealing_responses(participant: Participant) -> frozenset[int]:
    """Keys of a participant's responses to instruments that tell the arm."""
    rows = Response.objects.filter(participant=participant, instrument__arm_revealing=True)
    return frozenset(rows.values_list("pk", flat=True))


def visible_alerts(user: User) -> QuerySet[SafetyAlert]:
    """Alerts that a person may see: one that a side effect raised is for the infusion unit alone."""
    revealing = Response.objects.filter(instrument__arm_revealing=True).values("pk")
    by_side_effects = Q(source_kind="response", source_record__in=revealing)
    return SafetyAlert.objects.filter(of_visible_participants(user)).filter(
        ~by_side_effects | arm_revealing_scope(user)
    )
