"""Background work: what a message may hold, how long a task may take, and schedules that people change."""

from __future__ import annotations

from typing import Any

import pytest
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from analysis import tasks
from analysis.look_results import computed_or_failed
from analysis.models import Look
from analysis.schedules import DUE_LOOKS, ensure_schedules
from studies.models import User

OURS = {name: task for name, task in current_app.tasks.items() if name.startswith("analysis.")}


def test_a_task_has_time_limits_the_softer_one_first():
    assert 0 < settings.CELERY_TASK_SOFT_TIME_LIMIT < settings.CELERY_TASK_TIME_LIMIT
    assert current_app.conf.task_soft_time_limit == settings.CELERY_TASK_SOFT_TIME_LIMIT


def test_no_result_of_a_task_is_kept_in_the_broker():
    assert settings.CELERY_TASK_IGNORE_RESULT
    assert not getattr(settings, "CELERY_RESULT_BACKEND", None)


def test_tasks_take_a_key_or_nothing_and_give_nothing_back(monkeypatch: pytest.MonkeyPatch):
    assert {"analysis.run_job", "analysis.sweep", "analysis.due_looks"} <= set(OURS)
    for name in ("analysis.run_job", "analysis.sweep", "analysis.due_looks"):
        arguments = OURS[name].run.__annotations__
        assert arguments == ({"job_id": "int", "return": "None"} if name == "analysis.run_job" else {"return": "None"})
    monkeypatch.setattr("analysis.jobs.sweep", lambda: [1, 2])
    monkeypatch.setattr("analysis.due_looks.order_due_looks", lambda: ["a look"])
    assert tasks.sweep() is None
    assert tasks.order_due_looks() is None


def test_a_closed_report_that_takes_too_long_is_no_result():
    """How long a machine takes says nothing of the arms: the job fails, and may be ordered again."""

    def hang() -> dict[str, Any]:
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        computed_or_failed(Look(number=1), hang)


@pytest.mark.django_db
def test_the_administrator_changes_a_schedule_in_the_admin_and_it_stays():
    [task] = [each for each in ensure_schedules() if each.task == DUE_LOOKS]
    every, _ = IntervalSchedule.objects.get_or_create(every=5, period=IntervalSchedule.MINUTES)
    administrator = User.objects.create_superuser("keeper", password="x")
    browser = Client()
    browser.force_login(administrator, backend="django.contrib.auth.backends.ModelBackend")
    address = reverse("admin:django_celery_beat_periodictask_change", args=[task.pk])
    assert browser.get(address).status_code == 200
    given = {
        "name": task.name,
        "regtask": task.task,
        "task": "",
        "interval": every.pk,
        "queue": task.queue,
        "args": "[]",
        "kwargs": "{}",
        "headers": "{}",
        "expire_seconds": "300",
    }
    answer = browser.post(address, given)
    assert answer.status_code == 302, answer.content[:2000]
    ensure_schedules()
    task = PeriodicTask.objects.get(pk=task.pk)
    assert (task.enabled, task.interval) == (False, every)
