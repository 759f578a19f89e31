"""Sessions of the database that end: when they have really gone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

#: Seconds between two looks at whether a backend has gone, and until it must have.
_INTERVAL, _GONE = 0.003, 5.0

_LEFT = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1::int[])"

_END_OTHERS = """
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


async def gone(pids: Sequence[int], watcher: asyncpg.Connection[Any]) -> None:
    """Wait until these backends have left; raises ``TimeoutError`` where they do not.

    What they had not committed is undone by then, and what they had counted is handed in.
    """
    async with asyncio.timeout(_GONE):
        # The server tells nobody when a backend leaves.
        while await watcher.fetchval(_LEFT, list(pids)):  # noqa: ASYNC110
            await asyncio.sleep(_INTERVAL)


async def end_others(watcher: asyncpg.Connection[Any]) -> None:
    """End all sessions of the watcher's database but its own, and wait until they have gone."""
    ended = await watcher.fetch(_END_OTHERS)
    await gone([row["pid"] for row in ended], watcher)
