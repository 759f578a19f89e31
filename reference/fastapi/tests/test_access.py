"""Section 2 of the contract: tenancy and access."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from payments.kit.settings import Settings, SettingsError
from testkit.api import Caller, Merchant, money, token_of


@pytest.fixture
def signing_key(settings: Settings) -> Ed25519PrivateKey:
    pem = settings.jwt_private_key.get_secret_value().encode()
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def claims_of(merchant: Merchant) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(merchant.token or "", options={"verify_signature": False})
    return claims


async def test_a_token_is_as_the_contract_says(merchant: Merchant, http: httpx.AsyncClient) -> None:
    keys = jwt.PyJWKSet.from_dict((await http.get("/.well-known/jwks.json")).json())
    header = jwt.get_unverified_header(merchant.token or "")
    claims = jwt.decode(
        merchant.token or "",
        keys[header["kid"]].key,
        algorithms=["EdDSA"],
        audience="payments",
        issuer="https://payments.test",
    )
    assert claims["sub"] == merchant.client_id
    assert claims["merchant"] == merchant.id
    assert claims["role"] == "owner"
    assert claims["exp"] - claims["iat"] <= 900


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://elsewhere.test"},
        {"aud": "elsewhere"},
        {"exp": 1},
        {"iat": 2**40},
        {"role": "administrator"},
        *({claim: None} for claim in ("iss", "aud", "sub", "merchant", "role", "iat", "exp")),
    ],
)
async def test_every_claim_is_verified(
    merchant: Merchant, signing_key: Ed25519PrivateKey, change: dict[str, Any]
) -> None:
    kid = jwt.get_unverified_header(merchant.token or "")["kid"]
    claims = claims_of(merchant)
    kept = {k: v for k, v in (claims | change).items() if v is not None}
    good = jwt.encode(claims, signing_key, "EdDSA", headers={"kid": kid})
    bad = jwt.encode(kept, signing_key, "EdDSA", headers={"kid": kid})
    assert (await Caller(merchant.http, good).get("/v1/accounts")).status_code == 200
    answer = await Caller(merchant.http, bad).get("/v1/accounts")
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers


async def test_other_algorithms_and_keys_are_refused(
    merchant: Merchant, signing_key: Ed25519PrivateKey
) -> None:
    kid = jwt.get_unverified_header(merchant.token or "")["kid"]
    claims = claims_of(merchant)
    public = signing_key.public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    raw = public.public_bytes_raw()
    secrets = [pem, raw, base64.urlsafe_b64encode(raw), base64.urlsafe_b64encode(raw).rstrip(b"=")]
    forged = [
        *(_signed({"alg": "HS256", "kid": kid}, claims, secret) for secret in secrets),
        _signed({"alg": "none", "kid": kid}, claims, None),
        jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", headers={"kid": kid}),
        jwt.encode(claims, signing_key, "EdDSA"),
        jwt.encode(claims, signing_key, "EdDSA", headers={"kid": "another"}),
        (merchant.token or "")[:-4] + "AAAA",
        "nonsense",
        "a.b.c",
        "",
    ]
    for token in forged:
        headers = {"Authorization": f"Bearer {token}"}
        assert (await merchant.http.get("/v1/accounts", headers=headers)).status_code == 401


def _signed(header: dict[str, str], claims: dict[str, Any], secret: bytes | None) -> str:
    parts = [
        base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in (header, claims)
    ]
    signature = hmac.digest(secret, b".".join(parts), hashlib.sha256) if secret else b""
    parts.append(base64.urlsafe_b64encode(signature).rstrip(b"="))
    return b".".join(parts).decode()


async def test_roles_bound_what_a_client_may_do(merchant: Merchant, admin: Caller) -> None:
    account = await merchant.account(100)
    viewer, operator = await merchant.client("viewer"), await merchant.client("operator")
    transfer = {"from": account, "to": await merchant.account(), "amount": money(1)}
    assert (await viewer.get(f"/v1/accounts/{account}")).status_code == 200
    assert (await viewer.post("/v1/transfers", transfer)).status_code == 403
    assert (await viewer.post("/v1/accounts", {"name": "x", "currency": "GBP"})).status_code == 403
    assert (await operator.post("/v1/transfers", transfer)).status_code == 201
    assert (await operator.post("/v1/clients", {"name": "x", "role": "owner"})).status_code == 403
    assert (await operator.get("/v1/clients")).status_code == 403
    assert (await admin.get("/v1/accounts")).status_code == 403
    deposit = {"account": account, "amount": money(1)}
    assert (await merchant.post("/v1/deposits", deposit)).status_code == 403
    assert (await merchant.post("/v1/merchants", {"name": "x"})).status_code == 403
    assert (await Caller(merchant.http).post("/v1/deposits", deposit)).status_code == 401
    assert (await Caller(merchant.http, "wrong").post("/v1/deposits", deposit)).status_code == 401


async def test_clients_are_listed_and_deleted(merchant: Merchant, other: Merchant) -> None:
    made = (await merchant.post("/v1/clients", {"name": "till", "role": "viewer"})).json()
    listed = (await merchant.get("/v1/clients")).json()["data"]
    assert [client["id"] for client in listed] == [made["id"], merchant.client_id]
    assert "secret" not in listed[0]
    assert (await other.send("DELETE", f"/v1/clients/{made['id']}")).status_code == 404
    assert (await merchant.send("DELETE", f"/v1/clients/{made['id']}")).status_code == 204
    assert (await merchant.send("DELETE", f"/v1/clients/{made['id']}")).status_code == 404
    body = {"client_id": made["id"], "client_secret": made["secret"]}
    assert (await merchant.post("/v1/token", body)).status_code == 401


async def test_one_owner_stays(merchant: Merchant) -> None:
    last = await merchant.send("DELETE", f"/v1/clients/{merchant.client_id}")
    assert (last.status_code, last.json()["code"]) == (409, "last_owner")
    second = (await merchant.post("/v1/clients", {"name": "b", "role": "owner"})).json()
    answers = await asyncio.gather(
        *(merchant.send("DELETE", f"/v1/clients/{c}") for c in (second["id"], merchant.client_id))
    )
    assert sorted(answer.status_code for answer in answers) == [204, 409]


async def test_guessing_is_stopped_and_the_right_secret_works_again(
    merchant: Merchant, replicas: list[httpx.AsyncClient], settings: Settings
) -> None:
    wrong = {"client_id": merchant.client_id, "client_secret": "wrong"}
    guesses = await asyncio.gather(
        *(replicas[n % 2].post("/v1/token", json=wrong) for n in range(25))
    )
    statuses = [guess.status_code for guess in guesses]
    assert statuses.count(401) == settings.auth_max_failures
    assert statuses.count(429) == 25 - settings.auth_max_failures
    right = wrong | {"client_secret": merchant.secret}
    locked = await replicas[0].post("/v1/token", json=right)
    assert locked.status_code == 429
    until = time.monotonic() + int(locked.headers["retry-after"])
    await asyncio.sleep(until - time.monotonic())
    assert await token_of(replicas[1], merchant.client_id, merchant.secret)


@pytest.mark.parametrize(
    "missing", ["DATABASE_URL", "JWT_PRIVATE_KEY", "ADMIN_TOKEN", "PSP_URL", "FX_API_KEY"]
)
def test_settings_name_what_is_missing(environment: dict[str, str], missing: str) -> None:
    with pytest.raises(SettingsError, match=missing):
        Settings.from_environment(environment | {missing: ""})


def test_settings_do_not_repeat_what_is_wrong(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="FEE_BPS") as raised:
        Settings.from_environment(environment | {"FEE_BPS": "sixpence"})
    assert "sixpence" not in str(raised.value)
