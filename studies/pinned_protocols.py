"""The protocol texts that the unblinded side goes by: pinned when the arms came, or later from its own file.

Protocols are kept at the open side, where the role `app` could change their texts: what an arm is, how much of it is
given, what an analysis is. Whoever prepares a kit or registers a plan therefore asks here first.
"""

from __future__ import annotations

import hashlib

from django.db import connection, transaction

from studies.acting import Actor, acting
from studies.errors import InvalidEntry, TrialError, database_refusals
from studies.models import ProtocolVersion, Study
from studies.protocol import load


class ProtocolChanged(TrialError):
    """The text at the open side is not the one that was pinned."""

    code = "protocol_changed"


def require_pinned(protocol: ProtocolVersion) -> None:
    """Raise ProtocolChanged unless the text of a protocol version, hashed here, is the pinned one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sha256 FROM concealed.protocol_pin WHERE study_id = %s AND version = %s",
            [protocol.study_id, protocol.version],
        )
        pinned = cursor.fetchone()
    if pinned is None:
        raise ProtocolChanged(
            f"{protocol} is not pinned at the unblinded side. Compare its file with the approved one, then run"
            " pin_protocol with it."
        )
    if pinned[0] != _sha256(protocol.source):
        raise ProtocolChanged(
            f"The text of {protocol} was changed at the open side after it was pinned here. Prepare and register"
            " nothing by it: compare it with the approved file, and tell the data manager."
        )


def pin_protocol(actor: Actor, *, text: str, source: str) -> bool:
    """Pin a later version from a file that the unblinded side holds; False if this text was pinned before.

    Raises studies.protocol.DocumentInvalid; InvalidEntry for an unknown study; AlreadyDone where another text of this
    version is pinned.
    """
    about = load(text, source=source).study
    study = Study.objects.filter(code=about.code).first()
    if study is None:
        raise InvalidEntry(f"There is no study {about.code}: load its protocol first.", field="study")
    with database_refusals(), acting(actor, "protocol pinned"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT concealed.pin_protocol(%s, %s, %s)", [study.pk, about.version, _sha256(text)])
        return bool(cursor.fetchone()[0])


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
