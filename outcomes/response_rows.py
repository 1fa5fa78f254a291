"""Responses as the database takes them: one statement writes any number of them with their items and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.db import connection

from outcomes.models import InstrumentVersion, Response
from outcomes.response_entry import ResponseEntry, Status, checked_items
from outcomes.scoring import Instrument, Scores, score


def row_of(entry: ResponseEntry, version: InstrumentVersion, instrument: Instrument) -> dict[str, Any]:
    """The response as the statement takes it, and `file`, the instrument, and `scored`, what it gives.

    Raises InvalidEntries naming what cannot be saved.
    """
    items = checked_items(entry, instrument)
    answers = {name: value for name, (value, _) in items.items()}
    scores = None if entry.not_done else score(instrument.key, answers, instrument.version)
    return {
        "participant": entry.participant.pk,
        "visit": entry.visit.pk if entry.visit else None,
        "day": entry.day,
        "minute": entry.minute,
        "respondent": entry.respondent,
        "instrument": version.pk,
        "status": entry.status or (Status.PARTIAL if instrument.open_items(answers) else Status.COMPLETE),
        "not_done_reason": entry.not_done_reason.strip(),
        "source": entry.source,
        "completed_at": entry.completed_at,
        "days_late": None if entry.not_done else entry.days_late,
        "proxy": entry.proxy,
        "language": entry.language,
        "wording_version": entry.wording_version,
        "items": [{"item": name, "value": v, "missing_reason": m} for name, (v, m) in items.items()],
        "scores": _score_rows(scores) if scores else [],
        "scoring_version": instrument.scoring_version,
        "scored": scores,
        "file": instrument,
    }


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


class AlreadySaved(Exception):
    """There is a response to this instrument at this place already."""


_INSERT = """
WITH given AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('outcomes_response', 'id')) AS id, g.*
    FROM jsonb_to_recordset(%s::jsonb) AS g(
        participant bigint, visit bigint, day date, minute smallint, respondent text, instrument bigint,
        status text, not_done_reason text, source text, completed_at timestamptz, days_late smallint, proxy text,
        language text, wording_version text, imported_file bigint, items jsonb, scores jsonb, scoring_version text)
), response AS (
    INSERT INTO outcomes_response (id, participant_id, visit_id, day, minute, respondent, instrument_id, status,
                                   not_done_reason, source, completed_at, days_late, proxy, language, wording_version,
                                   imported_file_id)
    SELECT id, participant, visit, day, minute, coalesce(respondent, ''), instrument, status, not_done_reason, source,
           completed_at, days_late, coalesce(proxy, ''), coalesce(language, ''), coalesce(wording_version, ''),
           imported_file
      FROM given
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


_NOT_STORED = ("scored", "file")


def insert(rows: Sequence[Mapping[str, Any]]) -> list[Response]:
    """Write responses with their items and scores, in the order given. Raises AlreadySaved."""
    content = orjson.dumps([{k: v for k, v in row.items() if k not in _NOT_STORED} for row in rows], default=str)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [content.decode()])
        columns = [column.name for column in cursor.description or ()]
        saved = [_as_response(dict(zip(columns, row, strict=True))) for row in cursor.fetchall()]
    if len(saved) != len(rows):
        raise AlreadySaved
    return saved


def _as_response(row: Mapping[str, Any]) -> Response:
    """A row as the ORM would have read it."""
    fields = Response._meta.concrete_fields
    return Response.from_db(connection.alias, [f.attname for f in fields], [row[str(f.column)] for f in fields])
