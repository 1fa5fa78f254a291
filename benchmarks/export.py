"""Reading every answer of the trial through the API, against one SELECT of the same columns."""

from __future__ import annotations

from django.db import connection
from django.test import Client
from rest_framework.authtoken.models import Token

from benchmarks.measuring import Line, in_turn
from outcomes.models import ResponseItem
from studies.models import User

PAGE = 5000
_SELECT = """
SELECT i.id, i.response_id, p.identifier, v.code, r.day, n.key, i.item, i.value, i.missing_reason, i.entered_at,
       i.entered_by, i.changed_at, i.changed_by, i.simulated
  FROM outcomes_responseitem i
  JOIN outcomes_response r ON r.id = i.response_id
  JOIN outcomes_instrumentversion n ON n.id = r.instrument_id
  JOIN studies_participant p ON p.id = r.participant_id
  LEFT JOIN studies_visit v ON v.id = r.visit_id
 WHERE NOT n.arm_revealing ORDER BY i.id LIMIT %s
"""


def measure(rounds: int = 5) -> Line:
    """A page of 5,000 answers as JSON, with the checks of who may see them."""
    token = Token.objects.get_or_create(user=User.objects.get(username="statistician"))[0].key
    client = Client(headers={"host": "localhost", "authorization": f"Token {token}"})

    def ours() -> None:
        page = client.get("/api/v1/response-items/", {"page_size": PAGE}).json()
        if len(page["results"]) != PAGE:
            raise RuntimeError(f"{len(page['results'])} answers on a page of {PAGE}.")

    def theirs() -> None:
        with connection.cursor() as cursor:
            cursor.execute(_SELECT, [PAGE])
            cursor.fetchall()

    mine, peer = in_turn(ours, theirs, rounds=rounds)
    return Line(f"API: a page of {PAGE:,} of {ResponseItem.objects.count():,} answers", mine, "one SELECT", peer)
