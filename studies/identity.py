"""Identifying data, encrypted with keys that are not in the database.

Keys come from TRIALSITE_IDENTITY_KEYS or a file (one per line), newest first: the first one encrypts, all of
them decrypt. To rotate, put a new key in front, run `manage.py rotate_identity_keys`, take the old one away
(docs/operations.md).
"""

from __future__ import annotations

import json

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

Contact = dict[str, str]
FIELDS = ("name", "telephone", "email", "address")


def encrypt(contact: Contact) -> bytes:
    """The contact details as one ciphertext. Raises ValueError for a field that is not in FIELDS."""
    if unknown := set(contact) - set(FIELDS):
        raise ValueError(f"Unknown contact field {sorted(unknown)[0]!r}; allowed: {', '.join(FIELDS)}.")
    return _cipher().encrypt(json.dumps(contact).encode())


def decrypt(ciphertext: bytes | memoryview) -> Contact:
    try:
        contact: Contact = json.loads(_cipher().decrypt(bytes(ciphertext)))
    except InvalidToken as error:
        raise ImproperlyConfigured("The identity keys given here do not open these contact details.") from error
    return contact


def rotate(ciphertext: bytes | memoryview) -> bytes:
    """The same contents under the newest key."""
    return _cipher().rotate(bytes(ciphertext))


def _cipher() -> MultiFernet:
    keys = settings.IDENTITY_KEYS or _keys_in_file()
    return MultiFernet([Fernet(key) for key in keys])


def _keys_in_file() -> list[str]:
    path = settings.IDENTITY_KEY_FILE
    if not path.exists():
        if settings.PRODUCTION:
            raise ImproperlyConfigured(f"No identity keys: set TRIALSITE_IDENTITY_KEYS or write {path}.")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(Fernet.generate_key().decode() + "\n")
    return path.read_text().split()
