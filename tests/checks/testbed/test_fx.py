"""The FX simulator keeps its protocol, and tells a pair's rate as scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from checks.testbed.fx import _WORTH, Fx, Telling, true_rate

PAIR = {"base": "GBP", "quote": "JPY"}

currencies = st.sampled_from(sorted(_WORTH))


@pytest_asyncio.fixture
async def fx() -> AsyncIterator[Fx]:
    async with Fx("secret", lines=2) as running:
        yield running


@pytest_asyncio.fixture
async def client(fx: Fx) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer secret"}
    async with httpx.AsyncClient(base_url=fx.lines[0].url, headers=headers, timeout=20) as opened:
        yield opened


async def asked(client: httpx.AsyncClient, **pair: str) -> httpx.Response:
    return await client.get("/v1/rates", params=PAIR | pair)


@given(currencies, currencies)
def test_every_pair_has_a_rate_that_the_protocol_can_tell(base: str, quote: str) -> None:
    rate = true_rate(base, quote)
    assert rate > 0
    whole, _, fraction = f"{rate:f}".partition(".")
    assert len(whole) <= 10
    assert len(fraction) <= 12
    back = rate * true_rate(quote, base)
    assert abs(back - 1) < Decimal("0.001")


async def test_a_rate_is_told_as_it_is_and_just_now(client: httpx.AsyncClient) -> None:
    answer = await asked(client)
    told = answer.json()
    assert answer.status_code == 200
    assert (told["base"], told["quote"]) == ("GBP", "JPY")
    assert Decimal(told["rate"]) == true_rate("GBP", "JPY")
    age = datetime.now(UTC) - datetime.fromisoformat(told["as_of"])
    assert timedelta(0) <= age < timedelta(seconds=20)


@pytest.mark.parametrize(
    ("telling", "told"),
    [
        ({"rate": "0"}, {"rate": "0"}),
        ({"rate": "-1"}, {"rate": "-1"}),
        ({"quote": "EUR"}, {"quote": "EUR"}),
        ({"base": "EUR"}, {"base": "EUR"}),
        ({"factor": Decimal("2")}, {"rate": f"{true_rate('GBP', 'JPY') * 2:f}"}),
    ],
)
async def test_a_pair_is_told_as_scripted_and_no_other(
    fx: Fx, client: httpx.AsyncClient, telling: dict[str, Any], told: dict[str, str]
) -> None:
    before = (await asked(client)).json()
    fx.tell("GBP", "JPY", Telling(**telling))
    scripted = (await asked(client)).json()
    changed = {name for name in scripted if scripted[name] != before[name]} - {"as_of"}
    assert {name: scripted[name] for name in changed} == told
    assert (await asked(client, quote="EUR")).json()["rate"] == f"{true_rate('GBP', 'EUR'):f}"
    fx.lift()
    assert (await asked(client)).json()["rate"] == before["rate"]


async def test_a_rate_may_be_old(fx: Fx, client: httpx.AsyncClient) -> None:
    fx.tell("GBP", "JPY", Telling(age=400))
    told = (await asked(client)).json()
    assert datetime.now(UTC) - datetime.fromisoformat(told["as_of"]) >= timedelta(seconds=400)


async def test_a_provider_may_fail_and_babble(fx: Fx, client: httpx.AsyncClient) -> None:
    fx.tell("GBP", "JPY", Telling(status=503))
    assert (await asked(client)).status_code == 503
    fx.tell("GBP", "JPY", Telling(nonsense=True))
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        (await asked(client)).json()
    fx.tell("GBP", "JPY", Telling(withheld="drop"))
    with pytest.raises(httpx.TransportError):
        await asked(client)


async def test_what_hangs_is_cut_when_it_is_lifted(fx: Fx, client: httpx.AsyncClient) -> None:
    fx.tell("GBP", "JPY", Telling(withheld="hang"))
    asking = asyncio.create_task(asked(client))
    while not fx.journal("GBP/JPY"):
        await asyncio.sleep(0)
    assert not asking.done()
    fx.tell("GBP", "JPY", None)
    with pytest.raises(httpx.TransportError):
        await asking
    (entry,) = fx.journal("GBP/JPY")
    assert entry.status is None


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/rates?base=GBP&quote=XXX", {}, 404),
        ("/v1/rates?base=GBP", {}, 404),
        ("/v1/rate?base=GBP&quote=JPY", {}, 404),
        ("/v1/rates?base=GBP&quote=JPY", {"Authorization": "Bearer other"}, 401),
    ],
)
async def test_what_is_refused(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], status: int
) -> None:
    assert (await client.get(path, headers=headers)).status_code == status


async def test_the_journal_tells_pairs_apart(fx: Fx, client: httpx.AsyncClient) -> None:
    await asked(client)
    await asked(client, quote="EUR")
    (entry,) = fx.journal("GBP/EUR")
    assert (entry.simulator, entry.method, entry.path, entry.status) == (
        "fx",
        "GET",
        "/v1/rates",
        200,
    )
