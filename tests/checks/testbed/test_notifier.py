"""The notifier simulator takes messages, and behaves towards a payout as scripted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from checks.testbed.notifier import Notifier
from checks.testbed.simulator import Conduct

MESSAGE = {"to": "cli_1", "payout": "po_1", "code": "12345678"}


@pytest_asyncio.fixture
async def notifier() -> AsyncIterator[Notifier]:
    async with Notifier("secret") as running:
        yield running


@pytest_asyncio.fixture
async def client(notifier: Notifier) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer secret"}
    url = notifier.lines[0].url
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20) as opened:
        yield opened


async def test_a_message_is_taken_and_can_be_read(
    notifier: Notifier, client: httpx.AsyncClient
) -> None:
    assert (await client.post("/v1/messages", json=MESSAGE)).status_code == 202
    await client.post("/v1/messages", json=MESSAGE | {"payout": "po_2"})
    (entry,) = notifier.journal("po_1")
    assert json.loads(entry.body) == MESSAGE
    assert (entry.simulator, entry.effect, entry.status) == ("notifier", True, 202)


async def test_messages_about_a_payout_may_fail_and_no_others(
    notifier: Notifier, client: httpx.AsyncClient
) -> None:
    notifier.conduct("po_1", Conduct(status=500, done=False))
    assert (await client.post("/v1/messages", json=MESSAGE)).status_code == 500
    other = await client.post("/v1/messages", json=MESSAGE | {"payout": "po_2"})
    assert other.status_code == 202
    notifier.conduct("po_1", Conduct(withheld="drop"))
    with pytest.raises(httpx.TransportError):
        await client.post("/v1/messages", json=MESSAGE)
    notifier.lift()
    assert (await client.post("/v1/messages", json=MESSAGE)).status_code == 202
    assert [entry.effect for entry in notifier.journal("po_1")] == [False, True, True]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/v1/message", MESSAGE, {}, 404),
        ("/v1/messages", {"to": "cli_1"}, {}, 422),
        ("/v1/messages", ["x"], {}, 422),
        ("/v1/messages", MESSAGE, {"Authorization": "Bearer other"}, 401),
    ],
)
async def test_what_is_refused(
    client: httpx.AsyncClient, path: str, body: object, headers: dict[str, str], status: int
) -> None:
    assert (await client.post(path, json=body, headers=headers)).status_code == status
