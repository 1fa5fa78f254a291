"""The Celery application of a blinded worker that is given a look without end; the rest is the real thing."""

from __future__ import annotations

import os
import time
from pathlib import Path

from trialsite.celery import app

__all__ = ["app"]
LONG_LOOK = "tests.long_look"


@app.task(name=LONG_LOOK)
def long_look() -> None:
    (Path(os.environ["SLOW_WORKER_MARKS"]) / str(os.getpid())).touch()
    time.sleep(3600)
