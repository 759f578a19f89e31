"""Secrets of others, as they are stored: encrypted, and bound to what they belong to."""

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class Seal:
    """Seals and opens under a key of the service's own (AES-256-GCM)."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(secret, b"payments sealed secrets", hashlib.sha256))

    def close(self, secret: bytes, owner: str) -> bytes:
        """A secret, unreadable, for one owner."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, owner.encode())

    def open(self, sealed: bytes, owner: str) -> bytes:
        """The secret again.

        Raises:
            cryptography.exceptions.InvalidTag: it was sealed by another key, or for another owner.
        """
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return self._cipher.decrypt(nonce, text, owner.encode())
