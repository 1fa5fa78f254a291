"""Enrolment: a person enters screening and gets a number."""

from __future__ import annotations

from datetime import date

from django.db.models import Max
from django.utils import timezone

from studies import identity, partial_dates
from studies.acting import verb
from studies.errors import InvalidEntries, InvalidEntry
from studies.models import ContactDetails, Participant, Site, Study, User, Visit
from studies.permissions import may_enrol, may_see_identity, require
from studies.protocol import ProtocolDefinition
from studies.protocol.schedule import VisitPlan

OLDEST = 120


@verb(because="participant enrolled")
def enrol(
    user: User,
    *,
    site: Site,
    sex: str,
    birth: str,
    contact: identity.Contact | None = None,
) -> Participant:
    """Enrol a participant at a site under the newest protocol version, with all planned visits, still undated.

    sex: F or M. birth: year (1974), or year and month (1974-05). contact: fields of studies.identity.FIELDS.
    Raises NotAllowed; InvalidEntries for sex and birth; InvalidEntry for a study that was finished elsewhere.
    """
    require(may_enrol(user, site), f"enrol participants at site {site.code}")
    _check(sex, birth, timezone.now().date())
    # Two coordinators may press at once: the site's row is locked before the next number is read.
    site = Site.objects.select_for_update().select_related("study").get(pk=site.pk)
    if site.study.origin == Study.Origin.IMPORTED:
        raise InvalidEntry(
            f"{site.study.code} was finished elsewhere and imported: nobody is enrolled in it here. Choose a site of"
            " a study that is conducted here.",
            field="site",
        )
    number = (site.participants.aggregate(last=Max("screening_number"))["last"] or 0) + 1
    protocol = site.study.protocol_versions.latest("id")
    participant = Participant.objects.create(
        study=site.study,
        site=site,
        protocol_version=protocol,
        identifier=f"{site.study.code}-{site.code}-{number:04d}",
        screening_number=number,
        sex=sex,
        birth=birth,
    )
    Visit.objects.bulk_create(
        Visit(participant=participant, code=visit.id, position=position)
        for position, visit in enumerate(planned_visits(protocol.definition), start=1)
    )
    if contact:
        ContactDetails.objects.create(participant=participant, ciphertext=identity.encrypt(contact))
    return participant


def _check(sex: str, birth: str, today: date) -> None:
    problems = []
    if sex not in Participant.Sex.values:
        problems.append(InvalidEntry(f"Sex is {sex!r}; choose female (F) or male (M).", field="sex"))
    try:
        partial_dates.check(birth, field="birth")
        known = not birth.count("-") > 1 and today.year - OLDEST <= int(birth[:4]) and birth <= f"{today:%Y-%m}"
    except InvalidEntry:
        known = False
    if not known:
        # A day of birth would tell who it is: it is not kept.
        problems.append(
            InvalidEntry(
                f"Birth is {birth!r}; a year from {today.year - OLDEST} to {today.year} is expected, or a year and"
                " month (1974-05), without the day.",
                field="birth",
            )
        )
    if problems:
        raise InvalidEntries(problems)


def planned_visits(definition: ProtocolDefinition) -> list[VisitPlan]:
    """The visits that every participant has, in the order of the protocol."""
    return [visit for visit in definition.visits if visit.kind == "planned"]


@verb(because="contact details entered")
def save_contact(user: User, *, participant: Participant, contact: identity.Contact, reason: str = "") -> None:
    """Enter or replace how to reach a participant.

    Raises NotAllowed for anyone but the site's own staff; InvalidEntry for a replacement without a reason.
    """
    require(may_see_identity(user, participant.site), "see how to reach this participant")
    if ContactDetails.objects.filter(participant=participant).exists() and not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")
    ContactDetails.objects.update_or_create(participant=participant, defaults={"ciphertext": identity.encrypt(contact)})


def read_contact(user: User, *, participant: Participant) -> identity.Contact:
    """How to reach a participant; empty if nothing was entered. Raises NotAllowed."""
    require(may_see_identity(user, participant.site), "see how to reach this participant")
    details = ContactDetails.objects.filter(participant=participant).first()
    return identity.decrypt(details.ciphertext) if details else {}
