"""Questionnaire responses: entering them, and correcting them with a reason.

One statement writes a response with its items and scores, and as many responses as are given: the triggers
audit each of them. Scores are computed here, never typed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import orjson
from django.db import connection

from outcomes import instrument_versions
from outcomes.models import InstrumentVersion, Response, ResponseItem, Score
from outcomes.scoring import Instrument, Scores, load_instrument, score
from studies import alerts, findings, infusions
from studies.acting import moment, verb
from studies.consents import require_collection
from studies.errors import AlreadyDone, InvalidEntries, InvalidEntry
from studies.models import Infusion, Participant, User, Visit
from studies.permissions import may_enter_response, may_run_infusion, require

MISSING_REASONS = ("not_answered", "refused", "not_applicable", "unreadable", "not_done")
# Why an imported form has no answer to an item; nobody chooses it.
NOT_IN_SOURCE = "not_in_source"
Status = Response.Status


@dataclass(frozen=True, slots=True)
class ResponseEntry:
    """One form as it was filled in: the coded value printed on the form per item, None where unanswered.

    An item that was left open deliberately has its reason in `missing` (one of MISSING_REASONS); any other
    open item is `not_answered`. Either a visit or a diary day is given. `not_done_reason` with status not_done
    or refused stands for the whole form; there are no items then.
    """

    participant: Participant
    instrument: str
    items: Mapping[str, float | None]
    completed_at: datetime
    visit: Visit | None = None
    day: date | None = None
    minute: int | None = None
    respondent: str = ""
    missing: Mapping[str, str] = field(default_factory=dict)
    source: str = Response.Source.STAFF
    status: str = ""
    not_done_reason: str = ""


@verb(because="form entered")
def save_response(user: User, *, entry: ResponseEntry) -> Response:
    """Save one form with its scores, findings and alerts.

    Raises NotAllowed; ConsentMissing; AlreadyDone if the form was saved before; InvalidEntries naming every
    item that cannot be saved as it is. Alerts are raised also for a form that is not complete.
    """
    require_collection(entry.participant, entry.instrument)
    return _save(user, [entry])[0]


@verb(because="forms entered")
def save_responses(user: User, *, entries: Sequence[ResponseEntry]) -> list[int]:
    """Save many forms, all or none; their keys in the order given. The checks are those of one form."""
    asked: dict[Participant, set[str]] = {}
    for entry in entries:
        asked.setdefault(entry.participant, set()).add(entry.instrument)
    for participant, instruments in asked.items():
        require_collection(participant, *sorted(instruments))
    return [saved.pk for saved in _save(user, entries)]


def _save(user: User, entries: Sequence[ResponseEntry]) -> list[Response]:
    versions = instrument_versions.current({entry.instrument for entry in entries})
    rows = []
    for entry in entries:
        version = versions[entry.instrument]
        require(
            may_enter_response(user, entry.participant.site, arm_revealing=version.arm_revealing),
            f"enter {version.name} at site {entry.participant.site.code}",
        )
        rows.append(_row(entry, version, load_instrument(entry.instrument)))
    try:
        saved = _insert(rows)
    except _AlreadySaved as error:
        raise AlreadyDone("This form has already been saved. Open it to correct it.") from error
    for row, entry, response in zip(rows, entries, saved, strict=True):
        row["id"] = response.pk
        response.participant, response.visit, response.instrument = (
            entry.participant,
            entry.visit,
            versions[entry.instrument],
        )
    _tell(user, entries, rows)
    return saved


def _row(entry: ResponseEntry, version: InstrumentVersion, instrument: Instrument) -> dict[str, Any]:
    """The response as the statement takes it; refuses what cannot be saved."""
    not_done = entry.status in (Status.NOT_DONE, Status.REFUSED)
    if not_done and not entry.not_done_reason.strip():
        raise InvalidEntry("Say why the form was not done.", field="not_done_reason")
    items = {} if not_done else _checked(entry, instrument)
    answers = {name: value for name, (value, _) in items.items()}
    scores = None if not_done else score(entry.instrument, answers)
    return {
        "participant": entry.participant.pk,
        "visit": entry.visit.pk if entry.visit else None,
        "day": entry.day,
        "minute": entry.minute,
        "respondent": entry.respondent,
        "instrument": version.pk,
        "status": entry.status or (Status.PARTIAL if instrument.open_items(answers) else Status.COMPLETE),
        "not_done_reason": entry.not_done_reason,
        "source": entry.source,
        "completed_at": entry.completed_at,
        "items": [{"item": name, "value": v, "missing_reason": m} for name, (v, m) in items.items()],
        "scores": _score_rows(scores) if scores else [],
        "scoring_version": version.scoring_version,
        "scored": scores,
    }


def _checked(entry: ResponseEntry, instrument: Instrument) -> dict[str, tuple[float | None, str | None]]:
    """Every item of the instrument with its value or its missing-reason. Raises InvalidEntries."""
    problems = [
        InvalidEntry(f"{instrument.name} has no item {name}.", field=name)
        for name in entry.items.keys() - instrument.items.keys()
    ]
    checked: dict[str, tuple[float | None, str | None]] = {}
    imported = entry.source == Response.Source.IMPORT
    for name in instrument.items:
        value = entry.items.get(name)
        if value is None:
            asked = "not_answered" if instrument.is_open(name, entry.items) else "not_applicable"
            reason = entry.missing.get(name, asked)
            if reason not in MISSING_REASONS and not (imported and reason == NOT_IN_SOURCE):
                problems.append(
                    InvalidEntry(
                        f"{reason!r} is no reason for an open item; choose one of {', '.join(MISSING_REASONS)}.",
                        field=name,
                    )
                )
            checked[name] = (None, reason)
            continue
        problem = instrument.items[name].problem(value)
        if problem:
            problems.append(InvalidEntry(f"{problem} Check the value, or choose Not done.", field=name))
        checked[name] = (value, None)
    if problems:
        raise InvalidEntries(problems)
    return checked


def _score_rows(scores: Scores) -> list[dict[str, Any]]:
    return [score_row(name, value) for name, value in scores.values.items()]


def score_row(name: str, value: Any) -> dict[str, Any]:
    """A score as it is stored: a number (true and false are 1 and 0), a text (lists as JSON), or a missing-reason."""
    row: dict[str, Any] = {"name": name, "number": None, "text": None, "missing_reason": None}
    if value is None:
        row["missing_reason"] = "too_few_items"
    elif isinstance(value, bool | int | float):
        row["number"] = float(value)
    else:
        row["text"] = value if isinstance(value, str) else orjson.dumps(value).decode()
    return row


class _AlreadySaved(Exception):
    pass


_INSERT = """
WITH given AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('outcomes_response', 'id')) AS id, g.*
    FROM jsonb_to_recordset(%s::jsonb) AS g(
        participant bigint, visit bigint, day date, minute smallint, respondent text, instrument bigint,
        status text,
        not_done_reason text, source text, completed_at timestamptz, imported_file bigint,
        items jsonb, scores jsonb, scoring_version text)
), response AS (
    INSERT INTO outcomes_response (id, participant_id, visit_id, day, minute, respondent, instrument_id, status,
                                   not_done_reason, source, completed_at, imported_file_id)
    SELECT id, participant, visit, day, minute, coalesce(respondent, ''), instrument, status, not_done_reason, source,
           completed_at, imported_file FROM given
    ON CONFLICT ON CONSTRAINT response_once DO NOTHING RETURNING *
), item AS (
    INSERT INTO outcomes_responseitem (response_id, item, value, missing_reason)
    SELECT given.id, i.item, i.value, i.missing_reason FROM given JOIN response ON response.id = given.id,
           jsonb_to_recordset(given.items) AS i(item text, value float8, missing_reason text)
), score AS (
    INSERT INTO outcomes_score (response_id, participant_id, name, number, text, missing_reason, scoring_version,
                                imported, source_column)
    SELECT given.id, given.participant, s.name, s.number, s.text, s.missing_reason, given.scoring_version,
           coalesce(s.source_column, '') <> '', coalesce(s.source_column, '')
    FROM given JOIN response ON response.id = given.id,
         jsonb_to_recordset(given.scores)
         AS s(name text, number float8, text text, missing_reason text, source_column text)
)
SELECT * FROM response ORDER BY id
"""


def _insert(rows: Sequence[Mapping[str, Any]]) -> list[Response]:
    content = orjson.dumps([{k: v for k, v in row.items() if k != "scored"} for row in rows], default=str)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [content.decode()])
        columns = [column.name for column in cursor.description or ()]
        saved = [_as_response(dict(zip(columns, row, strict=True))) for row in cursor.fetchall()]
    if len(saved) != len(rows):
        raise _AlreadySaved
    return saved


def _as_response(row: Mapping[str, Any]) -> Response:
    """A row as the ORM would have read it."""
    fields = Response._meta.concrete_fields
    return Response.from_db(connection.alias, [f.attname for f in fields], [row[str(f.column)] for f in fields])


def insert_imported(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert responses that an importer has checked and scored itself. Raises AlreadyDone if one exists."""
    try:
        return [saved.pk for saved in _insert(rows)]
    except _AlreadySaved as error:
        raise AlreadyDone("One of these responses has already been imported.") from error


