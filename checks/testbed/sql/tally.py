"""What has passed one endpoint of the SQL proxy: counted, and the last of it remembered."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from checks.testbed.control import SqlCount, Statement

#: Statements whose text an endpoint remembers.
REMEMBERED = 50_000

#: Rows of an answer that are kept while somebody looks at values.
ROWS_SEEN = 20


@dataclass(slots=True)
class Values:
    """What a statement was given and what came of it, as the protocol carries it.

    ``bound`` is the Bind frame's payload, ``parameters`` and ``columns`` those of the descriptions,
    ``rows`` the first data rows, ``tag`` and ``error`` how it ended.
    """

    bound: bytes = b""
    parameters: bytes = b""
    columns: bytes = b""
    rows: list[bytes] = field(default_factory=list)
    tag: bytes = b""
    error: bytes = b""


@dataclass(slots=True)
class Execution:
    """One execution, while it is remembered; ``rows`` is ``None`` until it has completed.

    ``ended`` is when it last got an answer, counted as ``at`` is; ``None`` before. ``last`` says
    that a transaction ended with it, and not in an error.
    """

    index: int
    at: float
    session: int
    text: str
    rows: int | None = None
    ended: float | None = None
    last: bool = False
    values: Values | None = None


class Tally:
    """The count; ``began`` is the loop's time that a statement's ``at`` counts from.

    While ``looking``, executions keep their values too.
    """

    def __init__(self, began: float) -> None:
        self._began = began
        self._executions: deque[Execution] = deque(maxlen=REMEMBERED)
        self._statements = self._transactions = self._rows = self._opened = 0
        self._seconds = 0.0
        self.looking = False

    @property
    def count(self) -> SqlCount:
        """What has passed so far."""
        return SqlCount(
            statements=self._statements,
            transactions=self._transactions,
            rows=self._rows,
            sessions=self._opened,
            seconds=self._seconds,
        )

    def statements(self, since: int = 0) -> tuple[Statement, ...]:
        """The remembered executions from an index on."""
        return tuple(
            Statement(index=e.index, at=e.at, session=e.session, text=e.text, rows=e.rows)
            for e in self._executions
            if e.index >= since
        )

    def opened(self) -> int:
        """A session began; gives its number."""
        self._opened += 1
        return self._opened

    def executed(self, session: int, text: str) -> Execution:
        """A statement was sent to be executed."""
        values = Values() if self.looking else None
        execution = Execution(self._statements, self.now, session, text, values=values)
        self._statements += 1
        self._executions.append(execution)
        return execution

    def completed(self, execution: Execution, rows: int) -> None:
        """An execution, or one statement of several, has completed."""
        execution.rows = (execution.rows or 0) + rows
        execution.ended = self.now
        self._rows += rows

    def failed(self, execution: Execution) -> None:
        """An execution ended with an error."""
        execution.ended = self.now

    def transaction_ended(self, began: float | None) -> None:
        """A transaction has ended, explicit or of a single statement, and when it had begun."""
        self._transactions += 1
        self._seconds += self.now - began if began is not None else 0.0

    @property
    def now(self) -> float:
        """Seconds since the time that ``at`` counts from."""
        return asyncio.get_running_loop().time() - self._began
