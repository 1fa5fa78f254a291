"""Randomisation as the coordinator sees it: a number and a kit, never an arm."""

from __future__ import annotations

from django.db import connection

from studies.acting import verb
from studies.errors import InvalidEntry, RandomisationRefused, database_refusals
from studies.findings import values_of
from studies.models import Allocation, Deviation, Participant, Stratum, User
from studies.permissions import may_randomise, require
from studies.protocol.design import stratum_code
from studies.visits import site_day


@verb(because="participant randomised")
def randomise(user: User, *, participant: Participant) -> Allocation:
    """Give the participant the next row of the list of their stratum.

    The database decides and answers with the randomisation number and the kit number only.
    Raises NotAllowed, ConsentMissing, NotEligible, AlreadyDone, RandomisationRefused.
    """
    require(may_randomise(user, participant.site), f"randomise at site {participant.site.code}")
    if participant.stratum_id is None:
        participant.stratum = stratum_of(participant)
        participant.save(update_fields=["stratum"])
    with database_refusals(), connection.cursor() as cursor:
        cursor.execute("SELECT randomisation_number, kit_number FROM public.allocate(%s)", [participant.pk])
    participant.refresh_from_db()
    return Allocation.objects.get(participant=participant)


def stratum_of(participant: Participant) -> Stratum:
    """The stratum that the site and the findings put a participant in. Raises RandomisationRefused."""
    definition = participant.protocol_version.definition
    levels = definition.stratum_levels_of(participant.site.code, values_of(participant))
    if levels is None:
        factors = ", ".join(factor.label for factor in definition.strata.factors)
        raise RandomisationRefused(f"The stratum cannot be told yet: {factors} not known.")
    code = stratum_code(levels)
    stratum = Stratum.objects.filter(study=participant.study, code=code).first()
    if stratum is None:
        raise RandomisationRefused(f"The protocol has no stratum {code}.")
    return stratum


@verb(because="stratum corrected after randomisation")
def correct_stratum(user: User, *, participant: Participant, true_levels: dict[str, str], reason: str) -> Deviation:
    """Record that a participant was randomised in the wrong stratum. The allocation stays as it was.

    Raises NotAllowed, InvalidEntry.
    """
    require(may_randomise(user, participant.site), "correct a stratum here")
    if not reason.strip():
        raise InvalidEntry("Say how the stratum came to be wrong.", field="reason")
    allocation = Allocation.objects.get(participant=participant)
    frozen = ", ".join(f"{name} {level}" for name, level in sorted(allocation.strata.items()))
    true = ", ".join(f"{name} {level}" for name, level in sorted(true_levels.items()))
    return Deviation.objects.create(
        participant=participant,
        kind=Deviation.Kind.STRATUM,
        severity=Deviation.Severity.MINOR,
        occurred_on=site_day(participant, allocation.allocated_at),
        description=f"Randomised as {frozen}; should have been {true}. {reason}",
    )
