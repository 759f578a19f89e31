"""Access tokens: short-lived JWTs, signed with Ed25519 and verified as RFC 8725 asks."""

import base64
import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any, Final, TypedDict

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.types import Options

from payments.access.models import Role
from payments.kit.settings import SettingsError

ALGORITHM: Final = "EdDSA"
AUDIENCE: Final = "payments"
LEEWAY_SECONDS: Final = 10


class InvalidTokenError(Exception):
    """The token is not one of ours, or no longer good."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A merchant's client, as its token names it."""

    client_id: str
    merchant_id: str
    role: Role


class ClaimChecks(TypedDict):
    """What ``jwt.decode`` compares the claims with."""

    issuer: str
    audience: str
    leeway: int
    options: Options


class Tokens:
    """Issues and verifies access tokens."""

    def __init__(self, private_key_pem: str, issuer: str, lifetime_seconds: int) -> None:
        try:
            key = serialization.load_pem_private_key(private_key_pem.encode(), password=None)
        except ValueError:
            raise SettingsError("JWT_PRIVATE_KEY is not a private key in PEM") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise SettingsError("JWT_PRIVATE_KEY is not an Ed25519 key")
        self._private_key = key
        self._public_key = key.public_key()
        self._key_id = _thumbprint(self._public_key)
        self._issuer = issuer
        self.lifetime_seconds = lifetime_seconds

    def issue(self, caller: Caller) -> str:
        """A token for a client that has proved itself."""
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": caller.client_id,
            "merchant": caller.merchant_id,
            "role": caller.role.value,
            "iat": now,
            "exp": now + self.lifetime_seconds,
        }
        return jwt.encode(claims, self._private_key, ALGORITHM, headers={"kid": self._key_id})

    def verify(self, token: str) -> Caller:
        """Whom a token speaks for.

        Raises:
            InvalidTokenError: signature, algorithm, key or any claim is not what it has to be.
        """
        try:
            claims = self._decode(token)
            return Caller(claims["sub"], claims["merchant"], Role(claims["role"]))
        except (jwt.PyJWTError, ValueError, KeyError) as error:
            raise InvalidTokenError from error

    def _decode(self, token: str) -> dict[str, Any]:
        """The claims of a token whose signature and claims hold.

        The algorithm is ours, never the token's choice: RFC 8725, 3.1.
        """
        key = self._verification_key(token)

        return jwt.decode(token, key, algorithms=[ALGORITHM], **self._claim_checks())

    def _verification_key(self, token: str) -> Ed25519PublicKey:
        """The key that the token's header names, which serves one algorithm only."""
        if jwt.get_unverified_header(token).get("kid") != self._key_id:
            raise InvalidTokenError
        return self._public_key

    def _claim_checks(self) -> ClaimChecks:
        """Issuer, audience and expiry, all of them required: RFC 8725, 3.8 and 3.9."""
        return ClaimChecks(
            issuer=self._issuer,
            audience=AUDIENCE,
            leeway=LEEWAY_SECONDS,
            options={"require": ["iss", "aud", "sub", "merchant", "role", "iat", "exp"]},
        )

    def public_jwk(self) -> dict[str, str]:
        """The public key, for others to verify with."""
        return _jwk(self._public_key) | {"kid": self._key_id, "alg": ALGORITHM, "use": "sig"}

    def derived_secret(self) -> bytes:
        """A secret that all replicas share, for signing what only they read."""
        raw = self._private_key.private_bytes_raw()
        return hashlib.sha256(b"payments derived secret" + raw).digest()


def _jwk(key: Ed25519PublicKey) -> dict[str, str]:
    x = base64.urlsafe_b64encode(key.public_bytes_raw()).rstrip(b"=").decode()
    return {"crv": "Ed25519", "kty": "OKP", "x": x}


def _thumbprint(key: Ed25519PublicKey) -> str:
    """RFC 7638: the hash of the required members in lexical order, without white space."""
    canonical = json.dumps(_jwk(key), sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
