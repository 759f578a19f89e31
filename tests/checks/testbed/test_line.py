"""A simulator's line holds each step of a call until it is let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest_asyncio

from checks.testbed.calls import CallGate
from checks.testbed.http import Answer, Received
from checks.testbed.line import Line


class Held:
    """A line whose gate the test keeps, and what reached the simulator."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.line = Line("psp", self._answer)
        self._changed = asyncio.Event()
        self.gate = CallGate(self._changed.set)

    async def _answer(self, received: Received) -> Answer:
        self.reached.append(received.path)
        return Answer(201, "{}")

    def close(self) -> None:
        self.gate = self.line.put_up_gate(self._changed.set)

    async def until(self, there: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not there():
                self._changed.clear()
                await self._changed.wait()


@pytest_asyncio.fixture
async def held() -> AsyncIterator[Held]:
    made = Held()
    await made.line.start()
    yield made
    await made.line.stop()


@pytest_asyncio.fixture
async def client(held: Held) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=held.line.url, timeout=20) as opened:
        yield opened


async def test_without_a_gate_a_call_passes(held: Held, client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/refunds")).status_code == 201


async def test_a_call_is_held_before_it_is_done_and_before_it_is_answered(
    held: Held, client: httpx.AsyncClient
) -> None:
    held.close()
    calling = asyncio.create_task(client.post("/v1/operations/key-17"))
    await held.until(lambda: held.gate.waiting)
    assert [one.shape for one in held.gate.waiting] == ["psp POST /operations/?"]
    assert not held.reached
    held.gate.waiting[0].release()
    await held.until(lambda: held.gate.waiting)
    assert [one.shape for one in held.gate.waiting] == ["psp POST /operations/? reply"]
    assert held.reached == ["/v1/operations/key-17"]
    assert held.gate.under_way == 1
    assert not calling.done()
    held.gate.waiting[0].release()
    assert (await calling).status_code == 201
    await held.until(lambda: not held.gate.under_way)
    (call,) = held.gate.passed
    assert call.said == "201"
    assert call.done is not None
    assert call.ended is not None
    assert call.at <= call.done <= call.ended


async def test_a_step_that_is_let_go_waits_no_more(held: Held, client: httpx.AsyncClient) -> None:
    held.close()
    calling = asyncio.create_task(client.post("/v1/refunds"))
    await held.until(lambda: held.gate.waiting)
    first = held.gate.waiting[0]
    first.release()
    assert not held.gate.waiting
    first.release()
    held.gate.let_all_go()
    await calling


async def test_a_call_that_is_given_up_while_held_breaks_the_gate(
    held: Held, client: httpx.AsyncClient
) -> None:
    held.close()
    calling = asyncio.create_task(client.post("/v1/refunds"))
    await held.until(lambda: held.gate.waiting)
    calling.cancel()
    await held.until(lambda: held.gate.broken)
    assert held.gate.broken == "the service gave up a call that was held"
    assert not held.gate.waiting
    assert not held.reached


async def test_a_gate_is_taken_down_with_calls_before_it(
    held: Held, client: httpx.AsyncClient
) -> None:
    held.close()
    calls = [asyncio.create_task(client.post("/v1/refunds")) for _ in range(3)]
    await held.until(lambda: len(held.gate.waiting) == 3)
    held.line.take_down_gate()
    assert [answer.status_code for answer in await asyncio.gather(*calls)] == [201] * 3
