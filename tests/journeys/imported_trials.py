"""A published trial from its file to a look: imported as `app`, its arms as `unblinded`, cut, and its plan run.

Nothing here knows a result: every figure comes from the rows of the file, through the database and the cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pytest
from django.test import override_settings

from analysis import closed_store, cuts, plans
from analysis.datasets import Cut, open_cut
from analysis.look_results import make_closed_report, make_open_report
from analysis.looks import order_look
from analysis.replay import Discrepancy, replay_closed, replay_open
from outcomes.imports.taking import Source, import_trial
from studies.models import ProtocolVersion
from tests.conftest import _flush_as_owner, django_as
from tests.outcomes.imports.trial_files import IMPORTER, ClosedSideHere, protocol_file


@dataclass(frozen=True)
class Analysed:
    """A look at an imported trial: its cut, the arms by participant key, both results as they are kept, their pages.

    discrepancies: where the look, run again from its cut and plan, was not the same to the byte.
    """

    cut: Cut
    arms: pd.Series[Any]
    open: dict[str, Any]
    closed: dict[str, Any]
    pages: dict[str, str]
    discrepancies: list[Discrepancy]

    def model(self, key: str) -> dict[str, Any]:
        """The model of this id in the closed result."""
        found: dict[str, Any] = next(model for model in self.closed["models"] if model["id"] == key)
        return found

    def cell(self, endpoint: str, arm: str, timepoint: str) -> dict[str, Any]:
        """What describes an endpoint in an arm at a time."""
        cells = next(each["cells"] for each in self.closed["descriptives"] if each["endpoint"] == endpoint)
        found: dict[str, Any] = next(c for c in cells if (c["arm"], c["timepoint"]) == (arm, timepoint))
        return found


@contextmanager
def analysed(source: Source, protocol: str, folder: Path, database: Any) -> Iterator[Analysed]:
    """Import, cut, and run the frozen plan; the database is emptied before the figures are looked at.

    database: pytest-django's blocker, which lets a fixture of a whole module reach the database.
    """
    with database.unblock(), pytest.MonkeyPatch.context() as patch:
        # Jobs are put on no queue: the cut is taken here and now.
        patch.setattr("analysis.job_queue.current_app.send_task", lambda *_, **__: None)
        with override_settings(CUTS_DIR=folder / "cuts", CLOSED_DIR=folder / "closed"):
            try:
                found = _look(source, protocol)
            finally:
                _flush_as_owner(None)  # type: ignore[arg-type]
    yield found


def _look(source: Source, protocol: str) -> Analysed:
    """Everything a look goes through, but for the queues between its steps."""
    file = protocol_file(protocol)
    study = import_trial(IMPORTER, source=source, protocol_file=file, closed_side=ClosedSideHere()).study
    plan = plans.freeze_plan(IMPORTER, protocol_version=ProtocolVersion.objects.get(study=study))
    look = order_look(IMPORTER, study=study, number=1)
    cut = cuts.take(look.cut, progress=_unwatched)
    look.refresh_from_db()
    report = make_open_report(look, progress=_unwatched)
    with django_as("unblinded"):
        closed_store.register_plan(IMPORTER, plan=plan)
        cuts.take_unblinded(IMPORTER, cut=cut)
        make_closed_report(look, progress=_unwatched)
        sealed = closed_store.sealed_result(look.pk)
        arms = cuts.arms_of(cut)
        discrepancies = replay_closed(look)
    assert sealed is not None
    return Analysed(
        cut=open_cut(cuts.blinded_folder(cut.name)),
        arms=arms,
        open=orjson.loads(bytes(report.result)),
        closed=sealed.values,
        pages={"open": bytes(report.html).decode(), "closed": sealed.html.decode()},
        discrepancies=[*replay_open(look), *discrepancies],
    )


def _unwatched(done: int, of: int) -> None:
    """A progress that nobody looks at."""
