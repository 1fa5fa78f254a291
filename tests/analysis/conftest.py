"""What the tests of cuts, jobs and looks share: folders, a small trial, stand-ins for statistics."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import psycopg
import pyarrow.parquet as pq
import pytest

from analysis.models import Plan
from tests.analysis.signing import signed_plan
from tests.analysis.small_trial import SmallTrial, make_small_trial

Connect = Callable[[str], psycopg.Connection]


@pytest.fixture
def folders(settings: Any, tmp_path: Path) -> Path:
    """Cuts and closed files of this test alone."""
    settings.CUTS_DIR = tmp_path / "cuts"
    settings.CLOSED_DIR = tmp_path / "closed"
    return tmp_path


@pytest.fixture
def trial(as_role: Connect) -> SmallTrial:
    return make_small_trial(as_role("unblinded"))


@pytest.fixture
def plan(trial: SmallTrial) -> Plan:
    """The plan of KALM, frozen and signed for the small trial."""
    return signed_plan(trial.protocol)


@dataclass
class Calculations:
    """Stands in for statistics: quick, and remembers what it was given. `raises` makes the next one fail."""

    raises: Exception | None = None
    earlier: list[list[dict[str, Any]]] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    on_closed: Callable[[], None] | None = None

    def open_result(self, cut_dir: Path, plan: Mapping[str, Any], *, look: int) -> dict[str, Any]:
        self._run("open")
        scores = pq.read_table(cut_dir / "score.parquet").to_pandas()
        return {"mean": scores["number"].mean(), "plan": plan["version"], "look": look}

    def closed_result(
        self,
        cut_dir: Path,
        restricted_dir: Path,
        arms: pd.Series[str],
        plan: Mapping[str, Any],
        earlier: list[dict[str, Any]],
        *,
        look: int,
        levels: pd.DataFrame | None,
    ) -> dict[str, Any]:
        self._run("closed")
        self.earlier.append(earlier)
        if self.on_closed:
            self.on_closed()
        scores = pq.read_table(cut_dir / "score.parquet").to_pandas()
        means = scores.groupby(scores["participant_id"].map(arms))["number"].mean()
        return {
            "means": means.to_dict(),
            "readings": pq.read_table(restricted_dir / "reading.parquet").num_rows,
        }

    def _run(self, name: str) -> None:
        self.runs.append(name)
        if self.raises:
            raise self.raises


@pytest.fixture
def calculations(monkeypatch: pytest.MonkeyPatch) -> Calculations:
    stand_in = Calculations()
    interim, reports = ModuleType("analysis.interim"), ModuleType("analysis.reports")
    vars(interim).update(open_result=stand_in.open_result, closed_result=stand_in.closed_result)
    vars(reports).update(
        render=lambda result: (f"<p>{sorted(result)}</p>", b"%PDF " + repr(sorted(result)).encode()),
    )
    for module in (interim, reports):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return stand_in


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """What is put on the queues, in place of a broker: (job key, queue)."""
    messages: list[tuple[int, str]] = []

    def send_task(name: str, *, args: list[int], queue: str, ignore_result: bool) -> None:
        assert name == "analysis.run_job"
        [key] = args
        messages.append((key, queue))

    monkeypatch.setattr("analysis.job_queue.current_app.send_task", send_task)
    return messages