def _tell(user: User, entries: Sequence[ResponseEntry], rows: Sequence[Mapping[str, Any]]) -> None:
    """Hand findings up to conduct and raise the alerts that the answers call for."""
    new_findings: list[findings.NewFinding] = []
    new_alerts: list[alerts.NewAlert] = []
    for entry, row in zip(entries, rows, strict=True):
        if row["scored"] is None:
            continue
        new_findings += _findings(entry, row)
        new_alerts += [alerts.NewAlert(entry.participant, code, "response", row["id"]) for code in row["scored"].alerts]
    if new_findings:
        findings.note(new_findings)
    if new_alerts:
        alerts.raise_alerts(new_alerts, at=moment())
    on_the_clock = {finding.participant_id for finding in new_findings if finding.minute is not None}
    if on_the_clock:
        _look_at_the_rules(user, on_the_clock)


def _look_at_the_rules(user: User, on_the_clock: set[int]) -> None:
    """A side-effect score of the infusion day may fire a safety rule."""
    for infusion in Infusion.objects.filter(participant__in=on_the_clock).select_related(
        "participant__site", "participant__protocol_version", "visit"
    ):
        if may_run_infusion(user, infusion.participant.site):
            infusions.check_rules(user, infusion=infusion)


def _findings(entry: ResponseEntry, row: Mapping[str, Any]) -> Iterable[findings.NewFinding]:
    """The findings that the participant's protocol asks of this instrument, but for summaries of diary days."""
    items = {item["item"]: item["value"] for item in row["items"] if item["value"] is not None}
    for wanted in entry.participant.protocol_version.definition.findings_of_instrument(entry.instrument):
        if wanted.diary or (wanted.visits and (entry.visit is None or entry.visit.code not in wanted.visits)):
            continue
        source = wanted.item or wanted.score or ""
        value = items.get(source) if wanted.item else row["scored"].values.get(source)
        if value is not None:
            yield findings.NewFinding(
                entry.participant.pk,
                entry.visit.pk if entry.visit else None,
                wanted.key,
                value if isinstance(value, str) else float(value),
                "response",
                row["id"],
                source,
                entry.minute,
            )


