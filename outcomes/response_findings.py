"""The findings that a protocol takes from questionnaires: handed up to conduct as a form is saved or scored anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from outcomes.models import Response
from outcomes.response_entry import ResponseEntry
from studies import findings
from studies.models import Participant, Visit
from studies.protocol.eligibility import Finding as FindingPlan


def findings_of_entry(entry: ResponseEntry, response: int, scores: Mapping[str, Any]) -> Iterator[findings.NewFinding]:
    """The findings that the participant's protocol asks of a form, but for summaries of diary days.

    response: the key of its row; scores: its values by name.
    """
    for wanted in _wanted(entry.participant, entry.instrument, entry.visit):
        value = entry.items.get(wanted.item) if wanted.item else scores.get(wanted.score or "")
        if value is not None:
            yield _finding(entry.participant, wanted, entry.visit, entry.minute, response, value)


def note_findings(response: Response, scores: Mapping[str, Any]) -> None:
    """Hand up the findings that the protocol takes from scores of a saved form, after they were computed anew."""
    wanted = _wanted(response.participant, response.instrument.key, response.visit)
    findings.note(
        [
            _finding(response.participant, plan, response.visit, response.minute, response.pk, scores[plan.score])
            for plan in wanted
            if plan.score and scores.get(plan.score) is not None
        ]
    )


def _wanted(participant: Participant, instrument: str, visit: Visit | None) -> Iterable[FindingPlan]:
    for wanted in participant.protocol_version.definition.findings_of_instrument(instrument):
        if not wanted.diary and (not wanted.visits or (visit is not None and visit.code in wanted.visits)):
            yield wanted


def _finding(
    participant: Participant, plan: FindingPlan, visit: Visit | None, minute: int | None, response: int, value: Any
) -> findings.NewFinding:
    return findings.NewFinding(
        participant.pk,
        visit.pk if visit else None,
        plan.key,
        value if isinstance(value, str) else float(value),
        "response",
        response,
        plan.item or plan.score or "",
        minute,
    )
