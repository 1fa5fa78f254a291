"""How a participant wants to be asked, and whom participants of a site call. Who may know addresses is elsewhere."""

from __future__ import annotations

from datetime import time
from zoneinfo import ZoneInfo, available_timezones

from outcomes.models import ContactPreference, SiteContact
from studies.acting import verb
from studies.errors import InvalidEntries, InvalidEntry
from studies.models import Participant, Site, User
from studies.permissions import may_invite, may_set_site_contact, require

LANGUAGES = ("en", "de")
# Where a participant has said nothing: the language that is spoken where the site is.
_SPOKEN = {"DE": "de", "AT": "de", "CH": "de", "LI": "de"}


def preference_of(participant: Participant) -> ContactPreference:
    """The participant's wishes; the usual ones, unsaved, where nothing was said."""
    found = ContactPreference.objects.filter(participant=participant).first()
    return found or ContactPreference(participant=participant)


def language_of(participant: Participant) -> str:
    """In which language a participant is asked: the one chosen, else that of the site's country."""
    return preference_of(participant).language or _SPOKEN.get(participant.site.country, LANGUAGES[0])


def zone_of(participant: Participant, preference: ContactPreference | None = None) -> ZoneInfo:
    """The clock a participant lives by: the one that was said, else the site's."""
    wished = preference or preference_of(participant)
    return ZoneInfo(wished.time_zone or participant.site.time_zone)


@verb(because="wishes of the participant entered")
def save_preference(
    user: User,
    *,
    participant: Participant,
    language: str = "",
    time_zone: str = "",
    reminders: bool = True,
    remind_at: time = time(19),
    quiet_from: time = time(21),
    quiet_to: time = time(8),
) -> ContactPreference:
    """Enter how and when a participant wants to be asked.

    Times are on the participant's own clock. Raises NotAllowed, InvalidEntries.
    """
    require(may_invite(user, participant.site), "enter this participant's wishes")
    problems = []
    if language not in ("", *LANGUAGES):
        problems.append(InvalidEntry(f"{language!r} is no language of these pages: {', '.join(LANGUAGES)}."))
    if time_zone and time_zone not in available_timezones():
        said = f"{time_zone!r} is no time zone. Give one such as Europe/Berlin, or nothing for the site's."
        problems.append(InvalidEntry(said, field="time_zone"))
    if reminders and is_quiet(remind_at, quiet_from, quiet_to):
        said = (
            f"{remind_at:%H:%M} lies in the quiet hours. Choose a time outside {quiet_from:%H:%M} to {quiet_to:%H:%M}."
        )
        problems.append(InvalidEntry(said, field="remind_at"))
    if problems:
        raise InvalidEntries(problems)
    wishes = {
        "language": language,
        "time_zone": time_zone,
        "reminders": reminders,
        "remind_at": remind_at,
        "quiet_from": quiet_from,
        "quiet_to": quiet_to,
    }
    return ContactPreference.objects.update_or_create(participant=participant, defaults=wishes)[0]


def is_quiet(at: time, quiet_from: time, quiet_to: time) -> bool:
    """Whether a time of day lies in quiet hours, which may reach over midnight; the end belongs to the day."""
    if quiet_from <= quiet_to:
        return quiet_from <= at < quiet_to
    return at >= quiet_from or at < quiet_to


def contact_of(site: Site) -> SiteContact:
    """Whom participants of a site call; empty, unsaved, where nothing was entered."""
    return SiteContact.objects.filter(site=site).first() or SiteContact(site=site)


@verb(because="contact of the site entered")
def save_site_contact(user: User, *, site: Site, telephone: str, help_line: str) -> SiteContact:
    """Enter whom participants call, and the help line shown beside questions about suicidal thoughts.

    Raises NotAllowed, InvalidEntry without a telephone number.
    """
    require(may_set_site_contact(user, site), "enter whom the participants of this site call")
    if not telephone.strip():
        raise InvalidEntry("Give the number that participants call.", field="telephone")
    said = {"telephone": telephone.strip(), "help_line": help_line.strip()}
    return SiteContact.objects.update_or_create(site=site, defaults=said)[0]
