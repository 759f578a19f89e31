"""One request stands before a step, and others of the same replica go on, or wait for its locks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from checks.testbed.databases import Database
from checks.testbed.driving.pin import Pin
from checks.testbed.driving.schedule import Place
from checks.testbed.driving.threads import Field, Process
from checks.testbed.host import DatabaseUpstream, Host
from checks.testbed.sql.proxy import Endpoint

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRITE = "UPDATE accounts SET balance = balance - 1 WHERE id = $1"
SHAPE = "update accounts set balance = balance - ? where id = ?"


@dataclass(frozen=True, slots=True)
class Arena:
    """One replica with two connections, and another's one."""

    field: Field
    database: Database
    here: tuple[Any, Any]
    there: Any

    async def pin(self, occurrence: int = 1, shape: str = SHAPE) -> Pin:
        return await Pin.begin(self.field, Place(thread=0, shape=shape, occurrence=occurrence))


async def _debit(connection: Any, *accounts: int) -> None:
    async with connection.transaction():
        for account in accounts:
            await connection.execute(WRITE, account)


@pytest_asyncio.fixture(loop_scope="session")
async def arena(host: Host) -> AsyncIterator[Arena]:
    database = await host.databases.template()
    watcher = await asyncpg.connect(host.server.dsn(database.name))
    await watcher.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int)")
    await watcher.execute("INSERT INTO accounts VALUES (1, 100), (2, 100), (3, 100)")
    await watcher.execute("GRANT ALL ON accounts TO PUBLIC")
    began = asyncio.get_running_loop().time()
    upstream = DatabaseUpstream(host.server)
    async with Endpoint(upstream, began) as one, Endpoint(upstream, began) as two:
        here = [await asyncpg.connect(database.url(one.port)) for _ in range(2)]
        there = await asyncpg.connect(database.url(two.port))
        yield Arena(Field((Process(one),), watcher, began), database, (here[0], here[1]), there)
        for connection in (*here, there):
            connection.terminate()
    await watcher.close()
    await host.databases.drop(database)


async def test_others_of_the_same_replica_go_on(arena: Arena) -> None:
    pin = await arena.pin(occurrence=2)
    pinned = asyncio.create_task(_debit(arena.here[0], 1, 2))
    assert await pin.reached()
    async with asyncio.timeout(10):
        await _debit(arena.here[1], 3)
    assert not pinned.done()
    assert await pin.waiters() == []
    pin.release()
    await pinned
    assert pin.broken == ""


async def test_who_waits_for_its_locks_is_told_with_his_statement(arena: Arena) -> None:
    pin = await arena.pin(occurrence=2)
    pinned = asyncio.create_task(_debit(arena.here[0], 1, 2))
    assert await pin.reached()
    behind = [asyncio.create_task(_debit(one, 1)) for one in (arena.here[1], arena.there)]
    async with asyncio.timeout(10):
        while len(await pin.waiters()) < 2:
            await asyncio.sleep(0.01)
    assert {one.text for one in await pin.waiters()} == {WRITE}
    assert not any(one.done() for one in (*behind, pinned))
    pin.release()
    await asyncio.gather(pinned, *behind)


async def test_a_step_that_does_not_come(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checks.testbed.driving.pin._REACH", 0.2)
    pin = await arena.pin(shape="delete from accounts")
    async with asyncio.timeout(10):
        await _debit(arena.here[0], 1)
    assert not await pin.reached()
    pin.release()


async def test_a_session_that_goes_while_it_is_pinned_is_told(arena: Arena) -> None:
    pin = await arena.pin()
    own = await asyncpg.connect(arena.database.url(arena.field.replicas[0].endpoint.port))
    pinned = asyncio.create_task(_debit(own, 1))
    assert await pin.reached()
    own.terminate()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await pinned
    async with asyncio.timeout(10):
        while not pin.broken:
            await asyncio.sleep(0.01)
    pin.release()
