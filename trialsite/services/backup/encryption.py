"""A stream of encrypted chunks that cannot be read, changed, reordered or cut short without notice.

AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar: Online Authenticated-Encryption
and its Nonce-Reuse Misuse-Resistance, CRYPTO 2015): the nonce is the number of the chunk and whether it is
the last. The key of a stream is derived from the backup key and a random salt by HKDF-SHA-256 (RFC 5869).

    "TRIALSITE-BACKUP-1\\n"  salt (16 bytes)  { length (4 bytes, big-endian)  ciphertext with tag } ...
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from trialsite.services.failure import ServicesError

MAGIC = b"TRIALSITE-BACKUP-1\n"
CHUNK = 1 << 20
KEY_BYTES = 32
SALT_BYTES = 16


class BackupError(ServicesError):
    """A backup cannot be written, read or restored; the message says why."""


def backup_key(environment: Mapping[str, str]) -> bytes:
    """The key, from TRIALSITE_BACKUP_KEY or the file TRIALSITE_BACKUP_KEY_FILE (32 bytes as base64).

    Raises BackupError when there is none, or one of another length.
    """
    text = environment.get("TRIALSITE_BACKUP_KEY", "")
    if file := environment.get("TRIALSITE_BACKUP_KEY_FILE"):
        text = Path(file).read_text()
    try:
        key = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise BackupError(
            "Set TRIALSITE_BACKUP_KEY, or TRIALSITE_BACKUP_KEY_FILE, to 32 random bytes as base64 (made by: "
            "openssl rand -base64 32). Keep it elsewhere than the backups."
        )
    return key


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=salt, info=MAGIC).derive(key))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


class EncryptingWriter:
    """Takes bytes by `write`; `close` marks the end, without which nobody can read the stream."""

    def __init__(self, target: BinaryIO, key: bytes) -> None:
        salt = os.urandom(SALT_BYTES)
        self._cipher = _cipher(key, salt)
        self._target = target
        self._pending = bytearray()
        self._number = 0
        target.write(MAGIC + salt)

    def write(self, data: bytes) -> int:
        self._pending += data
        while len(self._pending) > CHUNK:
            self._put(bytes(self._pending[:CHUNK]), last=False)
            del self._pending[:CHUNK]
        return len(data)

    def close(self) -> None:
        self._put(bytes(self._pending), last=True)

    def _put(self, plain: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._number, last=last), plain, MAGIC)
        self._target.write(len(sealed).to_bytes(4, "big") + sealed)
        self._number += 1


class DecryptingReader:
    """Gives the bytes back by `read`; raises BackupError for a wrong key and anything changed or missing."""

    def __init__(self, source: BinaryIO, key: bytes) -> None:
        if source.read(len(MAGIC)) != MAGIC:
            raise BackupError("This file is not a backup of this program.")
        self._cipher = _cipher(key, source.read(SALT_BYTES))
        self._source = source
        self._ready = bytearray()
        self._number = 0
        self._ended = False

    def read(self, size: int) -> bytes:
        while len(self._ready) < size and not self._ended:
            self._take()
        data = bytes(self._ready[:size])
        del self._ready[:size]
        return data

    def finish(self) -> None:
        """Read to the end of the stream, so that a missing end is noticed."""
        while not self._ended:
            self._take()

    def _take(self) -> None:
        length = int.from_bytes(self._source.read(4), "big")
        sealed = self._source.read(length)
        # The last chunk would also be read by a length that says more than there is.
        for last in (False, True) if len(sealed) == length else ():
            try:
                self._ready += self._cipher.decrypt(_nonce(self._number, last=last), sealed, MAGIC)
            except InvalidTag:
                continue
            self._number += 1
            self._ended = last
            return
        raise BackupError(
            f"Chunk {self._number + 1} of the backup cannot be read: the key is another one, or the file was "
            "changed or cut short."
        )
