"""An alert is with the physician within a minute, whatever the blinded worker is busy with."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery import current_app
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from analysis.schedules import ensure_schedules
from outcomes.tasks import TELL_PHYSICIANS
from studies.models import SafetyAlert
from tests.faults.busy_worker import LONG_LOOK
from tests.faults.running_site import Site, comes_about, explained
from tests.outcomes.diary_keeper import make_keeper
from trialsite.services.site import MESSENGER

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PROMISED = timedelta(minutes=1)


def test_an_alert_is_mailed_within_a_minute_while_the_blinded_worker_computes(site: Site):
    keeper = make_keeper()
    ensure_schedules()
    # Beat has been running for a while.
    PeriodicTask.objects.filter(task=TELL_PHYSICIANS).update(last_run_at=timezone.now() - PROMISED)
    busy = site.worker("blinded", app="tests.faults.busy_worker")
    site.worker("messages", app="trialsite", manner=MESSENGER)
    current_app.send_task(LONG_LOOK, queue="blinded")
    with explained(site):
        assert comes_about(lambda: len(site.marks) == 1), "the look did not begin"
    site.beat()
    asked = keeper.enter(keeper.invited(keeper.form("phq9")))
    keeper.say(asked, q9=2)
    with explained(site):
        assert comes_about(SafetyAlert.objects.filter(told_at__isnull=False).exists), "nobody was told"
    alert = SafetyAlert.objects.get()
    assert alert.told_at is not None
    assert alert.told_at - alert.raised_at < PROMISED
    assert alert.told_to == ["investigator"]
    assert busy.poll() is None, "the look goes on"
    mailed = (site.folder / "messages.log").read_text()
    assert mailed.count("Subject: Alert to acknowledge at BER") == 1
