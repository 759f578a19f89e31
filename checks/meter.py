"""What requests cost the database, counted at the SQL proxy.

    before = await read(testbed)
    ...
    str((await read(testbed)).since(before))   # 9 statements, 12 rows, 0.004 s in transactions

A replica's sessions are its own, so nothing need be known of the service. What is held during an
outside call is ``checks.holding``'s part, what grows with the tables ``checks.load.tuples``'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checks.attachment import Testbed
from checks.testbed.control import Replica


@dataclass(frozen=True, slots=True)
class Reading:
    """What has passed some endpoints together. ``seconds`` were spent in transactions."""

    statements: int
    rows: int
    transactions: int
    seconds: float

    def since(self, before: Reading) -> Reading:
        """What came on top of an earlier reading."""
        return Reading(
            self.statements - before.statements,
            self.rows - before.rows,
            self.transactions - before.transactions,
            self.seconds - before.seconds,
        )

    def __str__(self) -> str:
        return (
            f"{self.statements} statements, {self.rows} rows, {self.transactions} transactions that"
            f" took {self.seconds:.3f} s"
        )


async def read(testbed: Testbed, where: Sequence[Replica] | None = None) -> Reading:
    """Read the meter of some processes of the service; of all replicas and the worker, if none."""
    places: Sequence[Replica] = (*testbed.replicas, "worker") if where is None else where
    counts = [await testbed.count(place) for place in places]
    return Reading(
        sum(one.statements for one in counts),
        sum(one.rows for one in counts),
        sum(one.transactions for one in counts),
        sum(one.seconds for one in counts),
    )
