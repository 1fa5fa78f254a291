"""The Celery application. Its messages hold the key of a job and nothing else."""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings

from trialsite.services.broker import celery_settings
from trialsite.services.connection import redis_url

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trialsite.settings")

app = Celery("trialsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    celery_settings(
        os.environ.get("REDIS_URL") or redis_url(settings.DB_ROLE),
        "unblinded" if settings.DB_ROLE == "unblinded" else "blinded",
    )
)
app.autodiscover_tasks()
