"""What the threads of a run did, step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from checks.testbed.calls import REPLY
from checks.testbed.driving.schedule import Place, Step
from checks.testbed.driving.threads import Thread
from checks.testbed.sql import values
from checks.testbed.sql.statement import Statement
from checks.testbed.sql.tally import Execution


def recorded(threads: Sequence[Thread], notes: Sequence[Step], began: float) -> tuple[Step, ...]:
    """All steps of a run by time; ``began`` is the loop's time that theirs count from."""
    steps = [*notes]
    for thread in threads:
        steps += _statements(thread)
        steps += _calls(thread, began)
    return _in_order(steps)


def _in_order(steps: Sequence[Step]) -> tuple[Step, ...]:
    """By time, without the moments in which an answer was on its way to us.

    The loop's time stands still while it runs what is ready: a cut comes after what it cuts off.
    """
    ordered = sorted(steps, key=lambda one: (one.at, one.kind == "cut"))
    following = {
        id(one): next((other for other in ordered[at + 1 :] if other.thread == one.thread), None)
        for at, one in enumerate(ordered)
        if one.kind == "idles"
    }
    return tuple(
        one
        for one in ordered
        if (after := following.get(id(one))) is None or after.kind != "answered"
    )


def _statements(thread: Thread) -> Iterator[Step]:
    seen: Counter[str] = Counter()
    for passed in thread.gates.sql.passed:
        shape, execution = passed.statement.shape, passed.execution
        found = execution.values
        # Places count what was stopped, so that a schedule finds them again.
        seen[shape] += passed.stopped
        yield Step(
            at=execution.at,
            thread=thread.number,
            kind="statement",
            place=Place(thread=thread.number, shape=shape, occurrence=max(seen[shape], 1)),
            point=passed.stopped,
            commits=_commits(passed.statement, execution),
            text=execution.text,
            given=values.given(found) if found else (),
            columns=values.columns(found) if found else (),
            rows=values.rows(found) if found else (),
            came=values.came(found) if found else "",
            session=execution.session,
            ended=execution.ended,
        )


def _commits(statement: Statement, execution: Execution) -> bool:
    """Whether what was done is lasting with it: by a COMMIT, or because it stood for itself."""
    if not execution.last or execution.values is None:
        return False
    if statement.ends:
        return execution.values.tag.startswith(b"COMMIT")
    return bool(statement.writes) or statement.opaque


def _calls(thread: Thread, began: float) -> Iterator[Step]:
    """Two steps a call: when the party did it, and when it said so."""
    seen: Counter[str] = Counter()
    for gate in thread.gates.calls:
        for call in gate.passed:
            for shape, at, came in (
                (call.shape, call.done, ""),
                (call.shape + REPLY, call.ended, call.said),
            ):
                if at is None:
                    continue
                seen[shape] += 1
                yield Step(
                    at=at - began,
                    thread=thread.number,
                    kind="call",
                    place=Place(thread=thread.number, shape=shape, occurrence=seen[shape]),
                    point=True,
                    text=call.text,
                    came=came,
                    ended=at - began,
                )
