"""A person at a door: a browser without a screen. Pages by session and form, the API by session or token."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urljoin

from tests.journeys.forms import forms_of

LONGEST_ANSWER = 60.0  # seconds


@dataclass(frozen=True)
class Answer:
    """What a door answered."""

    status: int
    body: bytes
    headers: dict[str, str]
    address: str

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Visitor:
    """Somebody at the door `door` (its address), with cookies of their own; `token` opens the API without them."""

    door: str
    token: str = ""
    cookies: CookieJar = field(default_factory=CookieJar)

    def __post_init__(self) -> None:
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies)).open

    def get(self, path: str, **query: object) -> Answer:
        """Read a page or a resource, following redirects."""
        return self._ask(self._address(path, query))

    def fill(self, path: str, typed: Mapping[str, object], *, to: str = "") -> Answer:
        """Open a page, type into the form that has these fields (or posts to `to`) and send it.

        Raises LookupError when the page has no such form.
        """
        page = self.get(path)
        forms = forms_of(page.text)
        form = next((f for f in forms if typed.keys() <= f.names and to in ("", f.action)), None)
        if form is None:
            shown = [sorted(f.names) for f in forms]
            raise LookupError(f"{page.address} ({page.status}) has no form with {sorted(typed)}; it has {shown}.")
        content = form.fields | {name: str(value) for name, value in typed.items()}
        target = urljoin(page.address, form.action or page.address)
        return self._ask(target, urlencode(content).encode(), self._about())

    def send(self, path: str, content: object = None) -> Answer:
        """Post JSON to the API."""
        about = self._about() | {"Content-Type": "application/json"}
        return self._ask(self._address(path), json.dumps(content or {}).encode(), about)

    def sign_in(self, path: str, username: str, password: str) -> Answer:
        return self.fill(path, {"username": username, "password": password})

    def _about(self) -> dict[str, str]:
        """The headers of a request that changes something: where it comes from, and the token against forgery."""
        secret = next((cookie.value for cookie in self.cookies if cookie.name.endswith("_csrf")), None)
        return {"Referer": self.door, "X-CSRFToken": secret or ""}

    def _address(self, path: str, query: dict[str, object] | None = None) -> str:
        return urljoin(self.door, path) + (f"?{urlencode(query)}" if query else "")

    def _ask(self, address: str, content: bytes | None = None, about: dict[str, str] | None = None) -> Answer:
        request = urllib.request.Request(address, content, about or {})  # noqa: S310 - one of our own doors
        if self.token:
            request.add_header("Authorization", f"Token {self.token}")
        try:
            with self._open(request, timeout=LONGEST_ANSWER) as answer:
                return Answer(answer.status, answer.read(), dict(answer.headers), answer.url)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), dict(error.headers), error.url or address)
