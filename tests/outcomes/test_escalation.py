"""Alerts on their way: to the site's physician within a minute, to the next level when nobody acknowledges."""

from __future__ import annotations

import smtplib
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone

from analysis.schedules import SCHEDULES
from outcomes import tasks
from outcomes.alert_people import nobody_was_mailed, sites_out_of_reach
from outcomes.checks import alerts_can_be_mailed
from outcomes.escalation import escalate, tell_physicians
from studies.acting import acting
from studies.alerts import acknowledge
from studies.models import AuditEvent, Role, SafetyAlert, Study, User
from tests import factories
from tests.outcomes.diary_keeper import Keeper

pytestmark = pytest.mark.django_db


@pytest.fixture
def alert(keeper: Keeper) -> SafetyAlert:
    """An answer about suicidal thoughts, on a form that is never sent."""
    asked = keeper.enter(keeper.invited(keeper.form("phq9")))
    keeper.say(asked, q9=2)
    return SafetyAlert.objects.get()


def give(person: User, email: str) -> None:
    person.email = email
    with acting(factories.SETTING_UP, "set up"), transaction.atomic():
        person.save()


def to() -> list[str]:
    return [address for message in mail.outbox for address in message.to]


def test_the_sites_physician_is_told_once(keeper, alert):
    now = timezone.now()
    assert tell_physicians(at=now) == 1
    assert tell_physicians(at=now + timedelta(seconds=20)) == 0
    assert to() == ["investigator@example.org"]
    alert.refresh_from_db()
    assert (alert.told_at, alert.told_to) == (now, ["investigator"])
    event = AuditEvent.objects.filter(kind="safetyalert", operation="update").get()
    assert (event.actor, event.reason) == ("safety alerts", "alert sent")


def test_beat_looks_three_times_a_minute():
    seconds = {periodic.task: periodic.seconds for periodic in SCHEDULES}
    assert seconds[tasks.TELL_PHYSICIANS] <= 20
    assert seconds[tasks.ESCALATE] <= 300


def test_the_message_tells_where_to_look_and_not_what_was_answered(keeper, alert):
    tell_physicians(at=timezone.now())
    text = f"{mail.outbox[0].subject} {mail.outbox[0].body}"
    assert f"/admin/alerts/{alert.pk}/" in text
    assert keeper.participant.identifier in text
    for told in ("suicid", "PHQ", "Petra", "SUICID"):
        assert told not in text


def test_whom_the_protocol_names_is_told_besides_the_physician(keeper):
    asked = keeper.enter(keeper.invited(keeper.form("phq9")))
    keeper.say(asked, q1=1)
    keeper.send(asked)
    assert SafetyAlert.objects.get().code == "SUICIDE_ITEM_MISSING"
    tell_physicians(at=timezone.now())
    assert to() == ["coordinator@example.org", "investigator@example.org"]


def test_what_nobody_acknowledged_goes_on_after_24_hours_and_once(keeper, alert):
    study = keeper.participant.study
    factories.person("coordinating", study, Role.INVESTIGATOR)
    tell_physicians(at=timezone.now())
    mail.outbox.clear()
    assert escalate(at=alert.raised_at + timedelta(hours=23, minutes=59)) == 0
    late = alert.raised_at + timedelta(hours=24)
    assert escalate(at=late) == 1
    assert escalate(at=late + timedelta(hours=1)) == 0
    alert.refresh_from_db()
    assert alert.escalated_at == late
    assert alert.escalated_to == ["data_manager"], "the one with an address; the other finds it on Today"
    assert to() == ["data_manager@example.org"]
    event = AuditEvent.objects.filter(kind="safetyalert", operation="update").order_by("id").last()
    assert event is not None
    assert event.reason == "alert not acknowledged in time"


