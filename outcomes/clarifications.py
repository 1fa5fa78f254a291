"""Clarifications: what the site found out about a participant's own answers, written beside them."""

from __future__ import annotations

from outcomes.models import Clarification, Response
from outcomes.scoring import load_instrument
from studies.acting import verb
from studies.errors import InvalidEntry
from studies.models import User
from studies.permissions import may_clarify, require


@verb(because="answer clarified")
def clarify(user: User, *, response: Response, text: str, item: str = "") -> Clarification:
    """Write a clarification beside a participant's own answers, or (item given) beside one of them.

    The answers stay as they are. Raises NotAllowed; InvalidEntry without a text, for an unknown item, and for a form
    that the site entered itself: that one is corrected.
    """
    require(may_clarify(user, response.participant.site), "clarify answers at this site")
    if response.source != Response.Source.PARTICIPANT:
        raise InvalidEntry("This form was not filled in by the participant: correct it, with a reason.")
    version = response.instrument
    if item and item not in load_instrument(version.key, version.version).items:
        raise InvalidEntry(f"There is no question {item} on this form.", field="item")
    if not text.strip():
        raise InvalidEntry("Write what was clarified.", field="text")
    return Clarification.objects.create(
        response=response, participant=response.participant, item=item, text=text.strip()
    )
