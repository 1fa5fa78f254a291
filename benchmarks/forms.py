"""Saving a form of 20 items: the verb with its checks, scores and trail, against one statement that only inserts.

The statement writes the same rows into tables of the same columns, constraints and indexes, without triggers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count

import psycopg
from django.db import connection

from benchmarks.measuring import Line, in_turn
from outcomes.responses import ResponseEntry, save_response
from outcomes.scoring import score
from studies.models import Membership, Participant, Role
from trialsite.services.connection import database_url

INSTRUMENT = "panas"
ITEMS = {str(number): float(number % 5 + 1) for number in range(1, 21)}
AT = datetime(2026, 6, 1, 9, tzinfo=UTC)
FIRST_DAY = date(1990, 1, 1)  # long before the trial: no such day is taken
TABLES = ("outcomes_response", "outcomes_responseitem", "outcomes_score")
_STAMPS = "entered_at, entered_by, changed_at, changed_by, changed_in, change_no, simulated"
_STAMPED = "now(), 'bench', now(), 'bench', 0, 0, false"
_ONLY_INSERTS = f"""
WITH response AS (
    INSERT INTO bench_response (participant_id, day, instrument_id, respondent, status, not_done_reason, source,
                                proxy, language, wording_version, completed_at, {_STAMPS})
    VALUES (%s, %s, %s, '', 'complete', '', 'staff', '', '', '', %s, {_STAMPED}) RETURNING id, participant_id
), item AS (
    INSERT INTO bench_responseitem (response_id, item, value, {_STAMPS})
    SELECT response.id, i.item, i.value, {_STAMPED}
      FROM response, unnest(%s::text[], %s::float8[]) AS i(item, value)
)
INSERT INTO bench_score (response_id, participant_id, name, number, scoring_version, imported, source_column, {_STAMPS})
SELECT response.id, response.participant_id, s.name, s.number, '1', false, '', {_STAMPED}
  FROM response, unnest(%s::text[], %s::float8[]) AS s(name, number)
"""


def measure(rounds: int = 300) -> Line:
    """The median of both ways, in turn."""
    _make_peer_tables()
    participant = Participant.objects.select_related("site", "study", "protocol_version").filter(
        consents__withdrawn_at__isnull=True, site__code="BER"
    )[0]
    ours, theirs = in_turn(_by_verb(participant), _by_statement(participant), rounds=rounds)
    return Line("save a form of 20 items by its verb", ours, "one INSERT of its rows", theirs, ratio_limit=5)


def _by_verb(participant: Participant) -> Callable[[], object]:
    user = Membership.objects.filter(site=participant.site, role=Role.COORDINATOR)[0].user
    days = count()

    def save() -> None:
        day = FIRST_DAY + timedelta(days=next(days))
        save_response(user, entry=ResponseEntry(participant, INSTRUMENT, ITEMS, AT, day=day))

    return save


def _by_statement(participant: Participant) -> Callable[[], object]:
    days, scores = count(), score(INSTRUMENT, ITEMS).values
    names, numbers = list(ITEMS), list(ITEMS.values())

    def insert() -> None:
        day = FIRST_DAY + timedelta(days=next(days))
        values = [participant.pk, day, 1, AT, names, numbers, list(scores), list(scores.values())]
        with connection.cursor() as cursor:
            cursor.execute(_ONLY_INSERTS, values)

    return insert


def _make_peer_tables() -> None:
    """Copies of the three tables with constraints, indexes and foreign keys between them, without triggers."""
    with psycopg.connect(database_url("owner"), autocommit=True) as owner:
        for table in TABLES:
            copy = table.replace("outcomes", "bench")
            owner.execute(f"DROP TABLE IF EXISTS {copy} CASCADE")
            owner.execute(f"CREATE TABLE {copy} (LIKE {table} INCLUDING ALL)")
        for child in ("bench_responseitem", "bench_score"):
            owner.execute(f"ALTER TABLE {child} ADD FOREIGN KEY (response_id) REFERENCES bench_response")
        owner.execute("ALTER TABLE bench_response ADD FOREIGN KEY (participant_id) REFERENCES studies_participant")
