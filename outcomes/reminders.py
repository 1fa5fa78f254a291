"""E-mails with a link: reminders of the diary, one an evening, to those who have not answered and want to be asked;
and the link to a form that the site asks for.

Nothing in it names the illness, the drug, the study or the person. The address is read from the encrypted contact
details for the moment of sending, and stands nowhere else.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation

from outcomes.contact_preferences import contact_of, is_quiet, language_of, zone_of
from outcomes.invitations import Askable, askable, ensure, make_link, open_up
from outcomes.models import ContactPreference, DoorKey, Invitation, Reminder, Response
from studies import identity
from studies.acting import Program, acting
from studies.errors import ConsentMissing, InvalidEntry, TrialError
from studies.models import ContactDetails, Participant, Study, User
from studies.permissions import may_see_identity, require

REMINDING = Program("diary reminders")
# A beat that was late still reminds, but not in the middle of the night.
LATEST = timedelta(hours=6)


def remind(*, at: datetime) -> int:
    """Send the reminders that are due at a moment; how many went out. Safe to run as often as one likes.

    A mail server that cannot be reached ends the run: whoever was not tried yet is reminded by the next one.
    """
    asked = [(person, day) for person in _candidates() if (day := _day_to_ask_for(person, at))]
    done = _already({person.pk for person, _ in asked}, {day for _, day in asked})
    sent = 0
    for person, day in asked:
        if (person.pk, day) not in done:
            try:
                sent += _remind(person, day, at)
            except OSError:
                break
    return sent


def _candidates() -> list[Participant]:
    """Participants in a study with a diary, who can be written to and do not mind."""
    rows = Participant.objects.filter(
        status__in=[Participant.Status.SCREENING, Participant.Status.RANDOMISED],
        study__origin=Study.Origin.CONDUCTED,
        contact__isnull=False,
    ).exclude(contact_preference__reminders=False)
    read = rows.select_related("site", "study", "protocol_version", "contact_preference")
    return [person for person in read if person.protocol_version.definition.diary]


def _day_to_ask_for(person: Participant, at: datetime) -> date | None:
    """Today on the participant's clock, from the time wished until six hours later, never in quiet hours."""
    wished = getattr(person, "contact_preference", None) or ContactPreference(participant=person)
    local = at.astimezone(zone_of(person, wished))
    begins = local.replace(hour=wished.remind_at.hour, minute=wished.remind_at.minute, second=0, microsecond=0)
    quiet = is_quiet(local.time(), wished.quiet_from, wished.quiet_to)
    return local.date() if begins <= local < begins + LATEST and not quiet else None


def _already(people: set[int], days: set[date]) -> set[tuple[int, date | None]]:
    """Who was reminded of which day, or has answered it: read for all at once, as most have."""
    found = set(Reminder.objects.filter(participant__in=people, day__in=days).values_list("participant_id", "day"))
    answered = Response.objects.filter(participant__in=people, day__in=days)
    return found | set(answered.values_list("participant_id", "day"))


def _remind(person: Participant, day: date, at: datetime) -> bool:
    """Remind one participant. The row comes first: an e-mail is sent at most once a day.

    Raises OSError when the mail server cannot be reached.
    """
    form = next((f for f in askable(person, now=at) if f.day == day), None)
    address = _address(person) if form else ""
    claimed = _claim(person, form, day, at) if form and address else None
    if claimed is None:
        return False
    reminder, link = claimed
    return _send(reminder, address, link, at)


def _claim(person: Participant, form: Askable, day: date, at: datetime) -> tuple[Reminder, str] | None:
    """The reminder's row and its link; None where there is one already, or nothing may be collected."""
    try:
        with acting(REMINDING, "diary reminder"), transaction.atomic():
            invitation = ensure(person, form, now=at)
            if invitation.begun_at is not None or Reminder.objects.filter(participant=person, day=day).exists():
                return None
            reminder = Reminder.objects.create(participant=person, invitation=invitation, day=day)
            link = open_up(invitation, DoorKey.Kind.LINK, at=at, expires_at=invitation.expires_at)
            return reminder, link
    except (ConsentMissing, IntegrityError):
        return None


def _send(reminder: Reminder, address: str, token: str, at: datetime) -> bool:
    try:
        _message(reminder.participant, address, token, today=True).send()
    except (SMTPException, OSError) as error:
        # The class only: a server's answer repeats the address.
        _note(reminder, failure=f"{type(error).__name__}: not sent")
        # Every answer of a mail server is an OSError too; only one that cannot be reached concerns the others.
        if not isinstance(error, SMTPException):
            raise
        return False
    _note(reminder, sent_at=at)
    return True


def _note(reminder: Reminder, **values: object) -> None:
    """Write down how the sending went."""
    with acting(REMINDING, "diary reminder sent"), transaction.atomic():
        Reminder.objects.filter(pk=reminder.pk).update(**values)


class MailNotSent(TrialError):
    """The mail server did not take an e-mail."""

    code = "mail_not_sent"


def mail_link(user: User, *, invitation: Invitation) -> None:
    """Make a link and mail it to the participant. Nobody else sees it, the sender neither.

    Raises NotAllowed for all but the site's own staff, AlreadyDone, InvalidEntry without an address, MailNotSent.
    """
    person = invitation.participant
    require(may_see_identity(user, person.site), "write to this participant")
    address = _address(person)
    if not address:
        raise InvalidEntry(
            "No e-mail address of this participant is known. Enter it below Contact, or hand the link over."
        )
    token = make_link(user, invitation=invitation)
    try:
        _message(person, address, token, today=_is_of_today(invitation)).send()
    except (SMTPException, OSError) as error:
        raise MailNotSent(
            f"The mail server did not take it ({type(error).__name__}). Try again, or make a link."
        ) from error


def _address(person: Participant) -> str:
    details = ContactDetails.objects.filter(participant=person).first()
    return identity.decrypt(details.ciphertext).get("email", "") if details else ""


def _is_of_today(invitation: Invitation) -> bool:
    return invitation.day == timezone.now().astimezone(zone_of(invitation.participant)).date()


def _message(participant: Participant, address: str, token: str, *, today: bool) -> EmailMessage:
    """The e-mail in the participant's language, with the link that opens the form. today: it is the diary's."""
    about = {"link": link_of(token), "telephone": contact_of(participant.site).telephone, "today": today}
    with translation.override(language_of(participant)):
        subject = render_to_string("participant_door/reminder_subject.txt", about).strip()
        return EmailMessage(subject, render_to_string("participant_door/reminder.txt", about), to=[address])


def link_of(token: str) -> str:
    """The address that a participant opens."""
    return f"{settings.DOOR_ADDRESS}/p/{token}/"
