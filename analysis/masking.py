"""Which label stands for which arm in masked reports: drawn once a study, sealed apart, read with a purpose.

Works only for the role `unblinded`. See docs/adr/0013.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from string import ascii_uppercase
from typing import Any

import numpy as np
from django.db import connection, transaction

from studies.acting import Actor, acting
from studies.models import Study


def draw_labels(arms: Iterable[str], seed: int) -> dict[str, str]:
    """A label (A, B, ...) for every arm, drawn from all orders alike; the same seed gives the same labels."""
    codes = sorted(arms)
    order = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed))).permutation(len(codes))
    return {code: ascii_uppercase[int(place)] for code, place in zip(codes, order, strict=True)}


def labels_of(actor: Actor, *, study: Study, purpose: str) -> dict[str, str]:
    """The label of every arm of a study, drawn now if they have not been. Logged, with the purpose.

    The seed is the operating system's, and kept beside the labels: nobody can guess or choose it.
    """
    known = _read(actor, study, purpose)
    if known is None:
        definition = study.protocol_versions.latest("pk").definition
        seed = secrets.randbits(128)
        _store(actor, study, seed, draw_labels(definition.arm_codes, seed))
        # Of two who drew at once the first one's labels stay: what is stored counts.
        known = _read(actor, study, purpose)
    if known is None:
        raise LookupError(f"The labels of {study} were stored and are not there.")
    return known


def read_masking(actor: Actor, *, study: Study, purpose: str) -> dict[str, str] | None:
    """Which label is which arm, or None while the arms are not masked. Logged, with the purpose."""
    return _read(actor, study, purpose)


def _read(actor: Actor, study: Study, purpose: str) -> dict[str, str] | None:
    value = _call(actor, purpose, "SELECT concealed.read_masking(%s, %s)", [study.pk, purpose])
    found: dict[str, str] | None = json.loads(value) if isinstance(value, str) else value
    return found


def _store(actor: Actor, study: Study, seed: int, labels: dict[str, str]) -> None:
    values = [study.pk, seed, json.dumps(labels)]
    _call(actor, "arms masked", "SELECT concealed.store_masking(%s, %s, %s)", values)


def _call(actor: Actor, reason: str, statement: str, values: list[Any]) -> Any:
    with acting(actor, reason), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0]
