"""Rule 7.12: how many requests a second are let through."""

from dataclasses import replace

import pytest

from payments.kit import limits
from payments.kit.limits import Limiter
from payments.kit.problems import Problem
from payments.kit.settings import Settings
from testkit.api import Merchant, money, new_key
from testkit.replica import replica


class Clock:
    """A clock that a test moves, in seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def passed(limiter: Limiter, caller: str, requests: int) -> int:
    """How many of so many requests at once are let through."""
    count = 0
    for _ in range(requests):
        try:
            limiter.ensure(caller)
        except Problem as problem:
            assert (problem.status, problem.code) == (429, "rate_limited")
            continue
        count += 1
    return count


def test_a_burst_at_once_and_so_many_a_second_then() -> None:
    clock = Clock()
    limiter = Limiter(2, 5, clock)
    assert passed(limiter, "alice", 9) == 5
    assert passed(limiter, "bob", 9) == 5
    clock.now += 1
    assert passed(limiter, "alice", 9) == 2
    clock.now += 3600
    assert passed(limiter, "alice", 9) == 5


def test_what_is_refused_says_when_to_come_again() -> None:
    clock = Clock()
    limiter = Limiter(0.25, 1, clock)
    limiter.ensure("alice")
    clock.now += 0.5
    with pytest.raises(Problem) as refused:
        limiter.ensure("alice")
    assert refused.value.headers["Retry-After"] == "4"
    clock.now += 3.5
    limiter.ensure("alice")


def test_no_limit_is_no_limit() -> None:
    assert passed(Limiter(0, 1), "alice", 1000) == 1000


def test_memory_is_bounded_whoever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_CALLERS", 3)
    clock = Clock()
    limiter = Limiter(1, 2, clock)
    assert [passed(limiter, f"one {number}", 3) for number in range(3)] == [2, 2, 2]
    assert [passed(limiter, f"more {number}", 3) for number in range(3)] == [2, 0, 0]
    clock.now += 2
    assert passed(limiter, "late", 3) == 2
    assert len(limiter._full_at) <= 4


async def test_a_client_is_put_off_and_claims_no_key(
    merchant: Merchant, settings: Settings
) -> None:
    source, target = await merchant.account(1000), await merchant.account()
    operator = await merchant.client("operator")
    body = {"from": source, "to": target, "amount": money(10)}
    async with replica(settings, rate_limit_per_second=0.01, rate_limit_burst=2) as (http, _):
        here = replace(merchant, http=http)
        assert (await here.get("/v1/accounts")).status_code == 200
        assert (await here.get("/v1/transfers")).status_code == 200
        key = new_key()
        refused = await here.post("/v1/transfers", body, key)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await operator.on(http).get("/v1/accounts")).status_code == 200
    assert await merchant.balance(source) == (1000, 0, 1000)
    done = await merchant.post("/v1/transfers", body, key)
    assert done.status_code == 201
    assert "idempotency-replayed" not in done.headers


async def test_tokens_are_limited_by_address(merchant: Merchant, settings: Settings) -> None:
    body = {"client_id": merchant.client_id, "client_secret": merchant.secret}
    async with replica(settings, rate_limit_per_second=0.01, rate_limit_burst=2) as (http, _):
        statuses = [(await http.post("/v1/token", json=body)).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert (await http.get("/healthz")).status_code == 200
