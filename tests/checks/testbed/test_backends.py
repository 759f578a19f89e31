"""Sessions that are ended have gone when that is said, and the watcher's own stays."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from checks.testbed.backends import end_others, gone
from checks.testbed.postgres import open_server

ALL = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dsn() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="assay-backends-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server's user has to get through
        async with open_server(folder / "postgres") as server:
            yield server.dsn()


@pytest_asyncio.fixture(loop_scope="module")
async def watcher(dsn: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_all_others_are_ended_whatever_they_are_at(dsn: str, watcher: Any) -> None:
    others = [await asyncpg.connect(dsn) for _ in range(8)]
    await others[0].execute("BEGIN; CREATE TABLE notes (id int)")
    await end_others(watcher)
    assert await watcher.fetchval(ALL) == 1
    assert await watcher.fetchval("SELECT to_regclass('notes')") is None
    for one in others:
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await one.execute("SELECT 1")
        one.terminate()


@pytest.mark.asyncio(loop_scope="module")
async def test_with_nobody_else_there_nothing_is_waited_for(watcher: Any) -> None:
    await end_others(watcher)
    assert await watcher.fetchval(ALL) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_a_backend_that_stays_is_told(
    dsn: str, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checks.testbed.backends._GONE", 0.05)
    other = await asyncpg.connect(dsn)
    with pytest.raises(TimeoutError):
        await gone([other.get_server_pid()], watcher)
    await other.close()
    monkeypatch.setattr("checks.testbed.backends._GONE", 5.0)
    await gone([other.get_server_pid()], watcher)
