"""Values of a file as answers to instruments here: through the verbs that people's own entries go through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from outcomes.imports.refusals import Difference as StoredOtherwise
from outcomes.imports.refusals import ImportRefused, SourceChanged
from outcomes.interchange.answers_planning import AnsweredChange, AnswersPlan, plan_answers
from outcomes.interchange.document import Document
from outcomes.interchange.records_mapping import RecordsMapping
from outcomes.responses import change_answers, enter
from studies.acting import verb
from studies.errors import InvalidEntry
from studies.models import User


@verb(because="answers imported from a file of another system")
def take_answers(
    user: User,
    *,
    document: Document,
    mapping: RecordsMapping,
    changed: Literal["refuse", "correct", "leave"] = "refuse",
    refused: Literal["refuse", "leave"] = "refuse",
    reason: str = "",
    shown: str = "",
) -> AnswersPlan:
    """Save new answers, and correct changed ones if so chosen, with the reason. Safe to repeat.

    refused: whether one form that cannot be an answer stops all of them, or is left out. shown: the digest of the
    difference that was looked at. Raises ImportRefused naming every form that cannot be taken, with its row;
    SourceChanged where changed answers are not decided; InvalidEntry. Nothing is written then.
    """
    planned = plan_answers(document, mapping, user=user)
    if shown and shown != planned.digest:
        raise InvalidEntry("What is stored has changed since this difference was shown. Look at it again.")
    if planned.refused and refused == "refuse":
        raise ImportRefused(document.name, planned.refused)
    if planned.changed and changed == "refuse":
        raise SourceChanged(document.name, [each for change in planned.changed for each in _otherwise(change)])
    if planned.changed and changed == "correct" and not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")
    # Whether this person may, and whether consent covers it, was asked of every form when it was planned.
    if planned.new:
        enter(user, planned.new)
    for change in planned.changed if changed == "correct" else ():
        change_answers(user, response=change.response, items=change.items, missing=change.missing, reason=reason)
    return planned


def _otherwise(change: AnsweredChange) -> Iterator[StoredOtherwise]:
    for answer in change.answers:
        about = f"{change.response.participant}, {change.response.instrument.name} item {answer.item}"
        yield StoredOtherwise(answer.line, answer.field, about, answer.old, answer.new)
