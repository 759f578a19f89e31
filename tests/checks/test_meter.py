"""The meter adds up what passes several endpoints, and tells what came on top."""

from __future__ import annotations

from typing import Any, cast

from checks.meter import read
from checks.testbed.control import Replica, SqlCount


def reading(statements: int, rows: int, transactions: int, seconds: float) -> SqlCount:
    return SqlCount(
        statements=statements, rows=rows, transactions=transactions, seconds=seconds, sessions=0
    )


class Counts:
    """A testbed of two replicas and a worker."""

    def __init__(self) -> None:
        self.replicas = range(2)

    async def count(self, where: Replica) -> SqlCount:
        some = 1 if where == "worker" else 10
        return SqlCount(statements=3 * some, transactions=some, rows=2, sessions=0, seconds=0.5)


async def test_all_processes_together_or_some() -> None:
    testbed = cast(Any, Counts())
    assert await read(testbed) == reading(63, 6, 21, 1.5)
    assert await read(testbed, ["worker"]) == reading(3, 2, 1, 0.5)


def test_what_came_on_top() -> None:
    gained = reading(9, 7, 3, 1.0).since(reading(4, 5, 1, 0.75))
    assert gained == reading(5, 2, 2, 0.25)
    assert str(gained) == "5 statements, 2 rows, 2 transactions that took 0.250 s"
