"""What the steps of a journey hand on to each other, and how they say what went wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.journeys.visitor import Answer, Visitor

# That of studies.demonstration, which a program outside the site cannot import; a test holds them together.
PASSWORD = "calm river in winter"


class StepFailed(AssertionError):
    """A door answered otherwise than it should; the message says what was asked and what came back."""


def expect(answer: Answer, status: int, what: str) -> Answer:
    """The answer, if it has the status. Raises StepFailed with the beginning of what came instead."""
    if answer.status != status:
        said = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.body.decode(errors="replace")))[:600]
        raise StepFailed(f"{what}: {answer.status} instead of {status} at {answer.address}: {said}")
    return answer


def require(holds: bool, what: str) -> None:
    if not holds:
        raise StepFailed(what)


@dataclass
class Journey:
    """What the steps hand on to each other."""

    open_door: str
    closed_door: str
    people: dict[str, Visitor] = field(default_factory=dict)
    participant: str = ""
    response: int = 0
    token: str = ""
    cut: str = ""
    look: dict[str, Any] = field(default_factory=dict)

    def as_(self, username: str) -> Visitor:
        """Somebody of the open door, signed in."""
        if username not in self.people:
            visitor = Visitor(self.open_door)
            expect(visitor.sign_in("/admin/login/", username, PASSWORD), 200, f"{username} signs in")
            page = visitor.get("/admin/")
            require("/login/" not in page.address, f"{username} is not signed in: sent to {page.address}")
            self.people[username] = visitor
        return self.people[username]

    def at_closed_door(self, username: str) -> Visitor:
        """Somebody of the closed door, signed in."""
        visitor = Visitor(self.closed_door)
        expect(visitor.sign_in("/login/", username, PASSWORD), 200, f"{username} signs in at the closed door")
        return visitor

    @property
    def page(self) -> str:
        return f"/admin/participants/{self.participant}/"

    @property
    def api(self) -> str:
        return f"/api/v1/participants/{self.participant}/"
