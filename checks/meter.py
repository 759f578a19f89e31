"""What requests cost the database, counted at the SQL proxy.

    before = await read(testbed)
    ...
    str((await read(testbed)).since(before))   # 9 statements, 12 rows, 0.004 s in transactions

A replica's sessions are its own, so nothing need be known of the service. What is held during an
outside call is ``checks.holding``'s part, what grows with the tables ``checks.load.tuples``'.
"""

from __future__ import annotations

from collections.abc import Sequence

from checks.attachment import Testbed
from checks.testbed.control import Replica, SqlCount


async def read(testbed: Testbed, where: Sequence[Replica] | None = None) -> SqlCount:
    """Read the meter of some processes of the service; of all replicas and the worker, if none."""
    places: Sequence[Replica] = (*testbed.replicas, "worker") if where is None else where
    return SqlCount.together([await testbed.count(place) for place in places])
