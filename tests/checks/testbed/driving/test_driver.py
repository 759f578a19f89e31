"""The driver takes requests through their statements in the order that it is told.

The requests are played by coroutines with a connection each, behind an endpoint each.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from checks.testbed.databases import Database
from checks.testbed.driving.driver import Driver
from checks.testbed.driving.schedule import Interleaving, Place, Schedule, Switch
from checks.testbed.driving.threads import Field, Process
from checks.testbed.host import DatabaseUpstream, Host
from checks.testbed.sql.proxy import Endpoint

pytestmark = pytest.mark.asyncio(loop_scope="session")

Request = Callable[[Any], Awaitable[str]]

READ = "select balance from accounts where id = ?"
LOCK = READ + " for update"
WRITE = "update accounts set balance = ? where id = ?"


@dataclass(frozen=True, slots=True)
class Arena:
    """Two replicas, each one connection, on an account that holds 100."""

    host: Host
    field: Field
    database: Database
    connections: Sequence[Any]

    async def run(self, schedule: Schedule, *requests: Request) -> Interleaving:
        await self.field.watcher.execute(
            "TRUNCATE accounts; INSERT INTO accounts VALUES (1, 100), (2, 100)"
        )
        driver = await Driver.begin(self.field, schedule)

        async def answer(number: int, request: Request) -> None:
            driver.answered(number, await request(self.connections[number]))

        pairs = enumerate(requests)
        tasks = [asyncio.create_task(answer(number, request)) for number, request in pairs]
        course = await driver.drive()
        await asyncio.gather(*tasks)
        return course

    async def balance(self, account: int = 1) -> int:
        return int(
            await self.field.watcher.fetchval("SELECT balance FROM accounts WHERE id = $1", account)
        )


@pytest_asyncio.fixture(loop_scope="session")
async def arena(host: Host) -> AsyncIterator[Arena]:
    database = await host.databases.template()
    watcher = await asyncpg.connect(host.server.dsn(database.name))
    await watcher.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int)")
    await watcher.execute("GRANT ALL ON accounts TO PUBLIC")
    began = asyncio.get_running_loop().time()
    upstream = DatabaseUpstream(host.server)
    async with Endpoint(upstream, began) as one, Endpoint(upstream, began) as two:
        connections = [await asyncpg.connect(database.url(each.port)) for each in (one, two)]
        field = Field((Process(one), Process(two)), watcher, began)
        yield Arena(host, field, database, connections)
        for connection in connections:
            connection.terminate()
    await watcher.close()
    await host.databases.drop(database)


def withdraw(amount: int, *, lock: str = "") -> Request:
    """Check, then debit, in one transaction; with a lock, or without."""

    async def request(connection: Any) -> str:
        async with connection.transaction():
            sql = f"SELECT balance FROM accounts WHERE id = $1 {lock}"
            balance = await connection.fetchval(sql, 1)
            if balance < amount:
                return "refused"
            await connection.execute(
                "UPDATE accounts SET balance = $1 WHERE id = $2", balance - amount, 1
            )
            return "paid"

    return request


def switch(thread: int, shape: str, occurrence: int = 1) -> Switch:
    return Switch(before=Place(thread=thread, shape=shape, occurrence=occurrence), to=1 - thread)


def shapes(course: Interleaving) -> list[tuple[int, str]]:
    return [(thread, shape.split(" ")[0]) for thread, shape in course.order]


def answers(course: Interleaving) -> dict[int, str]:
    return {one.thread: one.came for one in course.steps if one.kind == "answered"}


@pytest.mark.parametrize("first", [0, 1])
async def test_without_switches_one_request_runs_after_the_other(arena: Arena, first: int) -> None:
    course = await arena.run(Schedule(first=first), withdraw(60), withdraw(70))
    other = 1 - first
    assert course.driven
    assert shapes(course) == [
        (first, "select"), (first, "update"), (first, "commit"),
        (other, "select"), (other, "commit"),
    ]  # fmt: skip
    assert answers(course) == {first: "paid", other: "refused"}


@pytest.mark.parametrize("first", [0, 1])
async def test_a_switch_between_check_and_debit_loses_a_withdrawal(
    arena: Arena, first: int
) -> None:
    other = 1 - first
    schedule = Schedule(first=first, switches=(switch(first, WRITE),))
    course = await arena.run(schedule, withdraw(60), withdraw(70))
    assert course.driven
    assert shapes(course) == [
        (first, "select"),
        (other, "select"), (other, "update"), (other, "commit"),
        (first, "update"), (first, "commit"),
    ]  # fmt: skip
    assert answers(course) == {0: "paid", 1: "paid"}
    assert await arena.balance() == 100 - (60 if first == 0 else 70)


async def test_a_lock_hands_the_turn_back_and_keeps_the_account_right(arena: Arena) -> None:
    schedule = Schedule(switches=(switch(0, WRITE),))
    requests = (withdraw(60, lock="FOR UPDATE"), withdraw(70, lock="FOR UPDATE"))
    course = await arena.run(schedule, *requests)
    assert course.driven
    assert answers(course) == {0: "paid", 1: "refused"}
    assert [one.thread for one in course.steps if one.kind == "waits"] == [1]
    lock = next(one for one in course.steps if one.thread == 1 and one.place and one.point)
    commit = next(one for one in course.steps if one.thread == 0 and one.text == "COMMIT;")
    assert lock.ended is not None
    assert lock.at < commit.at < lock.ended
    assert await arena.balance() == 40


async def test_two_switches_are_made_in_their_places(arena: Arena) -> None:
    schedule = Schedule(switches=(switch(0, WRITE), switch(1, WRITE)))
    course = await arena.run(schedule, withdraw(60), withdraw(70))
    assert course.driven
    assert shapes(course)[:3] == [(0, "select"), (1, "select"), (0, "update")]


async def test_values_given_and_found_are_told(arena: Arena) -> None:
    course = await arena.run(Schedule(), withdraw(60), withdraw(70))
    select, update = [one for one in course.steps if one.point and one.thread == 0][:2]
    assert (select.given, select.columns, select.rows) == (("1",), ("balance",), (("100",),))
    assert (update.given, update.came) == (("40", "1"), "UPDATE 1")


async def test_a_switch_that_does_not_come_is_not_driven(arena: Arena) -> None:
    schedule = Schedule(switches=(switch(0, WRITE, 2),))
    course = await arena.run(schedule, withdraw(60), withdraw(70))
    assert not course.driven
    assert course.why == "a step at which to switch did not come"
    assert not course.stuck


async def test_a_deadlock_is_the_databases_to_end(arena: Arena) -> None:
    def move(one: int, other: int) -> Request:
        async def request(connection: Any) -> str:
            try:
                async with connection.transaction():
                    for number in (one, other):
                        await connection.execute(
                            "UPDATE accounts SET balance = balance + 1 WHERE id = $1", number
                        )
            except asyncpg.DeadlockDetectedError:
                return "deadlock"
            return "done"

        return request

    shape = "update accounts set balance = balance + ? where id = ?"
    schedule = Schedule(switches=(switch(0, shape, 2),))
    course = await arena.run(schedule, move(1, 2), move(2, 1))
    assert course.driven
    assert sorted(answers(course).values()) == ["deadlock", "done"]
    assert any(one.came.startswith("40P01") for one in course.steps)


async def test_a_request_that_waits_inside_itself_hands_over(arena: Arena) -> None:
    freed = asyncio.Event()

    async def waits(connection: Any) -> str:
        await connection.fetchval("SELECT balance FROM accounts WHERE id = $1", 1)
        await freed.wait()
        await connection.fetchval("SELECT balance FROM accounts WHERE id = $1", 2)
        return "waited"

    async def frees(connection: Any) -> str:
        await connection.fetchval("SELECT balance FROM accounts WHERE id = $1", 2)
        freed.set()
        return "freed"

    course = await arena.run(Schedule(), waits, frees)
    assert course.driven
    assert [thread for thread, _ in course.order] == [0, 1, 0]
    assert [one.thread for one in course.steps if one.kind == "idles"] == [0]


async def test_a_twin_that_polls_gives_the_other_its_turn(arena: Arena) -> None:
    async def polls(connection: Any) -> str:
        sql = "SELECT balance FROM accounts WHERE id = $1"
        while await connection.fetchval(sql, 1) == 100:
            pass
        return "seen"

    schedule = Schedule(usual=({READ: 1}, {}))
    course = await arena.run(schedule, polls, withdraw(10))
    assert course.driven
    assert answers(course) == {0: "seen", 1: "paid"}


async def test_a_request_that_issues_no_statement_ends(arena: Arena) -> None:
    async def nothing(_: Any) -> str:
        return "nothing"

    course = await arena.run(Schedule(), nothing, withdraw(10))
    assert course.driven
    assert answers(course) == {0: "nothing", 1: "paid"}


async def test_an_answer_before_the_commit_does_not_end_a_request(arena: Arena) -> None:
    later: list[asyncio.Task[None]] = []

    async def early(connection: Any) -> str:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE accounts SET balance = $1 WHERE id = $2", 1, 1)
        later.append(asyncio.create_task(transaction.commit()))
        return "early"

    course = await arena.run(Schedule(), early, withdraw(1))
    await asyncio.gather(*later)
    assert course.driven
    assert [thread for thread, _ in course.order] == [0, 0, 1, 1, 1]


async def test_a_session_that_gives_up_because_it_was_held_is_not_driven(arena: Arena) -> None:
    async def impatient(connection: Any) -> str:
        try:
            sql = "UPDATE accounts SET balance = $1 WHERE id = $2"
            await connection.execute(sql, 1, 1, timeout=0.05)
        except TimeoutError:
            return "gave up"
        return "done"

    async def slow(connection: Any) -> str:
        await connection.fetchval("SELECT balance, pg_sleep(0.3) FROM accounts WHERE id = $1", 1)
        return "slow"

    course = await arena.run(Schedule(first=1), impatient, slow)
    assert not course.driven
    assert course.why == "the service cancelled a statement that was held"


async def test_a_process_that_is_held_idle_is_let_go_when_all_wait_for_it(arena: Arena) -> None:
    done = asyncio.Event()
    upstream = DatabaseUpstream(arena.host.server)
    async with Endpoint(upstream, arena.field.began) as own:
        connection = await asyncpg.connect(arena.database.url(own.port))

        async def work() -> None:
            await connection.execute("UPDATE accounts SET balance = 7 WHERE id = 1")
            done.set()

        async def waits(connection: Any) -> str:
            await connection.fetchval("SELECT balance FROM accounts WHERE id = $1", 2)
            working.append(asyncio.create_task(work()))
            await done.wait()
            return "done by the worker"

        working: list[asyncio.Task[None]] = []
        held = replace(arena, field=replace(arena.field, idle=(Process(own),)))
        course = await held.run(Schedule(), waits, withdraw(1))
        await asyncio.gather(*working)
        connection.terminate()
    assert course.driven
    assert answers(course)[0] == "done by the worker"


async def test_what_never_moves_ends_within_its_bound(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checks.testbed.driving.driver.STUCK", 0.5)
    freed = asyncio.Event()

    async def waits(connection: Any) -> str:
        await connection.fetchval("SELECT balance FROM accounts WHERE id = $1", 1)
        await freed.wait()
        return "waited"

    asyncio.get_running_loop().call_later(3, freed.set)
    course = await arena.run(Schedule(), waits, withdraw(10))
    assert course.stuck == "Nothing moved for 0.5 s; still under way: request 1."
    assert not course.driven
