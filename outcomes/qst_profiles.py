"""The z-profile of a session beside that of the control area and of the participant's own baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from outcomes.models import QSTSession
from outcomes.qst import PARAMETERS
from studies.models import Infusion, Participant

Role = Literal["test", "control", "baseline"]


@dataclass(frozen=True)
class AreaProfile:
    """The z-scores of one area, by parameter; and the values of the two parameters that have none, PHS and DMA."""

    role: Role
    label: str
    z: Mapping[str, float]
    signs: Mapping[str, float]


def profile_of_rows(role: Role, label: str, rows: Iterable[Mapping[str, Any]]) -> AreaProfile:
    """The profile of values as `values_of` gives them or as they are stored, all of one area."""
    kept = [row for row in rows if row["parameter"] in PARAMETERS]
    z = {row["parameter"]: row["z"] for row in kept if row["z"] is not None}
    signs = {
        row["parameter"]: row["value"]
        for row in kept
        if PARAMETERS[row["parameter"]].scale == "none" and row["value"] is not None
    }
    return AreaProfile(role, label, z, signs)


def profiles_of_values(rows: Iterable[Mapping[str, Any]]) -> list[AreaProfile]:
    """Test and control area of one session."""
    rows = list(rows)
    areas: tuple[tuple[Role, str], ...] = (("control", "Control area"), ("test", "Test area"))
    found = [profile_of_rows(role, label, [row for row in rows if row["area"] == role]) for role, label in areas]
    return [profile for profile in found if profile.z or profile.signs]


def profiles_of(session: QSTSession) -> list[AreaProfile]:
    """The areas of a saved session, and the test area of the participant's baseline where that is another session."""
    found = profiles_of_values(session.values.values("area", "parameter", "value", "z"))
    baseline = baseline_of(session.participant)
    if baseline is None or baseline.pk == session.pk or baseline.tested_at >= session.tested_at:
        return found
    rows = baseline.values.filter(area="test").values("area", "parameter", "value", "z")
    before = profile_of_rows("baseline", f"Baseline ({baseline.visit.code})", rows)
    return [before, *found] if before.z else found


def baseline_of(participant: Participant) -> QSTSession | None:
    """The last session before the infusion, or the first one while there was none."""
    sessions = QSTSession.objects.filter(participant=participant).select_related("visit")
    infusion = Infusion.objects.filter(participant=participant).first()
    if infusion is None:
        return sessions.order_by("tested_at").first()
    return sessions.filter(tested_at__lt=infusion.started_at).order_by("tested_at").last()


def latest_of(participant: Participant) -> QSTSession | None:
    """The participant's last session."""
    sessions = QSTSession.objects.filter(participant=participant).select_related("visit", "participant")
    return sessions.order_by("tested_at").last()
