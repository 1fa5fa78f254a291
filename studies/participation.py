"""How a participant's time in the study ends."""

from __future__ import annotations

from datetime import date

from studies.acting import verb
from studies.errors import AlreadyDone, InvalidEntry
from studies.models import Participant, User
from studies.permissions import may_plan_visits, require

Status = Participant.Status


@verb(because="participant withdrew")
def withdraw(user: User, *, participant: Participant, on: date, reason: str) -> Participant:
    """End a participant's follow-up early. Raises NotAllowed, AlreadyDone, InvalidEntry."""
    if not reason.strip():
        raise InvalidEntry("Say why the participant leaves the study, or 'not given'.", field="reason")
    return _end(user, participant, Status.WITHDRAWN, on, reason)


@verb(because="participant completed the study")
def complete(user: User, *, participant: Participant, on: date) -> Participant:
    """Close a participant who has had the last visit. Raises NotAllowed, AlreadyDone."""
    return _end(user, participant, Status.COMPLETED, on, "")


def _end(user: User, participant: Participant, status: str, on: date, reason: str) -> Participant:
    require(may_plan_visits(user, participant.site), "end a participation here")
    participant = Participant.objects.select_for_update().get(pk=participant.pk)
    if participant.status not in (Status.SCREENING, Status.RANDOMISED):
        raise AlreadyDone(f"{participant} is already {participant.get_status_display().lower()}.")
    participant.status, participant.ended_on, participant.end_reason = status, on, reason[:200]
    participant.save(update_fields=["status", "ended_on", "end_reason"])
    return participant
