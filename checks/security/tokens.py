"""Forged and misused access tokens (RFC 7515, RFC 7519, RFC 8725)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import NameOID

_HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def encode(data: bytes) -> str:
    """base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The reverse of ``encode``."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token, unverified."""
    header, claims, _ = token.split(".")
    return json.loads(decode(header)), json.loads(decode(claims))


def _signing_input(header: dict[str, Any], claims: dict[str, Any]) -> bytes:
    encoded = (
        encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)
    )
    return ".".join(encoded).encode()


def hmac_signed(
    header: dict[str, Any], claims: dict[str, Any], key: bytes, digest: str = "HS256"
) -> str:
    """A token with an HMAC over it; any bytes serve as key."""
    message = _signing_input(header, claims)
    return f"{message.decode()}.{encode(hmac.new(key, message, _HASHES[digest]).digest())}"


def key_signed(header: dict[str, Any], claims: dict[str, Any], key: Ed25519PrivateKey) -> str:
    """A token with an Ed25519 signature over it."""
    message = _signing_input(header, claims)
    return f"{message.decode()}.{encode(key.sign(message))}"


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    """A token with no signature, or a foreign one."""
    return f"{_signing_input(header, claims).decode()}.{signature}"


def private_key(pem: str) -> Ed25519PrivateKey:
    """A private key from PEM, whose newlines may be written ``\\n``."""
    key = load_pem_private_key(pem.replace("\\n", "\n").encode(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("the testbed's JWT key is not Ed25519")
    return key


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The service's public key in every form in which it might be taken for an HMAC secret."""

    pem: str
    jwk: dict[str, Any]
    jwks: str

    def encodings(self) -> Iterator[tuple[str, bytes]]:
        """Each encoding, named."""
        key = load_pem_public_key(self.pem.replace("\\n", "\n").encode())
        if not isinstance(key, Ed25519PublicKey):
            raise TypeError("the testbed's JWT key is not Ed25519")
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        ssh = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        yield "PEM", pem
        yield "PEM without its last newline", pem.rstrip(b"\n")
        yield "PEM with CRLF", pem.replace(b"\n", b"\r\n")
        yield "PEM on one line", pem.replace(b"\n", b"\\n")
        yield "the PEM's base64", b"".join(pem.splitlines()[1:-1])
        yield "DER", der
        yield "DER in hexadecimal", der.hex().encode()
        yield "raw bytes", raw
        yield "raw bytes in hexadecimal", raw.hex().encode()
        yield "base64url (the JWK's x)", encode(raw).encode()
        yield "base64url with padding", base64.urlsafe_b64encode(raw)
        yield "base64", base64.b64encode(raw)
        yield "base64 without padding", base64.b64encode(raw).rstrip(b"=")
        yield "OpenSSH", ssh
        yield "JWK", json.dumps(self.jwk).encode()
        yield "JWK, compact", json.dumps(self.jwk, separators=(",", ":")).encode()
        yield "JWK, sorted", json.dumps(self.jwk, separators=(",", ":"), sort_keys=True).encode()
        yield "JWKS as published", self.jwks.encode()
        yield "JWK, required members", json.dumps(_thumbprint_members(raw)).encode()
        members = json.dumps(_thumbprint_members(raw), separators=(",", ":"), sort_keys=True)
        yield "JWK, as RFC 7638 hashes it", members.encode()
        yield "its kid", str(self.jwk.get("kid", "")).encode()
        yield "upper-case hexadecimal", raw.hex().upper().encode()
        yield "the empty key", b""


def jwk_of(key: Ed25519PublicKey, kid: str) -> dict[str, Any]:
    """A public key as a JWK (RFC 8037)."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": encode(raw), "kid": kid, "use": "sig"}


def _thumbprint_members(raw: bytes) -> dict[str, str]:
    """The required members of an Ed25519 key's JWK (RFC 7638, RFC 8037)."""
    return {"crv": "Ed25519", "kty": "OKP", "x": encode(raw)}


def certificate_of(key: Ed25519PrivateKey, name: str) -> x509.Certificate:
    """A certificate that the key has signed for itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    at = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=30))
        .sign(key, None)
    )


def x5c(certificate: x509.Certificate) -> list[str]:
    """A certificate as the header ``x5c`` carries it (RFC 7515, 4.1.6)."""
    return [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()]


def pem(certificate: x509.Certificate) -> str:
    """A certificate as the URL in ``x5u`` serves it (RFC 7515, 4.1.5)."""
    return certificate.public_bytes(Encoding.PEM).decode()


def now() -> int:
    """Seconds since the epoch."""
    return int(time.time())


def genuine(claims: dict[str, Any], key: Ed25519PrivateKey, header: dict[str, Any]) -> str:
    """Any claims, signed with the service's own key under the header that it uses itself."""
    return key_signed(header, claims, key)
