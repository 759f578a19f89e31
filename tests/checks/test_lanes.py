"""The course of two requests, told so that a reader sees what went wrong."""

from __future__ import annotations

from checks.lanes import brief, record, with_values
from checks.probes import Recorder
from checks.testbed.driving.schedule import Interleaving, Place, Schedule, Step
from checks.testbed.sql.statement import understand

READ = "SELECT id, balance FROM accounts WHERE id = $1"
WRITE = "UPDATE accounts SET balance = balance - $1::BIGINT WHERE id = $2::VARCHAR"


def statement(thread: int, at: float, text: str, *given: str, came: str, **more: object) -> Step:
    shape = understand(text).shape
    return Step.model_validate(
        {
            "at": at,
            "thread": thread,
            "kind": "statement",
            "place": Place(thread=thread, shape=shape),
            "point": True,
            "text": text,
            "given": given,
            "came": came,
            "ended": at + 0.001,
            **more,
        }
    )


def told(*steps: Step) -> list[tuple[str, str, str | None]]:
    recorder = Recorder("concurrency/x")
    record(Interleaving(schedule=Schedule(), steps=steps, driven=True), recorder.attempts[0])
    return [(one.lane, one.what, one.sql) for one in recorder.attempts[0].finished().schedule]


def found(thread: int, at: float, balance: str) -> Step:
    columns = {"columns": ("id", "balance"), "rows": (("acc_1", balance),)}
    return statement(thread, at, READ, "acc_1", came="SELECT 1", **columns)


def paid(thread: int, at: float, amount: str = "60", account: str = "acc_1") -> Step:
    return statement(thread, at, WRITE, amount, account, came="UPDATE 1")


def test_a_lost_check_is_pointed_at() -> None:
    lines = told(found(0, 5.0, "100"), found(1, 5.1, "100"), paid(1, 5.2), paid(0, 5.3))
    assert lines == [
        (
            "request 1",
            "finds balance = 100, id = acc_1",
            "SELECT id, balance FROM accounts WHERE id = 'acc_1'",
        ),
        (
            "request 2",
            "finds balance = 100, id = acc_1",
            "SELECT id, balance FROM accounts WHERE id = 'acc_1'",
        ),
        (
            "request 2",
            "changes 1 row",
            "UPDATE accounts SET balance = balance - 60 WHERE id = 'acc_1'",
        ),
        (
            "request 1",
            "changes 1 row; it decided by what the other has changed since",
            "UPDATE accounts SET balance = balance - 60 WHERE id = 'acc_1'",
        ),
    ]


def test_the_moment_is_marked() -> None:
    recorder = Recorder("concurrency/x")
    steps = (found(0, 5.0, "100"), paid(1, 5.1), paid(0, 5.2))
    record(Interleaving(schedule=Schedule(), steps=steps, driven=True), recorder.attempts[0])
    marked = [one.moment for one in recorder.attempts[0].finished().schedule]
    assert marked == [False, False, True]


def test_a_look_after_the_others_write_is_not_stale() -> None:
    lines = told(found(1, 5.0, "100"), paid(1, 5.1), found(0, 5.2, "40"), paid(0, 5.3))
    assert not any("decided by" in what for _, what, _ in lines)


def test_another_row_of_the_same_table_is_not_stale() -> None:
    lines = told(found(0, 5.0, "100"), paid(1, 5.1, account="acc_2"), paid(0, 5.2))
    assert not any("decided by" in what for _, what, _ in lines)


def test_what_is_no_statement_is_told_in_words() -> None:
    def step(kind: str, **more: object) -> Step:
        return Step.model_validate({"at": 1.0, "thread": 1, "kind": kind, **more})

    call = "POST /v1/refunds"
    lines = told(
        step("turn"),
        step("waits"),
        step("idles"),
        step("call", text=call, place=Place(thread=1, shape="psp POST /refunds")),
        step("call", text=call, place=Place(thread=1, shape="psp POST /refunds reply"), came="201"),
        step("call", text=call, place=Place(thread=1, shape="psp POST /refunds reply")),
        step("answered", came="409 in_progress"),
        step("answered"),
    )
    assert [what for _, what, _ in lines] == [
        "goes on, while the other is held",
        "waits for the other's lock",
        "waits for something inside itself",
        "asks POST /v1/refunds",
        "is answered 201 by POST /v1/refunds",
        "gets no answer from POST /v1/refunds",
        "answered 409 in_progress",
        "gets no answer",
    ]


def test_ends_of_statements_are_told() -> None:
    cases = {
        "INSERT 0 2": "adds 2 rows",
        "DELETE 1": "removes 1 row",
        "COMMIT": "commits",
        "ROLLBACK": "rolls back",
        "40001 could not serialize access": "fails: could not serialize access (40001)",
    }
    lines = told(*(statement(0, at, "X", came=came) for at, came in enumerate(cases)))
    assert [what for _, what, _ in lines] == list(cases.values())
    assert told(statement(0, 1, READ, "acc_1", came="SELECT 0", columns=("id",)))[0][1] == (
        "finds nothing"
    )
    assert told(statement(0, 1, READ, "acc_1", came="", ended=None))[0][1] == "sent"


def test_parameters_are_put_in_their_places_and_no_further() -> None:
    step = statement(
        0,
        0.0,
        "UPDATE t SET a = $1::VARCHAR WHERE b = $2::TIMESTAMP WITH TIME ZONE AND c = $3 OR d = $10",
        "it's",
        "2026-01-01",
        "7",
        came="UPDATE 1",
    )
    assert with_values(step) == (
        "UPDATE t SET a = 'it's' WHERE b = '2026-01-01' AND c = 7 OR d = $10"
    )


def test_shapes_in_brief() -> None:
    assert brief(understand("INSERT INTO entries (a, b) VALUES ($1, $2)").shape) == (
        "insert into entries"
    )
    assert brief(understand(READ).shape) == "select from accounts"
    assert brief("commit") == "commit"
