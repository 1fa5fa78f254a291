"""The Celery application of a worker whose first closed look never ends: for tests that kill it meanwhile.

Everything else is the real thing: the site's own application, broker, database and tasks. The folder in
SLOW_WORKER_MARKS shows who has begun.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from trialsite.celery import app

app.loader.import_default_modules()

from analysis import interim, reports  # noqa: E402 - they need the models

__all__ = ["app"]
_MARKS = Path(os.environ["SLOW_WORKER_MARKS"])


def _closed_result(
    cut_dir: Path,
    restricted_dir: Path,
    arms: pd.Series[str],
    plan: dict[str, Any],
    earlier: list[Any],
    *,
    look: int,
    levels: object,
) -> dict[str, Any]:
    first = not any(_MARKS.iterdir())
    (_MARKS / str(os.getpid())).touch()
    if first:
        time.sleep(3600)
    scores = pq.read_table(cut_dir / "score.parquet").to_pandas()
    return {"means": scores.groupby(scores["participant_id"].map(arms))["number"].mean().to_dict()}


# In place of the statistics, which want more than a few participants.
vars(interim).update(closed_result=_closed_result)
vars(reports).update(render=lambda result: (f"<p>{sorted(result)}</p>", b"%PDF"))
