"""A text of SQL is understood as far as schedules need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.testbed.sql.statement import understand


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "SELECT 1",
        "select version()",
        "SELECT pg_catalog.version()",
        "select current_schema()",
        "BEGIN",
        "BEGIN ISOLATION LEVEL SERIALIZABLE;",
        "START TRANSACTION READ ONLY",
        "SAVEPOINT sa_savepoint_1",
        "RELEASE SAVEPOINT sa_savepoint_1",
        "SET LOCAL app.merchant = 'x'",
        "SHOW transaction_isolation",
        "select set_config('a', 'b', true)",
        "LISTEN jobs",
        "DEALLOCATE ALL",
        "FETCH FORWARD 10 FROM c",
        "SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;",
        "SELECT t.oid FROM pg_type t JOIN pg_catalog.pg_namespace n ON true",
        "SELECT 1 FROM information_schema.tables",
        "/* ping */ SELECT 1 -- alive",
    ],
)
def test_what_nobody_else_can_tell_is_no_point(text: str) -> None:
    assert not understand(text).point


@pytest.mark.parametrize(
    "text",
    [
        "SELECT balance FROM accounts",
        "SELECT pg_advisory_xact_lock($1)",
        "SELECT transfer($1, $2)",
        "SELECT nextval('numbers')",
        "SELECT EXISTS (SELECT 1 FROM payments)",
        "COMMIT",
        "END",
        "ROLLBACK TO SAVEPOINT x",
        "CALL pay($1)",
        "DO $$ BEGIN PERFORM pay(); END $$",
        "LOCK TABLE accounts IN SHARE MODE",
        "TRUNCATE accounts",
        "settle_everything",
        "BEGIN; UPDATE accounts SET balance = 0; COMMIT",
        "SELECT 1 FROM pg_locks, accounts a JOIN accounts b ON true",
    ],
)
def test_what_others_can_tell_is_a_point(text: str) -> None:
    assert understand(text).point


@pytest.mark.parametrize(
    ("text", "reads", "writes"),
    [
        ("SELECT * FROM accounts a JOIN entries e ON true", {"accounts", "entries"}, set()),
        ('SELECT * FROM "Accounts" FOR UPDATE', {"accounts"}, set()),
        ("SELECT * FROM public.accounts, app.entries", {"accounts"}, set()),
        ("UPDATE ONLY accounts SET balance = 1", set(), {"accounts"}),
        ("UPDATE app.accounts a SET b = t.b FROM t", {"t"}, {"app.accounts"}),
        ("INSERT INTO a (x) VALUES ($1) ON CONFLICT (x) DO UPDATE SET x = 1", set(), {"a"}),
        ("INSERT INTO a SELECT * FROM b WHERE x FOR NO KEY UPDATE", {"b"}, {"a"}),
        ("DELETE FROM a USING b WHERE a.x = b.x", {"b"}, {"a"}),
        ("WITH c AS (UPDATE a SET x = 1 RETURNING *) SELECT * FROM c, d JOIN e ON true",
         {"e"}, {"a"}),
        ("WITH RECURSIVE c (n) AS (SELECT n FROM b) SELECT * FROM c", {"b"}, set()),
        ("COPY a (x) FROM STDIN", set(), {"a"}),
        ("COPY a TO STDOUT", {"a"}, set()),
        ("SELECT * FROM generate_series(1, 3)", set(), set()),
        ("SELECT 'from accounts' FROM entries", {"entries"}, set()),
    ],
)  # fmt: skip
def test_tables_are_found(text: str, reads: set[str], writes: set[str]) -> None:
    found = understand(text)
    assert (set(found.reads), set(found.writes)) == (reads, writes)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO a SELECT 1 WHERE (SELECT sum(x) FROM a) >= 1",
        "UPDATE a SET x = 1 WHERE id IN (SELECT id FROM a WHERE y > 0)",
        "WITH c AS (SELECT * FROM b) UPDATE a SET x = 1 FROM c",
        "CALL transfer($1)",
        "DO $$ BEGIN PERFORM 1; END $$",
        "UPDATE a SET x = 1; INSERT INTO b VALUES (1)",
    ],
)
def test_what_looks_and_writes_in_itself_is_opaque(text: str) -> None:
    assert understand(text).opaque


@pytest.mark.parametrize(
    "text",
    [
        "SELECT coalesce(sum(x), 0) FROM a WHERE y IN (1, 2) FOR UPDATE",
        "SELECT pg_advisory_xact_lock(hashtext($1))",
        "INSERT INTO a (x, y) VALUES ($1, now()) ON CONFLICT (x) DO UPDATE SET y = $2",
        'INSERT INTO "a" ("x") VALUES ($1) RETURNING id',
        "UPDATE a SET x = (a.x - $1) WHERE id = $2 AND (x >= $1)",
        "INSERT INTO a (x) VALUES (clock_timestamp() + make_interval(secs => $1))",
        "DELETE FROM a WHERE id = $1",
        "COMMIT",
    ],
)
def test_a_plain_statement_is_not_opaque(text: str) -> None:
    assert not understand(text).opaque


def test_a_shape_is_the_same_for_other_values() -> None:
    shapes = {
        understand(text).shape
        for text in (
            "SELECT a FROM t WHERE id IN ($1, $2) AND name = $3",
            "select a from  t\nwhere id in ($1, $2, $3, $4) and name = $5;",
            "SELECT a FROM t WHERE id IN (1, 2, 3) AND name = 'it''s; ok' -- 7",
            "SELECT /* trace 00-1 */ a FROM t WHERE id IN ('x', 'y') AND name = E'it\\'s'",
            "SELECT a FROM t WHERE id IN ($1::INTEGER, $2::INTEGER) AND name = $$x$$",
        )
    }
    assert shapes == {"select a from t where id in (?, ...) and name = ?"}
    one = understand("INSERT INTO t (a, b) VALUES ($1, $2)")
    two = understand("INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4), ($5, $6)")
    assert one.shape == "insert into t (a, b) values (?, ...)"
    assert two.shape == "insert into t (a, b) values (?, ...), ..."


def test_names_with_digits_are_kept() -> None:
    assert understand("SELECT a1 FROM t2 AS t2_1").shape == "select a1 from t2 as t2_1"


@given(st.text(max_size=200))
def test_any_text_has_a_shape_that_is_its_own(text: str) -> None:
    shape = understand(text).shape
    assert understand(shape).shape == shape
