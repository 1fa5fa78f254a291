"""Consent and its withdrawal."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils import timezone

from studies.acting import verb
from studies.errors import AlreadyDone, ConsentMissing, InvalidEntry
from studies.models import Consent, Participant, User
from studies.partial_dates import ages_on
from studies.permissions import may_obtain_consent, require


@verb(because="consent signed")
def sign_consent(
    user: User, *, participant: Participant, version: str, signed_at: datetime, age_years: int | None = None
) -> Consent:
    """Record that a participant signed a consent version, obtained by `user`.

    The first one also fixes the participant's age, which is counted on that day. It follows from the birth where it
    can; a birth known to the year or month may leave it open, and `age_years` then says it.
    Raises NotAllowed; InvalidEntry for a version not in force on that day or a time in the future; AlreadyDone.
    """
    require(may_obtain_consent(user, participant.site), f"obtain consent at site {participant.site.code}")
    site = participant.site
    day = signed_at.astimezone(ZoneInfo(site.time_zone)).date()
    in_force = participant.protocol_version.definition.consent_in_force(day, site.code)
    if in_force is None or in_force.version != version:
        known = in_force.version if in_force else "none"
        raise InvalidEntry(
            f"Consent version {version} is not the one in force on {day:%-d %b %Y} (that is {known}). Check both.",
            field="version",
        )
    if signed_at > timezone.now():
        raise InvalidEntry(
            "The time of signature lies in the future. Give the time on the signed paper.", field="signed_at"
        )
    if participant.consents.filter(version=version, withdrawn_at__isnull=True).exists():
        raise AlreadyDone(f"{participant} has already signed version {version}.")
    consent = Consent.objects.create(participant=participant, version=version, signed_at=signed_at, obtained_by=user)
    if participant.age_years is None and participant.birth:
        participant.age_years = _age(ages_on(day, participant.birth), age_years)
        participant.save(update_fields=["age_years"])
    return consent


def _age(possible: tuple[int, int], said: int | None) -> int | None:
    youngest, oldest = possible
    if said is not None and not youngest <= said <= oldest:
        raise InvalidEntry(
            f"An age of {said} does not fit the birth: {youngest} to {oldest} years are possible.", field="age_years"
        )
    return youngest if youngest == oldest else said


@verb(because="consent withdrawn")
def withdraw_consent(user: User, *, consent: Consent, scope: str, withdrawn_at: datetime, reason: str) -> Consent:
    """End a consent, and with it every other version that the participant has signed: a person withdraws, not a paper.

    What was collected stays. With scope `collection` nothing new may be collected, and the participation ends; who
    withdrew the treatment only may still withdraw the rest later. Raises NotAllowed, AlreadyDone, InvalidEntry.
    """
    consent = Consent.objects.select_for_update(of=("self",)).select_related("participant__site").get(pk=consent.pk)
    participant = consent.participant
    require(may_obtain_consent(user, participant.site), "record a withdrawal of consent here")
    if scope not in Consent.Scope.values:
        raise InvalidEntry("Say what is withdrawn: the treatment, or any further data.", field="scope")
    ended = list(withdrawable(participant, scope).select_for_update())
    if consent not in ended:
        raise AlreadyDone(f"This consent was withdrawn on {consent.withdrawn_at:%d %b %Y}.")
    _check_withdrawal(ended, withdrawn_at, reason)
    for each in ended:
        each.withdrawn_at, each.withdrawal_scope = withdrawn_at, scope
    Consent.objects.bulk_update(ended, ["withdrawn_at", "withdrawal_scope"])
    if scope == Consent.Scope.COLLECTION:
        day = withdrawn_at.astimezone(ZoneInfo(participant.site.time_zone)).date()
        Participant.objects.filter(pk=participant.pk, status__in=_IN_THE_STUDY).update(
            status=Participant.Status.WITHDRAWN, ended_on=day, end_reason="Consent withdrawn"
        )
    consent.refresh_from_db(fields=["withdrawn_at", "withdrawal_scope"])
    return consent


_IN_THE_STUDY = (Participant.Status.SCREENING, Participant.Status.RANDOMISED)


def withdrawable(participant: Participant, scope: str) -> QuerySet[Consent]:
    """The consents of which `scope` has not been withdrawn yet, oldest first."""
    signed = participant.consents.order_by("signed_at")
    if scope == Consent.Scope.COLLECTION:
        return signed.exclude(withdrawal_scope=Consent.Scope.COLLECTION)
    return signed.filter(withdrawn_at__isnull=True)


def _check_withdrawal(ended: list[Consent], withdrawn_at: datetime, reason: str) -> None:
    if withdrawn_at < ended[-1].signed_at:
        raise InvalidEntry(
            "The withdrawal lies before the signature. Check the date, or the consent.", field="withdrawn_at"
        )
    if withdrawn_at > timezone.now():
        raise InvalidEntry("The withdrawal lies in the future. Record it when it has happened.", field="withdrawn_at")
    if not reason.strip():
        raise InvalidEntry("Give the reason, or 'not given'.", field="reason")


def require_collection(participant: Participant, *assessments: str) -> None:
    """Raise ConsentMissing unless new data, and each of the assessments, may be collected.

    assessments: forms and instruments, as the protocol's consent versions cover them. A consent whose treatment
    part was withdrawn still covers data, but no infusion. An imported study is attested as a whole.
    """
    if participant.study.import_attestation:
        return
    signed = participant.consents.exclude(withdrawal_scope=Consent.Scope.COLLECTION)
    in_force = list(signed.values_list("version", "withdrawn_at"))
    if not in_force:
        raise ConsentMissing(f"{participant} has no consent in force: nothing may be collected.")
    for assessment in assessments:
        if not any(_covers(version, ended, assessment, participant) for version, ended in in_force):
            raise ConsentMissing(f"The consent of {participant} does not cover {assessment.replace('_', ' ')}.")


def _covers(version: str, withdrawn_at: datetime | None, assessment: str, participant: Participant) -> bool:
    if assessment == "infusion" and withdrawn_at:
        return False
    return participant.protocol_version.definition.may_collect(version, assessment)
