"""A power cut takes what was not committed, and nothing that was.

The request is played by a connection of its own behind an endpoint.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from checks.testbed.databases import Database
from checks.testbed.driving.driver import Driver
from checks.testbed.driving.schedule import Cut, Interleaving, Place, Schedule
from checks.testbed.driving.threads import Field, Process
from checks.testbed.host import DatabaseUpstream, Host
from checks.testbed.sql.proxy import Endpoint

pytestmark = pytest.mark.asyncio(loop_scope="session")

Request = Callable[[str], Coroutine[Any, Any, str]]

WRITE = "update accounts set balance = ?"


@dataclass(frozen=True, slots=True)
class Arena:
    """One replica that opens a connection for each request, and an account that holds 100."""

    process: Process
    database: Database
    watcher: Any
    began: float

    async def run(self, request: Request, cut: Cut | None) -> tuple[Interleaving, str]:
        """The course, and what the request came to."""
        await self.watcher.execute("TRUNCATE accounts; INSERT INTO accounts VALUES (100)")
        field = Field((self.process,), self.watcher, self.began)
        driver = await Driver.begin(field, Schedule(cut=cut))

        async def answer() -> str:
            said = await request(self.database.url(self.process.endpoint.port))
            driver.answered(0, said)
            return said

        asked = asyncio.create_task(answer())
        course = await driver.drive()
        return course, await asked

    async def balance(self) -> int:
        return int(await self.watcher.fetchval("SELECT balance FROM accounts"))


@pytest_asyncio.fixture(loop_scope="session")
async def arena(host: Host) -> AsyncIterator[Arena]:
    database = await host.databases.template()
    watcher = await asyncpg.connect(host.server.dsn(database.name))
    await watcher.execute("CREATE TABLE accounts (balance int); GRANT ALL ON accounts TO PUBLIC")
    began = asyncio.get_running_loop().time()
    async with Endpoint(DatabaseUpstream(host.server), began) as endpoint:
        yield Arena(Process(endpoint), database, watcher, began)
    await watcher.close()
    await host.databases.drop(database)


def debit(*, transaction: bool = True) -> Request:
    """Takes 60 away, twice; ``lost`` if the connection went meanwhile."""

    async def request(url: str) -> str:
        connection = await asyncpg.connect(url)
        try:
            if transaction:
                async with connection.transaction():
                    await connection.execute("UPDATE accounts SET balance = balance - 60")
                    await connection.execute("UPDATE accounts SET balance = balance - 60")
            else:
                await connection.execute("UPDATE accounts SET balance = balance - 60")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return "lost"
        finally:
            connection.terminate()
        return "done"

    return request


def at(shape: str, occurrence: int = 1, **how: Any) -> Cut:
    return Cut(at=Place(thread=0, shape=shape, occurrence=occurrence), **how)


SHAPE = "update accounts set balance = balance - ?"


@pytest.mark.parametrize(
    ("cut", "left", "said"),
    [
        (at(SHAPE), 100, "lost"),
        (at(SHAPE, 2), 100, "lost"),
        (at(SHAPE, when="unheard"), 100, "lost"),
        (at(SHAPE, when="after"), 100, "lost"),
        (at("commit"), 100, "lost"),
        (at("commit", when="unheard"), -20, "lost"),
        (at("commit", when="after"), -20, "done"),
    ],
)
async def test_a_transaction_is_lost_until_it_is_committed(
    arena: Arena, cut: Cut, left: int, said: str
) -> None:
    course, answer = await arena.run(debit(), cut)
    assert course.driven
    assert (await arena.balance(), answer) == (left, said)
    first = next(one for one in course.steps if one.kind in ("cut", "answered"))
    assert (first.kind, first.came) == ("cut", "its connection is cut")


@pytest.mark.parametrize(
    ("when", "left", "said"), [("before", 100, "lost"), ("unheard", 40, "lost")]
)
async def test_a_statement_of_its_own_is_a_commit(
    arena: Arena, when: str, left: int, said: str
) -> None:
    course, answer = await arena.run(debit(transaction=False), at(SHAPE, when=when))
    assert course.driven
    assert (await arena.balance(), answer) == (left, said)


async def test_commits_are_told(arena: Arena) -> None:
    async def undone(url: str) -> str:
        connection = await asyncpg.connect(url)
        await connection.execute("BEGIN")
        await connection.execute("UPDATE accounts SET balance = 1")
        await connection.execute("ROLLBACK")
        await connection.fetch("SELECT balance FROM accounts")
        await connection.execute("UPDATE accounts SET balance = 2")
        await connection.close()
        return "done"

    for request, expected in ((debit(), ["commit"]), (undone, [WRITE])):
        course, answer = await arena.run(request, None)
        assert answer == "done"
        assert [one.place.shape for one in course.steps if one.commits and one.place] == expected


async def test_a_cut_that_does_not_come_is_not_driven(arena: Arena) -> None:
    course, answer = await arena.run(debit(), at("delete from accounts"))
    assert (course.driven, answer) == (False, "done")
    assert course.why == "the step at which to cut did not come"


async def test_a_killed_process_loses_what_it_had_not_committed(arena: Arena) -> None:
    code = """
import asyncio, asyncpg, sys
async def main():
    connection = await asyncpg.connect(sys.argv[1])
    await connection.execute("UPDATE accounts SET balance = balance - 60")
    async with connection.transaction():
        await connection.execute("UPDATE accounts SET balance = balance - 60")
asyncio.run(main())
"""
    running: list[subprocess.Popen[bytes]] = []

    async def kill() -> None:
        running[0].kill()
        await asyncio.to_thread(running[0].wait)

    async def request(url: str) -> str:
        command = [sys.executable, "-c", code, url]
        running.append(await asyncio.to_thread(subprocess.Popen, command))
        return f"ended with {await asyncio.to_thread(running[0].wait)}"

    killable = Arena(
        Process(arena.process.endpoint, kill=kill), arena.database, arena.watcher, arena.began
    )
    course, answer = await killable.run(request, at("commit", kills=True))
    assert course.driven
    assert answer == f"ended with {-signal.SIGKILL}"
    assert await arena.balance() == 40
    assert [one.came for one in course.steps if one.kind == "cut"] == ["its process is killed"]
