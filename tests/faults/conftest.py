from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults.running_site import Site


@pytest.fixture
def site(settings: Any, tmp_path: Path) -> Iterator[Site]:
    settings.CUTS_DIR = tmp_path / "cuts"
    settings.CLOSED_DIR = tmp_path / "closed"
    (tmp_path / "marks").mkdir()
    site = Site(tmp_path)
    with ExitStack() as stack:
        stack.callback(site.stop)
        yield site