def test_an_acknowledged_alert_is_neither_told_nor_handed_on(keeper, alert):
    physician = keeper.people[Role.INVESTIGATOR]
    done = acknowledge(physician, alert=alert, action_taken="Called. Safe, seen tomorrow.")
    assert (done.acknowledged_by, done.acknowledged_at is not None) == ("investigator", True)
    assert tell_physicians(at=timezone.now()) == 0
    assert escalate(at=timezone.now() + timedelta(hours=48)) == 0


def test_an_alert_that_nobody_can_be_mailed_about_is_shown_and_mailed_once_there_is_an_address(keeper, alert, client):
    physician, minute = keeper.people[Role.INVESTIGATOR], timedelta(minutes=1)
    give(physician, "")
    assert [site.code for site in sites_out_of_reach(Study.objects.all())] == sorted(
        keeper.participant.study.sites.values_list("code", flat=True)
    )
    assert "KALM BER" in "".join(warning.msg for warning in alerts_can_be_mailed(["default"]))
    assert tell_physicians(at=timezone.now()) == 0
    alert.refresh_from_db()
    assert (alert.told_at, alert.told_to) == (None, [])
    assert not nobody_was_mailed(alert, at=alert.raised_at + minute)
    assert nobody_was_mailed(alert, at=alert.raised_at + minute * 1.1)
    with acting(factories.SETTING_UP, "set up"), transaction.atomic():
        SafetyAlert.objects.update(raised_at=alert.raised_at - 2 * minute)
    client.force_login(physician)
    for page in ("/admin/", "/admin/safety/", f"/admin/alerts/{alert.pk}/"):
        assert "obody could be mailed" in client.get(page).content.decode(), page
    assert escalate(at=alert.due_at) == 1, "handed on at 24 hours although nobody was told before"
    assert to() == ["data_manager@example.org"]
    give(physician, "physician@example.org")
    assert tell_physicians(at=alert.due_at) == 1
    assert "BER" not in [site.code for site in sites_out_of_reach(Study.objects.all())]
    assert "obody could be mailed" not in client.get("/admin/").content.decode()


def test_a_mail_server_that_is_down_at_24_hours_is_tried_again(keeper, alert, monkeypatch):
    def down(self: EmailMessage, fail_silently: bool = False) -> int:
        raise smtplib.SMTPServerDisconnected

    with monkeypatch.context() as broken:
        broken.setattr(EmailMessage, "send", down)
        assert escalate(at=alert.due_at) == 0
    later = alert.due_at + timedelta(minutes=5)
    assert escalate(at=later) == 1
    alert.refresh_from_db()
    assert (alert.escalated_at, alert.escalated_to) == (later, ["data_manager"])


def test_a_mail_server_that_is_down_is_tried_again(keeper, alert, monkeypatch):
    def down(self: EmailMessage, fail_silently: bool = False) -> int:
        raise smtplib.SMTPServerDisconnected

    with monkeypatch.context() as broken:
        broken.setattr(EmailMessage, "send", down)
        assert tell_physicians(at=timezone.now()) == 0
    alert.refresh_from_db()
    assert alert.told_at is None
    assert tell_physicians(at=timezone.now()) == 1


def test_an_alert_that_tells_the_arm_reaches_the_infusion_unit_alone(keeper):
    """A BPRS item of 5: the data manager must not learn that it happened."""
    from outcomes.responses import ResponseEntry, save_response

    nurse = factories.person("nurse", keeper.participant.study, Role.INFUSION_NURSE, keeper.participant.site)
    visit = keeper.participant.visits.get(code="D0")
    items = {str(item): 6.0 for item in (4, 11, 12, 15)}
    entry = ResponseEntry(keeper.participant, "bprs_positive", items, timezone.now(), visit=visit, minute=40)
    save_response(nurse, entry=entry)
    alert = SafetyAlert.objects.get()
    tell_physicians(at=timezone.now())
    assert to() == ["investigator@example.org"]
    assert escalate(at=alert.due_at) == 1
    alert.refresh_from_db()
    assert alert.escalated_to == []
    assert "data_manager@example.org" not in to()
