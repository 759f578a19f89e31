"""However one request waits for another is found out; one that does not wait is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from checks.attachment import Testbed
from checks.client import Answer, Client
from checks.interleaving import Send
from checks.pinning import HOME, Wait, pinned, worker_held
from checks.probes import Recorder, probe, recording
from checks.testbed.broker import Broker
from checks.testbed.control import Control
from checks.testbed.driving.schedule import Place
from checks.testbed.errors import TestbedError
from checks.testbed.testbed import Host, Submission
from checks.verdicts import Broken, Inconclusive
from tests.checks.testbed.conftest import PROBER

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: A request: what it does before and after one statement of its own, in a transaction.
REQUEST = """
import asyncio, asyncpg, builtins, os, threading
lock = builtins.__dict__.setdefault("lock", threading.Lock())

async def main():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    try:
        async with connection.transaction():
            {body}
    finally:
        await connection.close()

{around}
"""
RUN = "asyncio.run(main())"
SHAPE = "insert into notes (text) values (?)"
INSERT = "await connection.execute(\"INSERT INTO notes (text) VALUES ('one')\")"
ADVISORY = 'await connection.execute("SELECT pg_advisory_xact_lock(7)")\n            '
POLLED = """while not await connection.fetchval("SELECT pg_try_advisory_xact_lock(7)"):
                await asyncio.sleep(0.02)
            """
READ = 'await connection.fetch("SELECT * FROM notes")'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def testbed() -> AsyncIterator[Testbed]:
    async with (
        Host.open() as host,
        Submission.prepare(host, PROBER) as prepared,
        Broker.open(prepared) as broker,
        await Control.connect(broker.socket) as control,
    ):
        lease = await control.lease("exclusive", worker=False)
        attached = Testbed(control, lease)
        yield attached
        await attached.close()


def request(testbed: Testbed, body: str, around: str = RUN) -> Send:
    content = REQUEST.format(body=body, around=around).encode()

    async def send(replica: int) -> Answer:
        client = Client("someone", testbed.connections)
        return await client.post("/", content=content, replica=replica)

    return send


async def beside(testbed: Testbed, held: Send, other: Send, replica: int) -> Wait | None:
    """How another request waits for one that stands before its INSERT, if it does."""
    control = request(testbed, READ)
    with recording(Recorder("x/y")), probe("a pin"):
        async with pinned(testbed, held, Place(thread=0, shape=SHAPE)) as pin:
            answer, wait = await pin.outlived_by(other, replica, control)
            assert (answer is None) == (wait is not None)
    return wait


@pytest.mark.parametrize("replica", [HOME, 1])
async def test_one_that_needs_nothing_of_it_is_answered(testbed: Testbed, replica: int) -> None:
    send = request(testbed, INSERT)
    assert await beside(testbed, send, send, replica) is None


@pytest.mark.parametrize("replica", [HOME, 1])
async def test_a_lock_of_the_database(testbed: Testbed, replica: int) -> None:
    send = request(testbed, ADVISORY + INSERT)
    wait = await beside(testbed, send, send, replica)
    assert wait == Wait("waits for a lock of the other's", "SELECT pg_advisory_xact_lock(7)")


async def test_a_lock_of_the_process_holds_in_its_own_replica_alone(testbed: Testbed) -> None:
    send = request(testbed, INSERT, f"with lock:\n    {RUN}")
    wait = await beside(testbed, send, send, HOME)
    assert wait == Wait("waits for the other inside its replica")
    assert await beside(testbed, send, send, 1) is None


async def test_a_lock_that_is_asked_for_again_and_again(testbed: Testbed) -> None:
    send = request(testbed, POLLED + INSERT)
    wait = await beside(testbed, send, send, 1)
    assert wait == Wait("asks again and again, and does not go on")


async def test_one_that_pauses_is_not_taken_for_one_that_waits(testbed: Testbed) -> None:
    paused = request(testbed, "await asyncio.sleep(0.7)\n            " + INSERT)
    assert await beside(testbed, request(testbed, INSERT), paused, 1) is None


async def noted_by_the_worker(testbed: Testbed) -> int:
    async with testbed.observer() as observer:
        found = await observer.fetchval("SELECT count(*) FROM notes WHERE text = 'worker'")
    return int(found)


async def test_the_worker_stands_too_while_a_request_does(testbed: Testbed) -> None:
    send, place = request(testbed, INSERT), Place(thread=0, shape=SHAPE)
    with recording(Recorder("x/y")), probe("two pins"):
        async with worker_held(testbed, SHAPE) as standing:
            await testbed.control.worker_start(testbed.lease)
            async with pinned(testbed, send, place) as pin:
                assert await standing
                assert (await send(1)).status == 200
                with pytest.raises(TestbedError, match="held already"):
                    async with worker_held(testbed, SHAPE):
                        pass
                assert not pin.sent.done()
            assert pin.sent.result().status == 200
            assert await noted_by_the_worker(testbed) == 0
        async with asyncio.timeout(10):
            while not await noted_by_the_worker(testbed):
                await asyncio.sleep(0.01)
    await testbed.control.worker_stop(testbed.lease)


async def test_a_step_that_does_not_come(testbed: Testbed) -> None:
    with recording(Recorder("x/y")), probe("a pin"), pytest.raises(Inconclusive, match="come to"):
        async with pinned(testbed, request(testbed, READ), Place(thread=0, shape=SHAPE)):
            pass


async def test_one_that_fails_when_it_is_let_go(testbed: Testbed) -> None:
    send = request(testbed, INSERT)

    async def failing(replica: int) -> Answer:
        answer = await send(replica)
        return Answer("POST /", 422, answer.headers, answer.content, None, replica)

    with recording(Recorder("x/y")), probe("a pin"), pytest.raises(Broken, match="held"):
        async with pinned(testbed, failing, Place(thread=0, shape=SHAPE)):
            pass
