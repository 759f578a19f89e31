from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from multidict import CIMultiDict

from checks.client import Answer, Client
from checks.connections import Connections
from checks.probes import Recorder, recording
from checks.shapes import Amount, Page
from checks.verdicts import Broken
from tests.checks.lending import Lender, Service, lending


@pytest.fixture
async def lent(tmp_path: Path) -> AsyncIterator[tuple[Lender, Service, Path]]:
    async with lending(tmp_path) as running:
        yield running


@pytest.fixture
async def connections(lent: tuple[Lender, Service, Path]) -> AsyncIterator[Connections]:
    opened = Connections(lent[0]._replicas)
    yield opened
    await opened.close()


async def test_requests_go_to_the_replicas_in_turn_unless_told(connections: Connections) -> None:
    client = Client("alice", connections)
    with recording(Recorder("x/y")):
        spread = [(await client.get("/a")).replica for _ in range(4)]
        pinned = [(await client.on(1).get("/a")).replica for _ in range(3)]
        told = (await client.on(1).get("/a", replica=0)).replica
    assert spread in ([0, 1, 0, 1], [1, 0, 1, 0])
    assert pinned == [1, 1, 1]
    assert told == 0


async def test_an_exchange_is_recorded_as_it_was(connections: Connections) -> None:
    client = Client("anonymous", connections).carrying("tok", "alice (owner)")
    with recording(Recorder("x/y")) as recorder:
        answer = await client.post("/a?b=c", {"d": 1}, key="k", headers={"X-Own": "1"})
    (exchange,) = recorder.probes()[0].exchanges
    assert (exchange.actor, exchange.method, exchange.url) == ("alice (owner)", "POST", "/a?b=c")
    sent = dict(exchange.request.headers)
    assert (sent["Authorization"], sent["Idempotency-Key"], sent["X-Own"]) == (
        "Bearer tok",
        "k",
        "1",
    )
    assert exchange.request.body == '{"d": 1}'
    assert exchange.status == 200
    assert exchange.response is not None
    assert exchange.response.body == answer.content.decode()
    received = answer.members
    assert "Idempotency-Key: k" in received["head"]
    assert received["body"] == '{"d": 1}'


async def test_a_body_may_be_any_text_or_none(connections: Connections) -> None:
    client = Client("alice", connections)
    with recording(Recorder("x/y")):
        raw = await client.post("/a", content=b'{"amount": NaN}')
        none = await client.post("/a")
        null = await client.post("/a", None)
    assert raw.members["body"] == '{"amount": NaN}'
    assert (none.members["body"], "Content-Type" in none.members["head"]) == ("", False)
    assert null.members["body"] == "null"


@pytest.mark.parametrize("path", ["/drop", "/hang"])
async def test_no_answer_is_an_answer_too(connections: Connections, path: str) -> None:
    with recording(Recorder("x/y")) as recorder:
        answer = await Client("alice", connections).get(path, patience=0.3)
    assert (answer.status, answer.failed, answer.ok, answer.refused) == (None, True, False, False)
    (exchange,) = recorder.probes()[0].exchanges
    assert exchange.status is None
    assert exchange.failure == answer.failure
    assert answer.failure
    with pytest.raises(Broken, match="got no answer"):
        answer.expect(200)


async def test_an_unrecorded_request_leaves_no_trace(connections: Connections) -> None:
    with recording(Recorder("x/y")) as recorder:
        await Client("alice", connections).get("/a", record=False)
    assert recorder.probes() == ()


async def test_many_at_once(connections: Connections) -> None:
    client = Client("alice", connections)
    with recording(Recorder("x/y")) as recorder:
        answers = await asyncio.gather(*(client.get(f"/{number}") for number in range(40)))
    assert [answer.members["path"] for answer in answers] == [f"/{number}" for number in range(40)]
    assert recorder.exchanged == 40


def _answer(status: int = 200, body: str = "{}", headers: dict[str, str] | None = None) -> Answer:
    return Answer("GET /x", status, CIMultiDict(headers or {}), body.encode(), None, 0)


def test_expect_wants_status_and_code() -> None:
    refused = _answer(422, '{"code": "same_account"}')
    assert refused.expect(422, 409, code="same_account") is refused
    with pytest.raises(Broken, match=r"422 same_account; the contract asks for 422 other"):
        refused.expect(422, code="other")
    with pytest.raises(Broken, match="asks for 201"):
        refused.expect(201)


def test_read_says_what_is_wrong() -> None:
    assert _answer(body='{"amount": 1, "currency": "GBP", "more": 2}').read(Amount).amount == 1
    for body in ('{"amount": "1", "currency": "GBP"}', '{"currency": "GBP"}', "[]", "nonsense"):
        with pytest.raises(Broken, match="GET /x answered 200"):
            _answer(body=body).read(Amount)
    assert _answer(body='{"data": [{"a": 1}], "next_cursor": null}').read(Page).data == ({"a": 1},)


def test_headers() -> None:
    assert _answer(headers={"Idempotency-Replayed": "true"}).replayed
    assert not _answer().replayed
    assert _answer(headers={"Retry-After": "2"}).retry_after == 2
    assert _answer(headers={"Retry-After": "Sat, 21 Nov 2026 00:00:00 GMT"}).retry_after is None
