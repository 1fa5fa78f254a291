"""What the unblinded side does: generates lists and reads arms. Works only for the role `unblinded`.

Every function names who acts; the database logs each read of an arm, without the arm.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping

from django.db import connection, transaction

from studies.acting import Actor, acting
from studies.errors import RandomisationRefused, database_refusals
from studies.models import ProtocolVersion, Study
from studies.pinned_protocols import require_pinned
from studies.randomisation import generate_list


def make_list(actor: Actor, *, study: Study, protocol: ProtocolVersion, seed: int | None = None) -> int:
    """Generate and store the randomisation list of every stratum of a study, once. Returns the number of rows.

    From now on the unblinded side goes by the protocol texts of this moment (studies/pinned_protocols.py).

    seed: 128 bits; None takes them from the operating system, the only way outside a demonstration.
    """
    definition = protocol.definition
    if definition.randomisation is None:
        raise RandomisationRefused(f"{study} is not randomised here: its protocol has no 'randomisation'.")
    used_seed = secrets.randbits(128) if seed is None else seed
    rows = generate_list(
        used_seed,
        strata=list(study.strata.order_by("code").values_list("code", flat=True)),
        ratio=definition.ratio,
        block_sizes=definition.randomisation.block_sizes,
        rows_per_stratum=definition.randomisation.rows_per_stratum,
    )
    content = [
        {
            "stratum": row.stratum,
            "position": row.position,
            "randomisation_number": row.randomisation_number,
            "kit_number": row.kit_number,
            "arm": row.arm,
        }
        for row in rows
    ]
    with transaction.atomic():
        stored = _call(
            actor,
            "randomisation list generated",
            "SELECT concealed.store_list(%s, %s, %s, %s)",
            [study.pk, used_seed, seed is not None, json.dumps(content)],
        )
        # What was read above is what was pinned: nobody changed the text in between.
        require_pinned(protocol)
    return stored


def import_arms(actor: Actor, *, study: Study, arms: Mapping[int, str], numbers: Mapping[int, str]) -> int:
    """Store the arms of an imported trial: participant key -> arm, participant key -> number. Safe to repeat."""
    rows = [{"participant": key, "arm": arm, "number": numbers[key]} for key, arm in sorted(arms.items())]
    return _call(actor, "arms imported", "SELECT concealed.import_arms(%s, %s)", [study.pk, json.dumps(rows)])


def read_arms(actor: Actor, *, study: Study, purpose: str) -> dict[int, str]:
    """The arm of every randomised participant of a study, by participant key. Logged."""
    with acting(actor, purpose), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT participant_id, arm FROM concealed.read_arms(%s, %s)", [study.pk, purpose])
        return dict(cursor.fetchall())


def read_arm(actor: Actor, *, participant_id: int, purpose: str) -> str | None:
    """The arm of one participant, or None if not randomised. Logged."""
    with acting(actor, purpose), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT concealed.read_arm(%s, %s)", [participant_id, purpose])
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


def _call(actor: Actor, reason: str, statement: str, values: list[str | int | bool]) -> int:
    with database_refusals(), acting(actor, reason), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.fetchone()[0])