@verb(because="form corrected")
def correct_response(
    user: User,
    *,
    response: Response,
    items: Mapping[str, float | None],
    reason: str,
    missing: Mapping[str, str] | None = None,
) -> Response:
    """Change answers of a saved form and compute its scores anew. The old answers stay in the audit trail.

    items: only those that change. Raises NotAllowed, InvalidEntry without a reason, InvalidEntries.
    """
    instrument = load_instrument(response.instrument.key)
    require(
        may_enter_response(user, response.participant.site, arm_revealing=response.instrument.arm_revealing),
        f"correct {response.instrument.name} here",
    )
    if not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")
    if response.scores.filter(imported=True).exists():
        raise InvalidEntry("This form came as scores, without its answers: an imported score is never rescored.")
    if response.source == Response.Source.PARTICIPANT:
        raise InvalidEntry("A participant's own answers are not changed: put a note beside them.")
    saved = {item.item: item for item in response.items.select_for_update()}
    entry = ResponseEntry(
        participant=response.participant,
        instrument=instrument.key,
        items={**{name: item.value for name, item in saved.items()}, **items},
        missing={**{n: i.missing_reason for n, i in saved.items() if i.missing_reason}, **(missing or {})},
        completed_at=response.completed_at,
        visit=response.visit,
        day=response.day,
        minute=response.minute,
        respondent=response.respondent,
        source=response.source,
    )
    row = _row(entry, response.instrument, instrument) | {"id": response.pk}
    _update_items(response, saved, row["items"])
    if response.status != row["status"]:
        response.status, response.not_done_reason = row["status"], ""
        response.save(update_fields=["status", "not_done_reason"])
    replace_scores(response, row["scores"])
    _tell(user, [entry], [row])
    return response


def _update_items(response: Response, saved: Mapping[str, ResponseItem], rows: Iterable[Mapping[str, Any]]) -> None:
    changed, new = [], []
    for row in rows:
        item = saved.get(row["item"])
        if item is None:
            new.append(ResponseItem(response=response, **row))
        elif (item.value, item.missing_reason) != (row["value"], row["missing_reason"]):
            item.value, item.missing_reason = row["value"], row["missing_reason"]
            changed.append(item)
    ResponseItem.objects.bulk_update(changed, ["value", "missing_reason"])
    ResponseItem.objects.bulk_create(new)


def replace_scores(response: Response, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the scores of a response anew, keeping the rows that have not changed."""
    Score.objects.bulk_create(
        [
            Score(
                response=response,
                participant_id=response.participant_id,
                scoring_version=response.instrument.scoring_version,
                **row,
            )
            for row in rows
        ],
        update_conflicts=True,
        unique_fields=["response", "name"],
        update_fields=["number", "text", "missing_reason", "scoring_version"],
    )
