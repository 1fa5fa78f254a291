"""Saving a form of 20 items through its verb (consent, checks, scores, audit), against one SQL statement."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import orjson
import psycopg
from django.db import connection

from benchmarks.timing import alternately
from outcomes.responses import ResponseEntry, save_response
from studies.models import Participant, User
from trialsite.services.connection import database_url

TIMES = 300
PLAIN = """
WITH response AS (
    INSERT INTO bench_response (participant_id, day, instrument_id, status, completed_at)
    VALUES (%s, %s, 1, 'complete', now()) RETURNING id
)
INSERT INTO bench_item (response_id, item, value)
SELECT response.id, i.item, i.value FROM response, jsonb_to_recordset(%s::jsonb) AS i(item text, value float8)
"""
TABLES = """
CREATE TABLE bench_response (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, participant_id bigint NOT NULL
    REFERENCES studies_participant, day date, instrument_id bigint NOT NULL, status text NOT NULL,
    completed_at timestamptz NOT NULL, UNIQUE (participant_id, instrument_id, day));
CREATE TABLE bench_item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, response_id bigint NOT NULL
    REFERENCES bench_response, item text NOT NULL, value float8, UNIQUE (response_id, item));
"""
ITEMS = {str(n): 3.0 for n in range(1, 21)}


def measure() -> Iterator[str]:
    with psycopg.connect(database_url("owner"), autocommit=True) as owner:
        owner.execute(TABLES)
    participant = Participant.objects.select_related("site", "study", "protocol_version").filter(
        status=Participant.Status.COMPLETED
    )[0]
    user = User.objects.get(username=f"{participant.site.code.lower()}.coordinator")
    days = (date(2000, 1, 1) + timedelta(days=n) for n in itertools.count())
    rows = orjson.dumps([{"item": k, "value": v} for k, v in ITEMS.items()]).decode()

    def verb() -> None:
        entry = ResponseEntry(participant, "panas", ITEMS, datetime.now(UTC), day=next(days))
        save_response(user, entry=entry)

    def plain() -> None:
        with connection.cursor() as cursor:
            cursor.execute(PLAIN, [participant.pk, next(days), rows])

    taken = alternately({"plain": plain, "verb": verb}, times=TIMES)
    yield f"one statement {taken['plain'] * 1000:.2f} ms, verb {taken['verb'] * 1000:.2f} ms"
    yield f"ratio {taken['verb'] / taken['plain']:.1f} (at most 5)"
