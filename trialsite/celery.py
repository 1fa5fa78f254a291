"""The Celery application. Its messages hold the key of a job and nothing else."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready
from django.conf import settings

from trialsite.services import alive
from trialsite.services.broker import celery_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trialsite.settings")
# Before NumPy is imported: its own threads would fight over the cores of a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

SIDE = alive.side_of(settings.DB_ROLE)
app = Celery("trialsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(celery_settings(settings.REDIS_URL, SIDE))
app.autodiscover_tasks()


def show_life(sender: Any, **_: object) -> None:
    """Let /readyz see that a worker of its queue runs."""
    for queue in sender.app.amqp.queues.consume_from:
        alive.renew_for_ever(settings.REDIS_URL, queue)


worker_ready.connect(show_life)
