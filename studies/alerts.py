"""Alerts to the site's physician: raised by what was entered, acknowledged in time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from studies.acting import moment, verb
from studies.errors import AlreadyDone, InvalidEntry
from studies.models import Participant, SafetyAlert, User
from studies.permissions import may_acknowledge_alert, require

# Where the protocol names no time of its own.
DUE_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NewAlert:
    participant: Participant
    code: str
    source_kind: str
    source_record: int


def raise_alerts(alerts: Iterable[NewAlert], *, at: datetime) -> None:
    """Raise alerts, each once for the record that caused it; a repetition changes nothing."""
    SafetyAlert.objects.bulk_create(
        [
            SafetyAlert(
                participant=a.participant,
                code=a.code,
                source_kind=a.source_kind,
                source_record=a.source_record,
                raised_at=at,
                due_at=at + _due_within(a),
            )
            for a in alerts
        ],
        ignore_conflicts=True,
    )


def _due_within(alert: NewAlert) -> timedelta:
    plans = alert.participant.protocol_version.definition.alerts
    hours = next((plan.acknowledge_within_hours for plan in plans if plan.code == alert.code), None)
    return timedelta(hours=hours) if hours else DUE_WITHIN


@verb(because="alert acknowledged")
def acknowledge(user: User, *, alert: SafetyAlert, action_taken: str) -> SafetyAlert:
    """The physician has seen the alert and says what was done. Raises NotAllowed, AlreadyDone, InvalidEntry."""
    alert = SafetyAlert.objects.select_for_update().select_related("participant__site").get(pk=alert.pk)
    require(may_acknowledge_alert(user, alert.participant.site), "acknowledge alerts here")
    if alert.acknowledged_at:
        raise AlreadyDone(f"{alert.acknowledged_by} acknowledged this alert already.")
    if not action_taken.strip():
        raise InvalidEntry("Say what was done.", field="action_taken")
    alert.acknowledged_at = moment()
    alert.acknowledged_by = user.get_username()
    alert.action_taken = action_taken
    alert.save(update_fields=["acknowledged_at", "acknowledged_by", "action_taken"])
    return alert
