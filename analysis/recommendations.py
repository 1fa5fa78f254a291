"""What the DSMB recommends after a look: recorded with its grounds at the closed door, released in one of three words.

Works only for the role `unblinded`. The chair may record again until a recommendation is released, every version stays,
and the last one counts. What is released never changes: a committee that thinks again asks for another look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from analysis.models import Look, Recommendation
from studies import closed_door
from studies.acting import Program, acting, verb
from studies.errors import AlreadyDone, InvalidEntry, TrialError
from studies.models import ClosedAccount, Study
from studies.permissions import require

Says = Recommendation.Says
LONGEST_GROUNDS = 10_000
# The open side reads who released it in the trail of the record: the committee, not a person.
_COMMITTEE = Program("DSMB chair")


class NothingToRecommend(TrialError):
    """A look that the committee cannot have judged, or a release without a recommendation."""

    code = "nothing_to_recommend"


@dataclass(frozen=True, slots=True)
class RecordedRecommendation:
    """One version of what the committee recommends after a look, with its grounds."""

    says: str
    grounds: str
    recorded_at: datetime
    recorded_name: str

    @property
    def words(self) -> str:
        """What the open side reads once it is released."""
        return str(Says(self.says).label)


@verb(because="DSMB recommendation recorded")
def record(account: ClosedAccount, *, study: Study, number: int, says: str, grounds: str) -> None:
    """Record what the committee recommends after a look: nothing of it is told at the open door yet.

    says: continue, modify or stop. grounds: for the committee's own records. Raises NotAllowed; InvalidEntry;
    NothingToRecommend for a look that is not reported here; AlreadyDone for one whose recommendation is released.
    """
    require(closed_door.may_recommend(account, study), f"record what the DSMB of {study} recommends")
    look = _look(study, number)
    grounds = grounds.strip()
    if says not in Says.values:
        raise InvalidEntry(f"{says!r} is no recommendation: choose {', '.join(Says.values)}.", field="says")
    if not 0 < len(grounds) <= LONGEST_GROUNDS:
        raise InvalidEntry(f"Give the grounds, in at most {LONGEST_GROUNDS} characters.", field="grounds")
    _refuse_released(look)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO concealed.recommendation"
            " (look_id, study_id, number, says, grounds, recorded_by, recorded_name)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [look.pk, study.pk, number, says, grounds, account.username, account.name],
        )
    closed_door.log(account, f"look {number}: recommendation recorded")


@verb(because="DSMB recommendation released")
def release(account: ClosedAccount, *, study: Study, number: int) -> Recommendation:
    """Tell the open side the last recommendation recorded, without its grounds. It cannot be taken back.

    Raises NotAllowed, NothingToRecommend, AlreadyDone.
    """
    require(closed_door.may_recommend(account, study), f"release what the DSMB of {study} recommends")
    look = _look(study, number)
    _refuse_released(look)
    versions = _versions(look)
    if not versions:
        raise NothingToRecommend(f"Nothing is recorded for look {number}: record the recommendation first.")
    closed_door.log(account, f"look {number}: recommendation released")
    with acting(_COMMITTEE):
        return Recommendation.objects.create(look=look, says=versions[-1].says)


def recorded(account: ClosedAccount, *, study: Study, number: int) -> list[RecordedRecommendation]:
    """Every version recorded for a look, oldest first, for those who read closed results. Raises NotAllowed."""
    require(closed_door.may_read_closed_results(account, study), f"read closed results of {study}")
    look = Look.objects.filter(study=study, number=number).first()
    found = _versions(look) if look else []
    if found:
        closed_door.log(account, f"look {number}: recommendation read")
    return found


def _versions(look: Look) -> list[RecordedRecommendation]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT says, grounds, recorded_at, recorded_name FROM concealed.recommendation"
            " WHERE look_id = %s ORDER BY id",
            [look.pk],
        )
        return [RecordedRecommendation(*row) for row in cursor.fetchall()]


def _look(study: Study, number: int) -> Look:
    look = Look.objects.filter(study=study, number=number, closed_status=Look.Status.REPORTED).first()
    if look is None:
        raise NothingToRecommend(f"Look {number} has no closed report yet, so there is nothing to recommend on.")
    return look


def _refuse_released(look: Look) -> None:
    released = Recommendation.objects.filter(look=look).first()
    if released is not None:
        raise AlreadyDone(
            f"The recommendation after look {look.number} was released: {released.get_says_display()}. "
            "A committee that thinks again asks for another look."
        )
