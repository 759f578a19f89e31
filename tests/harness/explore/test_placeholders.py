"""Values take their places: encoded in paths, typed in JSON, quoted in SQL."""

from __future__ import annotations

import json

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.testbed.host import Host
from harness.explore.placeholders import Scalar, in_json, in_path, in_sql, in_text, names

VALUES: dict[str, Scalar] = {"account": 7, "word": "a b/ü", "none": None, "yes": True}


def test_names_are_found_wherever_they_stand() -> None:
    value = {"a{account}": ["{word}", {"b": "{{no}} {yes}"}], "c": 3, "d": '{"json": 1}'}
    assert set(names(value)) == {"account", "word", "yes"}


def test_a_path_is_encoded() -> None:
    assert in_path("/a/{account}?q={word}", VALUES) == "/a/7?q=a%20b%2F%C3%BC"


def test_a_text_keeps_braces_that_are_doubled_or_hold_no_name() -> None:
    assert in_text("{{account}} {account} {} {A}", VALUES) == "{account} 7 {} {A}"


def test_a_whole_text_becomes_the_value_itself() -> None:
    filled = in_json({"id": "{account}", "note": "no. {account}", "x": ["{none}", "{yes}"]}, VALUES)
    assert filled == {"id": 7, "note": "no. 7", "x": [None, True]}


@given(st.one_of(st.text(), st.integers(), st.booleans(), st.none()))
def test_any_value_survives_json(value: Scalar) -> None:
    assert json.loads(json.dumps(in_json({"x": "{v}"}, {"v": value}))) == {"x": value}


@pytest.mark.asyncio(loop_scope="session")
async def test_sql_means_the_value_and_nothing_more() -> None:
    hostile: list[Scalar] = ["it's", "a\\", "'; DROP TABLE t; --", "\\'", "ü{{}}", 3, -4, None]
    async with Host.open(trusted=True) as host:
        connection = await asyncpg.connect(host.server.dsn())
        try:
            for value in hostile:
                found = await connection.fetchval(in_sql("SELECT ({v})::text", {"v": value}))
                assert found == (None if value is None else str(value))
            assert await connection.fetchval(in_sql("SELECT {v}", {"v": True})) is True
        finally:
            await connection.close()
