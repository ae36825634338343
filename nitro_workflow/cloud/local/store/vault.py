"""Secrets at rest: AES-256-GCM under one wrapping key in a file of mode 0600.

What this is worth: someone who gets the database, a backup of it, a log or a core without the key
file learns no key material. Someone who can read the key file as well (the same Unix user) opens
everything; AWS keeps that key in hardware, a laptop cannot.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import CloudUnavailable

__all__ = ["Vault"]

_KEY_BYTES = 32
_NONCE_BYTES = 12  # NIST SP 800-38D §8.2.2: random, at most 2^32 seals a key


class Vault:
    """Seals small secrets (access keys, KMS key material) under a purpose that is authenticated.

    >>> vault = Vault(bytes(32))
    >>> vault.open(vault.seal(b"secret", "kms/key/1"), "kms/key/1")
    b'secret'
    """

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    @classmethod
    def at(cls, path: Path) -> Vault:
        """Open the key file, or make it with a new key.

        Raises `CloudUnavailable`: the file is there and is not 32 bytes.
        """
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            key = _new_key_file(path)
        if len(key) != _KEY_BYTES:
            raise CloudUnavailable(
                f"a wrapping key of {len(key)} bytes",
                expected=f"{_KEY_BYTES} bytes",
                where=path.name,
                next="restore the file, or delete the cloud's folder to start with an empty cloud",
            )
        return cls(key)

    def seal(self, secret: bytes, purpose: str) -> bytes:
        """Return nonce ‖ ciphertext ‖ tag; only the same `purpose` opens it."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, secret, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Return the secret.

        Raises `CloudUnavailable`: other bytes, another purpose or another wrapping key.
        """
        try:
            return self._aead.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode()
            )
        except (InvalidTag, ValueError):
            raise CloudUnavailable(
                "a secret at rest that does not open",
                expected="what this cloud's wrapping key sealed",
                where=purpose.partition("/")[0],
                next="the database and wrapping.key are not of the same cloud: restore both",
            ) from None


def _new_key_file(path: Path) -> bytes:
    """Write a new key so that a crash leaves all of it or nothing."""
    key = os.urandom(_KEY_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, key, mode=0o600, durable=True, failure=CloudUnavailable)
    return key
