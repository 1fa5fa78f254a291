"""A real browser at a real open door. Without a Chromium its tests are skipped, with one line; CI refuses that."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page

from tests.trialsite.busy_site import BusySite, make_busy_site

# The browser's own loop runs in the thread of the test; Django would refuse the database there.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
HERE = Path(__file__).parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PASSWORD = "correct horse battery"  # that of tests.factories


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and skip them where there is no browser."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium here: install chromium to run browser tests"))


@pytest.fixture(scope="session")
def base_url() -> str:
    """Addresses are given in full (in place of the plugin's fixture, which the next pytest will not take)."""
    return ""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": arguments}


@pytest.fixture
def busy(transactional_db: None) -> BusySite:
    return make_busy_site(count=1)


@dataclass
class Desk:
    """Somebody at the desk; whatever the browser complains of is kept in `complaints`."""

    page: Page
    door: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, message: ConsoleMessage) -> None:
        # A form with a mistake answers 422, which is not a complaint.
        if message.type in ("error", "warning") and "422" not in message.text:
            self.complaints.append(message.text)

    def open(self, path: str) -> None:
        self.page.goto(self.door + path)

    def sign_in(self, username: str) -> None:
        self.open("/admin/login/")
        self.page.fill("input[name=username]", username)
        self.page.fill("input[name=password]", PASSWORD)
        self.page.click("button.primary")
        self.page.wait_for_url("**/admin/")


@pytest.fixture
def desk(page: Page, live_server: Any, busy: BusySite) -> Iterator[Desk]:
    """A browser at the open door of a busy site."""
    page.set_default_timeout(15_000)
    opened = Desk(page, live_server.url)
    yield opened
    assert opened.complaints == []
