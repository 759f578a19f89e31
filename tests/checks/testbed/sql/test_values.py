"""Values of the protocol are read as PostgreSQL itself writes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from checks.testbed.host import DatabaseUpstream, Host
from checks.testbed.sql import values
from checks.testbed.sql.gate import Gate
from checks.testbed.sql.proxy import Endpoint
from checks.testbed.sql.tally import Values
from tests.checks.testbed.sql.wire import Wire, query


@pytest_asyncio.fixture(loop_scope="session")
async def watched(host: Host) -> AsyncIterator[tuple[Any, Gate, Wire]]:
    """A connection whose values are kept, the gate that keeps them, and a bare session."""
    database = await host.databases.template()
    async with Endpoint(DatabaseUpstream(host.server), 0.0) as endpoint:
        connection = await asyncpg.connect(database.url(endpoint.port))
        async with Wire(database, endpoint.port) as wire:
            yield connection, endpoint.put_up_gate(lambda: None, open_=True), wire
        connection.terminate()
    await host.databases.drop(database)


def last(gate: Gate) -> Values:
    found = gate.passed[-1].execution.values
    assert found is not None
    return found


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("bool", True, "true"),
        ("int2", -3, "-3"),
        ("int4", 2_000_000_000, "2000000000"),
        ("int8", -9_000_000_000, "-9000000000"),
        ("numeric", Decimal("12345678901234567890.0500"), "12345678901234567890.0500"),
        ("numeric", Decimal("-0.07"), "-0.07"),
        ("numeric", Decimal("NaN"), "NaN"),
        ("float8", 1.5, "1.5"),
        ("text", "naïve", "naïve"),
        ("varchar", "x" * 500, "x" * 120),
        ("uuid", UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        ("date", date(2026, 1, 2), "2026-01-02"),
        ("timestamptz", datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02 03:04:05.000006+00:00"),
        ("timestamp", datetime(1999, 1, 2, 3, 4, 5), "1999-01-02 03:04:05"),
        ("jsonb", '{"a": 1}', '{"a": 1}'),
        ("bytea", b"\x00\xff", "0x00ff"),
        ("int8", None, "NULL"),
    ],
)
async def test_a_value_is_shown_both_ways(
    watched: tuple[Any, Gate, Wire], kind: str, value: object, shown: str
) -> None:
    connection, gate, _ = watched
    await connection.fetch(f"SELECT $1::{kind} AS it", value)
    found = last(gate)
    assert values.given(found) == (shown,)
    assert values.columns(found) == ("it",)
    assert values.rows(found) == ((shown,),)
    assert values.came(found) == "SELECT 1"


@pytest.mark.asyncio(loop_scope="session")
async def test_text_format_is_shown_as_it_is(watched: tuple[Any, Gate, Wire]) -> None:
    _, gate, wire = watched
    wire.send(query("SELECT 7 AS a, NULL AS b, 'x' AS c UNION ALL SELECT 8, NULL, 'y'"))
    await wire.until(b"Z")
    assert values.columns(last(gate)) == ("a", "b", "c")
    assert values.rows(last(gate)) == (("7", "NULL", "x"), ("8", "NULL", "y"))


@pytest.mark.asyncio(loop_scope="session")
async def test_an_error_is_its_code_and_message(watched: tuple[Any, Gate, Wire]) -> None:
    connection, gate, _ = watched
    with pytest.raises(asyncpg.DivisionByZeroError):
        await connection.fetchval("SELECT 1 / $1::int", 0)
    assert values.came(last(gate)) == "22012 division by zero"


@pytest.mark.asyncio(loop_scope="session")
async def test_no_more_rows_are_kept_than_people_read(watched: tuple[Any, Gate, Wire]) -> None:
    connection, gate, _ = watched
    await connection.fetch("SELECT n FROM generate_series(1, 5000) n")
    assert len(values.rows(last(gate))) == 20
    assert gate.passed[-1].execution.rows == 5000


@given(st.binary(max_size=200), st.binary(max_size=200), st.lists(st.binary(max_size=60)))
def test_any_bytes_are_shown_or_left_out(bound: bytes, described: bytes, rows: list[bytes]) -> None:
    seen = Values(bound=bound, parameters=described, columns=described, rows=rows)
    for shown in (values.given(seen), values.columns(seen), *values.rows(seen)):
        assert all(isinstance(one, str) for one in shown)
    values.came(seen)
