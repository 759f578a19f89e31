"""Rules 1.1 to 1.12: what a client may get wrong."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from testkit.api import Caller, Merchant, money

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (b"{", {400}),
        (b"\xff\xfe{}", {400}),
        (b'{"name": "\xff", "currency": "GBP"}', {400, 422}),
        (b"[" * 60_000, {400, 422}),
        (b'{"a":' * 10_000, {400, 422}),
        (b"", {422}),
        (b"null", {422}),
        (b"[]", {422}),
        (b'"x"', {422}),
        (b"{}", {422}),
        (b'{"name": "\\u0000", "currency": "GBP"}', {422}),
        (b'{"name": "\\ud800", "currency": "GBP"}', {422}),
        (b'{"\\ud800": 1, "name": "x", "currency": "GBP"}', {422}),
        (b'{"name": "x", "currency": "GBP", "id": "acc_1"}', {422}),
        (b'{"name": "x", "currency": "GBP", "n": ' + b"9" * 5000 + b"}", {400, 422}),
        (b'{"name": "x", "currency": "GBP", "n": NaN}', {400, 422}),
        (b'{"name": "x", "currency": "XXX"}', {422}),
        (b'{"name": "x", "currency": "gbp"}', {422}),
        (b'{"name": "", "currency": "GBP"}', {422}),
        (b'{"name": "' + b"x" * 141 + b'", "currency": "GBP"}', {422}),
        (b'{"name": "a\\nb", "currency": "GBP"}', {422}),
        (b" " * 65_537, {413}),
    ],
)
async def test_a_malformed_body_is_refused(
    merchant: Merchant, body: bytes, statuses: set[int]
) -> None:
    answer = await merchant.send("POST", "/v1/accounts", content=body, headers=JSON)
    assert answer.status_code in statuses
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code"} <= answer.json().keys()


async def test_another_content_type_is_refused(merchant: Merchant) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        headers = {"Content-Type": content_type}
        answer = await merchant.send("POST", "/v1/accounts", content=b"{}", headers=headers)
        assert answer.status_code == 415


async def test_a_body_in_pieces_is_bounded_too(merchant: Merchant) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b" " * 1024

    answer = await merchant.send("POST", "/v1/accounts", content=pieces(), headers=JSON)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "amount", [0, -1, 1.5, "5", True, None, 10**12 + 1, 10**30, [1], {"amount": 1}]
)
async def test_amounts_are_whole_and_positive(merchant: Merchant, amount: object) -> None:
    source, target = await merchant.account(1000), await merchant.account()
    body = {"from": source, "to": target, "amount": {"amount": amount, "currency": "GBP"}}
    answer = await merchant.post("/v1/transfers", body)
    assert answer.status_code == 422
    assert await merchant.balance(source) == (1000, 0, 1000)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/accounts/acc_1",
        "/v1/accounts/acc_%00",
        "/v1/accounts/%FF",
        "/v1/accounts/x%27%20OR%201=1",
        "/v1/payments/acc_" + "0" * 32,
        "/v1/payments/pay_" + "0" * 32,
        "/v1/transfers/tr_" + "0" * 32 + "%0A",
        "/v1/accounts/" + "a" * 5000,
        "/v1/nothing",
        "/v1/accounts/",
    ],
)
async def test_what_does_not_exist_is_not_found(merchant: Merchant, path: str) -> None:
    answer = await merchant.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_another_method_is_refused_with_those_allowed(merchant: Merchant) -> None:
    answer = await merchant.send("PUT", "/v1/accounts")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


async def test_every_answer_carries_a_request_id(http: httpx.AsyncClient) -> None:
    answer = await http.get("/healthz", headers={"X-Request-Id": "mine-1.2_3"})
    assert answer.headers["x-request-id"] == "mine-1.2_3"
    answer = await http.get("/nothing", headers={"X-Request-Id": "not mine\tat all"})
    assert answer.headers["x-request-id"] not in {"", "not mine\tat all"}


async def test_timestamps_end_in_z(merchant: Merchant) -> None:
    account = await merchant.account()
    shown = (await merchant.get(f"/v1/accounts/{account}")).json()
    assert shown["created_at"].endswith("Z")


@pytest.mark.parametrize("member", ["number", "cvv", "cvc"])
async def test_card_data_is_refused_and_not_repeated(
    merchant: Merchant, member: str, capfd: pytest.CaptureFixture[str]
) -> None:
    account = await merchant.account()
    card = "4242424242424242"
    bodies: list[dict[str, object]] = [
        {"payment_method": "tok_abcx", member: card},
        {"payment_method": f"tok_{card}"},
        {"payment_method": "tok_abcx", "reference": f"card {card}"},
        {"payment_method": "tok_abcx", "description": card},
        {"payment_method": "tok_abcx", card: 1},
    ]
    for body in bodies:
        whole = {"account": account, "amount": money(100)} | body
        answer = await merchant.post("/v1/payments", whole)
        assert answer.status_code == 422
        assert card not in answer.text
    assert (await merchant.get("/v1/payments")).json()["data"] == []
    written = capfd.readouterr()
    assert card not in written.out + written.err


async def test_logs_are_json_with_the_request_id_and_no_secret(
    merchant: Merchant, capfd: pytest.CaptureFixture[str]
) -> None:
    await merchant.send("GET", "/v1/accounts?cursor=secret", headers={"X-Request-Id": "find-me"})
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    mine = [line for line in lines if line.get("request_id") == "find-me"]
    assert mine[-1]["event"] == "request"
    assert mine[-1]["status"] == 422
    assert "secret" not in json.dumps(mine)
    assert str(merchant.token) not in json.dumps(lines)


async def test_health_and_readiness(http: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await Caller(http).get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
