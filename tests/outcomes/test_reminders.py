"""Reminders: one e-mail an evening, on the participant's own clock, never in quiet hours, with nothing that tells."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core import mail
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from outcomes.contact_preferences import is_quiet, save_preference, save_site_contact
from outcomes.invitations import diary_span
from outcomes.models import DoorKey, Invitation, Reminder
from outcomes.reminders import MailNotSent, _day_to_ask_for, mail_link, remind
from studies.consents import sign_consent, withdraw_consent
from studies.enrolment import enrol, save_contact
from studies.errors import InvalidEntries, InvalidEntry, NotAllowed
from studies.models import AuditEvent, Participant
from studies.visits import schedule_infusion
from tests.outcomes.diary_keeper import EMAIL, Keeper

pytestmark = pytest.mark.django_db
BERLIN = "Europe/Berlin"


def evening(keeper: Keeper, hour: int = 19, minute: int = 0, zone: str = BERLIN) -> datetime:
    """A time of today on a clock."""
    return datetime.combine(keeper.today, time(hour, minute), ZoneInfo(zone))


@pytest.fixture
def at_seven(keeper: Keeper) -> Iterator[datetime]:
    """Seven in the evening in Berlin, everywhere in this process."""
    with time_machine.travel(evening(keeper), tick=False):
        yield timezone.now()


def test_who_has_not_answered_is_reminded_once_in_the_evening(keeper):
    assert remind(at=evening(keeper, 18, 59)) == 0
    assert remind(at=evening(keeper)) == 1
    assert remind(at=evening(keeper, 19, 10)) == 0
    message = mail.outbox[0]
    assert (message.to, len(mail.outbox)) == ([EMAIL], 1)
    reminder = Reminder.objects.get()
    assert (reminder.day, reminder.sent_at) == (keeper.today, evening(keeper))


def test_the_message_opens_the_day_and_names_nothing(keeper, at_seven):
    save_site_contact(keeper.coordinator, site=keeper.participant.site, telephone="+49 30 1234", help_line="")
    remind(at=at_seven)
    message = mail.outbox[0]
    text = f"{message.subject}\n{message.body}"
    for told in (keeper.participant.identifier, "KALM", "Trialsite", "ketamine", "Ketamin", "Schmerz", "pain", "Petra"):
        assert told not in text
    assert "Ihr Eintrag für heute" in message.subject
    assert "+49 30 1234" in message.body
    link = re.search(r"http://localhost:8000(/p/\S+)", str(message.body))
    assert link is not None
    phone = Client()
    assert phone.post(link[1]).status_code == 302
    assert Invitation.objects.get(begun_at__isnull=False).day == keeper.today


def test_the_address_stands_in_no_table_but_encrypted(keeper, as_role):
    remind(at=evening(keeper))
    assert EMAIL not in str(list(Reminder.objects.values()) + list(AuditEvent.objects.values()))


def test_who_has_answered_or_begun_is_left_alone(keeper, at_seven):
    keeper.enter(keeper.invited())
    assert remind(at=at_seven) == 0


def test_the_participants_own_clock_decides(keeper):
    save_preference(keeper.coordinator, participant=keeper.participant, time_zone="America/Toronto", language="en")
    assert remind(at=evening(keeper)) == 0
    assert remind(at=evening(keeper, zone="America/Toronto")) == 1
    assert mail.outbox[0].subject == "Your entry for today"


def test_quiet_hours_are_kept_also_by_a_beat_that_was_late(keeper):
    save_preference(keeper.coordinator, participant=keeper.participant, remind_at=time(20, 30))
    assert remind(at=evening(keeper, 21, 0)) == 0
    assert remind(at=evening(keeper, 23, 0)) == 0
    assert remind(at=evening(keeper, 20, 50)) == 1


@pytest.mark.parametrize(
    ("at", "quiet"),
    [((20, 59), False), ((21, 0), True), ((23, 59), True), ((0, 0), True), ((7, 59), True), ((8, 0), False)],
)
def test_quiet_hours_reach_over_midnight(at, quiet):
    assert is_quiet(time(*at), time(21), time(8)) is quiet


def test_quiet_hours_within_a_day():
    assert [is_quiet(time(h), time(12), time(14)) for h in (11, 12, 13, 14)] == [False, True, True, False]


def test_a_time_within_the_quiet_hours_is_refused(keeper):
    with pytest.raises(InvalidEntries, match="22:00 lies in the quiet hours"):
        save_preference(keeper.coordinator, participant=keeper.participant, remind_at=time(22))
    with pytest.raises(InvalidEntries, match="no time zone"):
        save_preference(keeper.coordinator, participant=keeper.participant, time_zone="Berlin")
    with pytest.raises(NotAllowed):
        save_preference(keeper.people["monitor"], participant=keeper.participant)


def test_who_does_not_want_reminders_or_withdrew_gets_none(keeper):
    save_preference(keeper.coordinator, participant=keeper.participant, reminders=False)
    assert remind(at=evening(keeper)) == 0
    save_preference(keeper.coordinator, participant=keeper.participant, reminders=True)
    consent = keeper.participant.consents.get()
    withdraw_consent(
        keeper.coordinator, consent=consent, scope="collection", withdrawn_at=timezone.now(), reason="wish"
    )
    assert remind(at=evening(keeper)) == 0
    assert mail.outbox == []


def test_a_mail_server_that_refuses_is_written_down_without_the_address(keeper, monkeypatch):
    def refuse(self: EmailMessage, fail_silently: bool = False) -> int:
        raise smtplib.SMTPRecipientsRefused({EMAIL: (550, b"no such user")})

    monkeypatch.setattr(EmailMessage, "send", refuse)
    assert remind(at=evening(keeper)) == 0
    reminder = Reminder.objects.get()
    assert (reminder.sent_at, reminder.failure) == (None, "SMTPRecipientsRefused: not sent")
    assert remind(at=evening(keeper, 19, 10)) == 0, "at most one a day"


def test_a_mail_server_that_cannot_be_reached_ends_the_run(keeper, monkeypatch):
    other = another(keeper)

    def away(self: EmailMessage, fail_silently: bool = False) -> int:
        raise ConnectionRefusedError

    with monkeypatch.context() as broken:
        broken.setattr(EmailMessage, "send", away)
        assert remind(at=evening(keeper)) == 0
    assert Reminder.objects.get().failure == "ConnectionRefusedError: not sent"
    assert remind(at=evening(keeper, 19, 10)) == 1, "who was not tried is reminded by the next run"
    assert {r.participant for r in Reminder.objects.all()} == {keeper.participant, other}


def test_those_who_were_reminded_cost_no_queries(keeper):
    another(keeper)
    remind(at=evening(keeper))
    with CaptureQueriesContext(connection) as taken:
        assert remind(at=evening(keeper, 19, 10)) == 0
    assert len(taken) == 3


def another(keeper: Keeper) -> Participant:
    """A second participant of the site with a diary today."""
    site = keeper.participant.site
    person = enrol(keeper.coordinator, site=site, sex="M", birth="1970", contact={"email": "x@example.org"})
    signed_at = timezone.now() - timedelta(days=3)
    sign_consent(keeper.coordinator, participant=person, version="1.0", signed_at=signed_at)
    return schedule_infusion(keeper.coordinator, participant=person, on=keeper.today)


def test_on_days_without_a_diary_nobody_is_reminded(keeper):
    far = evening(keeper) + timedelta(days=40)
    with time_machine.travel(far, tick=False):
        assert remind(at=far) == 0


def test_the_site_mails_a_link_that_nobody_else_sees(keeper):
    asked = keeper.invited(keeper.form("phq9"))
    mail_link(keeper.coordinator, invitation=asked)
    message = mail.outbox[0]
    assert (message.to, message.subject) == ([EMAIL], "Ihre Fragen liegen bereit")
    link = re.search(r"(/p/\S+)", str(message.body))
    assert link is not None
    assert Client().get(link[1]).status_code == 200
    made = AuditEvent.objects.filter(kind="invitation", operation="update").get()
    assert (made.actor, made.reason, list(made.new)) == (
        "coordinator",
        "link made for the participant",
        ["opened_up_at"],
    )


def test_no_link_is_made_for_who_cannot_be_written_to(keeper):
    asked = keeper.invited()
    with pytest.raises(NotAllowed):
        mail_link(keeper.people["data_manager"], invitation=asked)
    save_contact(keeper.coordinator, participant=keeper.participant, contact={"name": "P."}, reason="no e-mail")
    with pytest.raises(InvalidEntry, match="No e-mail address"):
        mail_link(keeper.coordinator, invitation=asked)
    assert not DoorKey.objects.exists()


def test_a_mail_that_was_not_taken_is_told(keeper, monkeypatch):
    def refuse(self: EmailMessage, fail_silently: bool = False) -> int:
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailMessage, "send", refuse)
    with pytest.raises(MailNotSent, match="ConnectionRefusedError"):
        mail_link(keeper.coordinator, invitation=keeper.invited())


@pytest.mark.parametrize(
    ("at", "asked"),
    [
        ("2026-03-29T16:59:00+00:00", False),  # clocks went forward in the night: 18:59 in Berlin
        ("2026-03-29T17:00:00+00:00", True),
        ("2026-03-29T18:59:00+00:00", True),
        ("2026-03-29T19:00:00+00:00", False),  # 21:00: quiet
        ("2026-10-25T17:59:00+00:00", False),  # clocks went back: 18:59
        ("2026-10-25T18:00:00+00:00", True),
        ("2026-10-25T20:00:00+00:00", False),
    ],
)
def test_the_evening_and_the_quiet_hours_follow_the_clock_on_the_wall_where_it_changes(keeper, at, asked):
    moment = datetime.fromisoformat(at)
    assert _day_to_ask_for(keeper.participant, moment) == (moment.date() if asked else None)


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        (date(2026, 3, 29), "2026-03-28T23:00:00+00:00", "2026-03-30T22:00:00+00:00"),  # 23 hours, and a day more
        (date(2026, 10, 25), "2026-10-24T22:00:00+00:00", "2026-10-26T23:00:00+00:00"),  # 25 hours, and a day more
    ],
)
def test_a_diary_day_is_as_long_as_the_day_where_the_participant_lives(keeper, day, opens, closes):
    span = diary_span(keeper.participant, day)
    assert [moment.astimezone(UTC) for moment in span] == [
        datetime.fromisoformat(opens),
        datetime.fromisoformat(closes),
    ]
