from __future__ import annotations

import base64
import hmac
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from checks.security import tokens

HEADER = {"alg": "EdDSA", "typ": "JWT", "kid": "k1"}
CLAIMS = {"sub": "cli_1", "exp": 4_000_000_000}


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def _pem(key: Ed25519PrivateKey) -> str:
    public = key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_genuine_token_verifies(key: Ed25519PrivateKey) -> None:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for written in (private, private.replace("\n", "\\n")):
        token = tokens.genuine(CLAIMS, tokens.private_key(written), HEADER)
        assert jwt.decode(token, key.public_key(), algorithms=["EdDSA"]) == CLAIMS
        assert tokens.parts(token) == (HEADER, CLAIMS)


@pytest.mark.parametrize(
    ("digest", "algorithm"),
    [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")],
)
def test_an_hmac_is_over_the_signing_input(digest: str, algorithm: str) -> None:
    token = tokens.hmac_signed(HEADER | {"alg": digest}, CLAIMS, b"any key", digest)
    message, _, signature = token.rpartition(".")
    expected = hmac.new(b"any key", message.encode(), algorithm).digest()
    assert tokens.decode(signature) == expected


def test_a_verifier_that_takes_raw_bytes_is_fooled(key: Ed25519PrivateKey) -> None:
    """The attack is real: PyJWT itself takes such a token where the key is raw bytes."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    token = tokens.hmac_signed(HEADER | {"alg": "HS256"}, CLAIMS, raw)
    assert jwt.decode(token, raw, algorithms=["HS256", "EdDSA"]) == CLAIMS


def test_the_encodings_are_of_this_key_and_all_different() -> None:
    key = Ed25519PrivateKey.generate()
    while not set("+/") & set(_base64(key)):  # else base64 and base64url say the same
        key = Ed25519PrivateKey.generate()
    jwk = tokens.jwk_of(key.public_key(), "k1")
    public = tokens.PublicKey(_pem(key), jwk, json.dumps({"keys": [jwk]}))
    encodings = dict(public.encodings())
    assert len(set(encodings.values())) == len(encodings)
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert encodings["raw bytes"] == raw
    assert tokens.decode(encodings["base64url (the JWK's x)"].decode()) == raw
    assert base64.b64decode(encodings["the PEM's base64"]) == encodings["DER"]
    assert encodings["PEM"] == _pem(key).encode()


def test_an_unsigned_token_has_three_parts() -> None:
    token = tokens.unsigned({"alg": "none"}, CLAIMS)
    assert token.endswith(".")
    assert jwt.decode(token, options={"verify_signature": False}) == CLAIMS


def _base64(key: Ed25519PrivateKey) -> str:
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(raw).decode()
