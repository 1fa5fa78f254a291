"""Randomisation as the site sees it: a number and a kit, never an arm; and a stratum found wrong afterwards."""

from __future__ import annotations

from django.db import connection

from studies.acting import verb
from studies.errors import AlreadyDone, InvalidEntry, RandomisationRefused, database_refusals
from studies.findings import values_of
from studies.models import Allocation, Deviation, Participant, Stratum, StratumCorrection, User
from studies.permissions import may_correct_stratum, may_randomise, require
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
def correct_stratum(user: User, *, participant: Participant, stratum: Stratum, reason: str) -> StratumCorrection:
    """Record in which stratum a participant should have been randomised, as a deviation (docs/adr/0011).

    The allocation, its stratum and the list stay as they were. A wrong correction is corrected by another.
    Raises NotAllowed, InvalidEntry; AlreadyDone for the stratum that stands.
    """
    require(may_correct_stratum(user, participant.site), "correct a stratum here")
    if not reason.strip():
        raise InvalidEntry("Say how the stratum came to be wrong.", field="reason")
    # Two corrections at once: the second meets the first.
    participant = Participant.objects.select_for_update(of=("self",)).select_related("site").get(pk=participant.pk)
    allocation = Allocation.objects.filter(participant=participant).select_related("stratum").first()
    if allocation is None:
        raise InvalidEntry(
            f"{participant} has not been randomised: the stratum follows from what is found out. Correct the findings.",
            field="stratum",
        )
    if stratum not in possible_strata(participant):
        raise InvalidEntry(f"{stratum} is no stratum of site {participant.site.code}. Choose one.", field="stratum")
    if stratum == standing_stratum(participant):
        raise AlreadyDone(f"{participant} stands in {stratum} already.")
    correction = StratumCorrection.objects.create(participant=participant, stratum=stratum, reason=reason)
    Deviation.objects.create(
        participant=participant,
        kind=Deviation.Kind.STRATUM,
        severity=Deviation.Severity.MINOR,
        occurred_on=site_day(participant, allocation.allocated_at),
        description=f"Randomised as {allocation.stratum}; should have been {stratum}. {reason}",
    )
    return correction


def standing_stratum(participant: Participant) -> Stratum | None:
    """The stratum as the newest correction says, else as at randomisation; None before it."""
    newest = participant.stratum_corrections.select_related("stratum").order_by("-id").first()
    if newest is not None:
        return newest.stratum
    allocation = Allocation.objects.filter(participant=participant).select_related("stratum").first()
    return allocation.stratum if allocation else None


def possible_strata(participant: Participant) -> list[Stratum]:
    """The strata that a participant of this site can belong to, in the order of the protocol."""
    definition, site = participant.protocol_version.definition, participant.site.code
    codes = [code for code, levels in definition.strata_levels().items() if levels.get("site", site) == site]
    found = {stratum.code: stratum for stratum in participant.study.strata.filter(code__in=codes)}
    return [found[code] for code in codes if code in found]
