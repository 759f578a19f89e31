"""What a submission's service is trusted with."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Credentials:
    """The administrator's token and the signing keys; the same in all its testbeds.

    The keys are PEM, an Ed25519 pair.
    """

    admin_token: str
    jwt_private_key: str
    jwt_public_key: str

    @classmethod
    def fresh(cls) -> Self:
        """New ones, from the system's source of randomness."""
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(secrets.token_urlsafe(32), private.decode(), public.decode())
