"""What opens the participants' door: links and codes that work once, and the cookie of a device that was let in.

Only keyed hashes are stored: whoever reads the database cannot make a link of what is there. A link is signed besides,
so that most of what is guessed is known to be none before anything is looked up (docs/adr/0010).
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta

from django.core.signing import BadSignature, Signer
from django.utils.crypto import salted_hmac

from outcomes.models import DoorKey, Invitation

Kind = DoorKey.Kind
# Without letters and digits that look alike on paper or sound alike on the telephone: 30 signs, 39 bits in eight.
CODE_SIGNS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
CODE_LENGTH = 8
# A code made on one device for another is typed at once; one that a coordinator gives is written down.
SHORT_LIFE, LONG_LIFE = timedelta(minutes=30), timedelta(hours=24)
_signer = Signer(salt="participant door", sep=".")


def issue(invitation: Invitation, kind: Kind, *, at: datetime, expires_at: datetime) -> str:
    """Make a new link, code or device key, and take away older links and codes of its kind. The only time it is seen.

    expires_at: for a link or a code, at most the end of the invitation counts.
    """
    if kind != Kind.DEVICE:
        invitation.keys.filter(kind=kind, used_at__isnull=True).delete()
        expires_at = min(expires_at, invitation.expires_at)
    secret = _secret(kind)
    DoorKey.objects.create(
        invitation=invitation,
        kind=kind,
        digest=_digest(kind, secret),
        made_at=at,
        expires_at=expires_at,
    )
    return secret


def find(kind: Kind, given: str, *, at: datetime) -> DoorKey | None:
    """The key that fits what was given, if it still opens: not used, not too old, its form open to be filled in.

    A device's key opens as long as it is not too old, also when the form is closed: it is then told so.
    """
    secret = _read(kind, given)
    # Looked up also when the signature is wrong: a guess takes as long as a link that was used.
    key = DoorKey.objects.filter(kind=kind, digest=_digest(kind, secret or given), expires_at__gt=at)
    if kind != Kind.DEVICE:
        key = key.filter(used_at__isnull=True, invitation__closed_at__isnull=True, invitation__opens_at__lte=at)
    found = key.select_related(
        "invitation__participant__site", "invitation__participant__protocol_version", "invitation__instrument"
    ).first()
    return found if secret else None


def use(key: DoorKey, *, at: datetime) -> bool:
    """Use a link or code up; False when somebody else did so a moment before."""
    return DoorKey.objects.filter(pk=key.pk, used_at__isnull=True).update(used_at=at) == 1


def _secret(kind: Kind) -> str:
    if kind == Kind.CODE:
        signs = "".join(secrets.choice(CODE_SIGNS) for _ in range(CODE_LENGTH))
        return f"{signs[:4]}-{signs[4:]}"
    token = secrets.token_urlsafe(24)
    return _signer.sign(token) if kind == Kind.LINK else token


def _read(kind: Kind, given: str) -> str:
    """What was given as it was issued; empty if it cannot have been."""
    if kind == Kind.CODE:
        signs = re.sub(r"[\s-]", "", given).upper()
        return f"{signs[:4]}-{signs[4:]}" if len(signs) == CODE_LENGTH else ""
    if kind == Kind.LINK:
        try:
            _signer.unsign(given)
        except BadSignature:
            return ""
    return given


def _digest(kind: Kind, secret: str) -> str:
    return salted_hmac(f"participant door {kind}", secret, algorithm="sha256").hexdigest()


def was_for(token: str, invitation: Invitation) -> bool:
    """Whether a link, used or not, was one to this form."""
    secret = _read(Kind.LINK, token)
    return bool(secret) and invitation.keys.filter(kind=Kind.LINK, digest=_digest(Kind.LINK, secret)).exists()


def forget_old(*, at: datetime) -> int:
    """Remove what opens nothing any more; how many keys went."""
    return DoorKey.objects.filter(expires_at__lte=at).delete()[0]
