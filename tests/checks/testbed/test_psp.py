"""The PSP simulator keeps its protocol, and breaks it as scripted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from checks.testbed.faults import Fault
from checks.testbed.psp import Psp
from checks.testbed.psp_books import is_amount

SALE = {
    "token": "tok_1",
    "amount": "12.50",
    "currency": "GBP",
    "capture": True,
    "reference": "ref-1",
}


@pytest_asyncio.fixture
async def psp() -> AsyncIterator[Psp]:
    async with Psp("secret") as running:
        yield running


@pytest_asyncio.fixture
async def client(psp: Psp) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer secret"}
    async with httpx.AsyncClient(base_url=psp.lines[0].url, headers=headers, timeout=20) as opened:
        yield opened


async def post(
    client: httpx.AsyncClient, path: str, key: str, body: dict[str, Any]
) -> httpx.Response:
    return await client.post(f"/v1/{path}", json=body, headers={"Idempotency-Key": key})


async def sale(client: httpx.AsyncClient, key: str = "k-1", **changes: Any) -> httpx.Response:
    return await post(client, "authorisations", key, SALE | changes)


async def test_a_sale_and_what_follows_it(client: httpx.AsyncClient) -> None:
    first = await sale(client)
    assert first.status_code == 201
    done = first.json()
    assert done["type"] == "sale"
    assert done["status"] == "succeeded"
    assert done["reason"] is None
    assert {done[name] for name in ("amount", "currency", "reference")} == {"12.50", "GBP", "ref-1"}
    follow = {
        "authorisation": done["authorisation"],
        "amount": "2.00",
        "currency": "GBP",
        "reference": "ref-2",
    }
    for path, kind in (("captures", "capture"), ("refunds", "refund"), ("voids", "void")):
        answer = await post(client, path, f"k-{kind}", follow)
        assert answer.status_code == 201
        assert answer.json()["type"] == kind
        assert answer.json()["authorisation"] == done["authorisation"]
        found = await client.get(f"/v1/operations/k-{kind}")
        assert (found.status_code, found.json()) == (200, answer.json())
    authorisation = await sale(client, "k-auth", capture=False)
    assert authorisation.json()["type"] == "authorisation"


async def test_the_same_key_does_nothing_twice(psp: Psp, client: httpx.AsyncClient) -> None:
    first, again = await sale(client), await sale(client)
    assert first.json() == again.json()
    other = await sale(client, amount="12.51")
    assert other.status_code == 409
    assert other.json()["error"] == "key_reused"
    assert [entry.effect for entry in psp.journal()] == [True, False, False]


async def test_the_api_key_is_required(psp: Psp, client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/operations/k", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert (await client.get("/v1/operations/k")).status_code == 404
    assert [entry.status for entry in psp.journal()] == [401, 404]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"amount": "12.5"}, 422),
        ({"amount": "12.500"}, 422),
        ({"amount": "1250"}, 422),
        ({"amount": "-1.00"}, 422),
        ({"amount": "0.00"}, 422),
        ({"amount": "012.50"}, 422),
        ({"amount": "1e2"}, 422),
        ({"amount": 12.5}, 400),
        ({"currency": "JPY"}, 422),
        ({"currency": "XXX1"}, 422),
        ({"capture": "yes"}, 400),
        ({"token": ""}, 400),
        ({"extra": 1}, 400),
    ],
)
async def test_what_it_refuses_is_not_done(
    psp: Psp, client: httpx.AsyncClient, changes: dict[str, Any], status: int
) -> None:
    refused = await sale(client, **changes)
    assert refused.status_code == status
    assert refused.json()["error"]
    assert not psp.journal()[0].effect
    assert (await sale(client)).status_code == 201


async def test_unknown_authorisations_paths_and_bodies(client: httpx.AsyncClient) -> None:
    body = {"authorisation": "auth_x", "amount": "1.00", "currency": "GBP", "reference": "r"}
    assert (await post(client, "captures", "k", body)).status_code == 404
    assert (await client.get("/v1/nowhere")).status_code == 404
    headers = {"Idempotency-Key": "k"}
    answer = await client.post("/v1/captures", content=b"\xff{", headers=headers)
    assert answer.status_code == 400
    assert (await client.post("/v1/authorisations", json=SALE)).status_code == 400


@pytest.mark.parametrize("head", [False, True])
async def test_a_reply_may_come_byte_by_byte(
    psp: Psp, client: httpx.AsyncClient, head: bool
) -> None:
    psp.script(Fault(kind="trickle", token="tok_1", times=1, seconds=0.001, head=head))
    headers = {"Idempotency-Key": "k"}
    async with client.stream("POST", "/v1/authorisations", json=SALE, headers=headers) as reply:
        chunks = [chunk async for chunk in reply.aiter_raw()]
    assert len(chunks) > 3
    told = json.loads(b"".join(chunks))
    again = await client.post("/v1/authorisations", json=SALE, headers=headers)
    assert again.json() == told


@pytest.mark.parametrize(
    ("kind", "charged"),
    [
        ("drop_before", False),
        ("drop_after", True),
        ("trickle", True),
        ("status_before", False),
        ("status_after", True),
        ("malformed_before", False),
        ("malformed_after", True),
        ("wrong_amount", True),
        ("wrong_currency", True),
        ("wrong_id", True),
        ("undone", False),
        ("not_found", False),
        ("decline", False),
    ],
)
async def test_each_fault_charges_or_does_not_and_the_key_resolves_it(
    psp: Psp, client: httpx.AsyncClient, kind: Any, charged: bool
) -> None:
    psp.script(Fault(kind=kind, token="tok_1", times=1, status=503, retry_after="1"))
    try:
        answer = await sale(client)
    except httpx.RemoteProtocolError:
        assert kind.startswith("drop")
        assert psp.journal()[0].status is None
    else:
        assert not kind.startswith("drop")
        if kind.startswith("status"):
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "1"
        if kind.startswith("malformed"):
            with pytest.raises(ValueError, match=r"JSON|Expecting|Unterminated"):
                json.loads(answer.content)
        if kind.startswith("wrong"):
            told = answer.json()
            differs = {"wrong_amount": "amount", "wrong_currency": "currency"}
            name = differs.get(kind, "reference")
            assert told[name] != SALE[name]
        if kind == "undone":
            told = answer.json()
            assert told["status"] not in ("succeeded", "declined")
            assert {told[name] for name in ("amount", "currency", "reference")} == {
                SALE[name] for name in ("amount", "currency", "reference")
            }
    entry = psp.journal()[0]
    assert (entry.fault, entry.effect) == (kind, charged)
    again = (await sale(client)).json()
    if kind == "decline":
        assert (again["status"], again["reason"]) == ("declined", "do_not_honour")
    else:
        assert again["status"] == "succeeded"
    assert sum(entry.effect for entry in psp.journal()) == (0 if kind == "decline" else 1)
    found = (await client.get("/v1/operations/k-1")).json()
    assert {found[name] for name in ("amount", "currency", "reference")} == {
        "12.50",
        "GBP",
        "ref-1",
    }


async def test_no_content_has_none(psp: Psp, client: httpx.AsyncClient) -> None:
    psp.script(Fault(kind="status_before", status=204, times=1))
    answer = await sale(client)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await sale(client)).status_code == 201


async def test_a_fault_is_for_its_card_operation_and_times(
    psp: Psp, client: httpx.AsyncClient
) -> None:
    psp.script(Fault(kind="decline", operations=("sale",), token="tok_1", times=1))
    assert (await sale(client, "a", token="tok_2")).json()["status"] == "succeeded"
    assert (await sale(client, "b", capture=False)).json()["status"] == "succeeded"
    assert (await sale(client, "c")).json()["status"] == "declined"
    assert (await sale(client, "d")).json()["status"] == "succeeded"


async def test_follow_ups_and_look_ups_are_about_their_card(
    psp: Psp, client: httpx.AsyncClient
) -> None:
    done = (await sale(client)).json()
    psp.script(Fault(kind="status_before", operations=("refund", "lookup"), token="tok_1"))
    follow = {
        "authorisation": done["authorisation"],
        "amount": "1.00",
        "currency": "GBP",
        "reference": "r",
    }
    assert (await post(client, "refunds", "k-r", follow)).status_code == 500
    assert (await client.get("/v1/operations/k-1")).status_code == 500
    assert (await client.get("/v1/operations/other")).status_code == 404
    assert len(psp.journal(token="tok_1")) == 3
    psp.lift(None)
    assert (await post(client, "refunds", "k-r", follow)).status_code == 201


async def test_the_operations_on_a_card_are_told_in_order(
    psp: Psp, client: httpx.AsyncClient
) -> None:
    done = (await sale(client)).json()
    await sale(client, "k-other", token="tok_other")
    refund = {
        "authorisation": done["authorisation"],
        "amount": "2.00",
        "currency": "GBP",
        "reference": "ref-2",
    }
    refunded = (await post(client, "refunds", "k-2", refund)).json()
    assert psp.told(str(SALE["token"])) == [done, refunded]
    assert psp.told("tok_nobody") == []


async def test_a_reply_is_held_until_let_go(psp: Psp, client: httpx.AsyncClient) -> None:
    for effect in (True, False):
        name = psp.script(Fault(kind="hold", effect=effect))
        held = asyncio.create_task(sale(client, f"k-{effect}"))
        seen = len(psp.journal())
        await psp.wait(seen + 1, 20, None)
        assert psp.journal()[-1].effect is effect
        assert not held.done()
        psp.lift(name)
        assert (await held).status_code == 201
        assert psp.journal()[-1].effect


async def test_calls_that_wait_are_counted_until_they_are_answered_or_given_up(
    psp: Psp, client: httpx.AsyncClient
) -> None:
    psp.script(Fault(kind="hold"))
    held = asyncio.create_task(sale(client, "k-1"))
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/v1/refunds", json={}, headers={"Idempotency-Key": "k-2"}, timeout=0.3)
    async with asyncio.timeout(20):
        while psp.under_way() != 1:
            await asyncio.sleep(0.01)
    assert psp.under_way(str(SALE["token"])) == 1
    assert psp.under_way("tok_other") == 0
    psp.lift(None)
    await held
    assert psp.under_way() == 0


async def test_hanging_and_being_slow(psp: Psp, client: httpx.AsyncClient) -> None:
    psp.script(Fault(kind="hang", times=1))
    with pytest.raises(httpx.ReadTimeout):
        await client.post(
            "/v1/authorisations", json=SALE, headers={"Idempotency-Key": "k"}, timeout=0.3
        )
    assert (psp.journal()[0].effect, psp.journal()[0].status) == (False, None)
    psp.script(Fault(kind="slow", seconds=0.2, times=1))
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await sale(client, "slow")).status_code == 201
    assert loop.time() - began >= 0.2


async def test_waiting_ends_with_its_time(psp: Psp) -> None:
    await psp.wait(1, 0.05, None)
    assert psp.journal() == ()


@given(st.integers(1, 10**12), st.sampled_from([("JPY", 0), ("GBP", 2), ("KWD", 3)]))
def test_exactly_one_spelling_of_an_amount_is_taken(minor: int, money: tuple[str, int]) -> None:
    currency, digits = money
    right = f"{Decimal(minor).scaleb(-digits):.{digits}f}"
    assert is_amount(right, currency)
    for wrong in (right + "0", "0" + right, "+" + right, "-" + right, " " + right, right + " "):
        if not (digits == 0 and wrong == right + "0"):
            assert not is_amount(wrong, currency)


async def test_what_is_published_is_fetched_by_anybody(psp: Psp) -> None:
    url = psp.publish("/keys.json", '{"keys": []}')
    async with httpx.AsyncClient() as stranger:
        assert (await stranger.get(url)).json() == {"keys": []}
        assert (await stranger.post(url)).status_code == 401
        assert (await stranger.get(f"{url}x")).status_code == 401
    assert [entry.method for entry in psp.journal()] == ["POST", "GET"]
