"""The step of a participant: a form filled in alone, by a link that works once."""

from __future__ import annotations

import re

from tests.journeys.journey import Journey, StepFailed, expect, require
from tests.journeys.visitor import Visitor

INSTRUMENT, ITEMS = "gad7", range(1, 8)
LINK = re.compile(r"(/p/[^/\"]+/)\"")


def the_participant_fills_in_a_form_alone(journey: Journey) -> None:
    """The coordinator orders a link, the participant fills in a form by it, once, and the coordinator reads it"""
    coordinator, participant = journey.as_("coordinator"), Visitor(journey.open_door)
    ordered = {"do": "ask", "form": f"BL~{INSTRUMENT}"}
    page = expect(coordinator.fill(journey.page + "self-completion/", ordered), 200, "order a link")
    found = LINK.search(page.text)
    if found is None:
        raise StepFailed("the page shows no link")
    link = found[1]
    expect(participant.fill(link, {}, to=link), 200, "open the link")
    answers = {f"item-{item}": 1 for item in ITEMS}
    done = expect(participant.fill("/p/form/", answers | {"go": "send"}), 200, "send the form")
    require(done.address.endswith("/p/done/"), f"the participant was led to {done.address}")
    expect(Visitor(journey.open_door).get(link), 404, "the link once more")
    own = expect(coordinator.get(f"{journey.page}visits/BL/forms/{INSTRUMENT}/"), 200, "the participant's form")
    require("/own-forms/" in own.address, f"the coordinator was led to {own.address}")
    require("own answers" in own.text and f"participant {journey.participant}" in own.text, "the form is not shown")
