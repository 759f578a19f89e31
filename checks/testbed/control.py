"""The client side of the broker: how a check borrows a testbed and scripts what surrounds it.

JSON lines over the broker's Unix socket, one request a line, answered in any order. One client
belongs to one event loop; connecting costs well under a millisecond, so a check may have its own.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter

from checks.evidence import LogTail
from checks.testbed.errors import MachineError, SubmissionError, TestbedError, UsageError
from checks.testbed.lease import REPLICAS, Lease

#: Longest line of the protocol, in bytes; a journal or a log may be large.
LINE_LIMIT = 64 * 1024 * 1024

#: Which endpoint of the SQL proxy: a replica's number, from 0, or the worker's.
Replica = int | Literal["worker"]

_LOGS = TypeAdapter(tuple[LogTail, ...])


class SqlCount(BaseModel):
    """What has passed one endpoint of the SQL proxy since it was opened.

    ``statements`` are simple queries and executions, BEGIN and COMMIT among them; ``transactions``
    are those that ended, explicit or of a single statement, and ``seconds`` how long they took
    together; ``rows`` were returned or changed.
    """

    model_config = ConfigDict(frozen=True)

    statements: int
    transactions: int
    rows: int
    sessions: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.statements} statements, {self.rows} rows, {self.transactions} transactions that"
            f" took {self.seconds:.3f} s"
        )

    @classmethod
    def together(cls, counts: Sequence[SqlCount]) -> SqlCount:
        """What has passed several endpoints."""
        return cls(**{name: sum(getattr(one, name) for one in counts) for name in cls.model_fields})

    def since(self, before: SqlCount) -> SqlCount:
        """What has passed after an earlier count."""
        return SqlCount(
            **{name: now - getattr(before, name) for name, now in self.model_dump().items()}
        )


class SqlSession(BaseModel):
    """A session that is open at an endpoint of the SQL proxy.

    ``session`` is its number there, ``pid`` its backend's process, ``since`` when the transaction
    under way in it began, in seconds since the testbed began (``None`` where there is none).
    """

    model_config = ConfigDict(frozen=True)

    session: int
    pid: int
    since: float | None


class Ending(BaseModel):
    """A process of the submission that ended though nobody ended it.

    ``how`` goes on from its name: ``exited with status 3``.
    """

    model_config = ConfigDict(frozen=True)

    how: str
    log: LogTail


class Statement(BaseModel):
    """One execution seen by the SQL proxy; ``index`` counts up from 0 for each endpoint.

    ``at`` is in seconds since the testbed began, ``rows`` as in ``SqlCount`` (``None`` while it
    runs, or where it failed), ``session`` tells connections apart.
    """

    model_config = ConfigDict(frozen=True)

    index: int
    at: float
    session: int
    text: str
    rows: int | None


_STATEMENTS = TypeAdapter(tuple[Statement, ...])
_SESSIONS = TypeAdapter(tuple[SqlSession, ...])
_ENDINGS = TypeAdapter(tuple[Ending, ...])


class Control:
    """A connection to the broker; an asynchronous context manager.

    Leaving it ends the exclusive testbeds that it still holds. Methods raise ``SubmissionError``
    when the submission's service is at fault, ``UsageError`` and ``MachineError`` as those say, and
    ``TestbedError`` for a request that makes no sense (an unknown lease, say).
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._task = asyncio.create_task(self._listen())

    @classmethod
    async def connect(cls, socket: str | Path) -> Self:
        """Connect to the broker's socket (``Lease.control``, ``Broker.socket``)."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(socket), limit=LINE_LIMIT)
        except OSError as error:
            raise MachineError(f"The broker at {socket} cannot be reached: {error}.") from error
        return cls(reader, writer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up; the broker ends what this client still holds."""
        self._writer.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def lease(
        self,
        kind: Literal["shared", "exclusive"],
        *,
        worker: bool = True,
        settings: Mapping[str, str] | None = None,
        replicas: int = REPLICAS,
    ) -> Lease:
        """Borrow a testbed; waits until it is ready.

        ``settings`` override the service's environment (``{"PSP_MAX_ATTEMPTS": "1"}``); only an
        exclusive testbed takes them. ``worker`` runs the submission's worker beside the replicas.
        """
        given = {"worker": worker, "settings": dict(settings or {}), "replicas": replicas}
        return Lease.model_validate(await self.call("lease", kind=kind, **given))

    async def release(self, lease: Lease) -> None:
        """Give a testbed back: an exclusive one is ended, the shared one lives on."""
        await self.call("release", lease=lease.id)

    async def lift(self, lease: Lease) -> None:
        """Have every simulator of a testbed behave again; what one withheld is let go."""
        await self.call("lift", lease=lease.id)

    async def sql_count(self, lease: Lease, replica: Replica) -> SqlCount:
        """How much SQL has passed a replica's or the worker's endpoint, cumulative."""
        return SqlCount.model_validate(
            await self.call("sql.count", lease=lease.id, replica=replica)
        )

    async def sql_statements(
        self, lease: Lease, replica: Replica, *, since: int = 0
    ) -> tuple[Statement, ...]:
        """The statements themselves, from index ``since``; the oldest are dropped after 50,000."""
        return _STATEMENTS.validate_python(
            await self.call("sql.statements", lease=lease.id, replica=replica, since=since)
        )

    async def sql_sessions(self, lease: Lease, replica: Replica) -> tuple[SqlSession, ...]:
        """The sessions that a replica or the worker has open at this moment."""
        return _SESSIONS.validate_python(
            await self.call("sql.sessions", lease=lease.id, replica=replica)
        )

    async def replica_kill(self, lease: Lease, replica: int) -> None:
        """SIGKILL a replica's whole process tree; returns when it is gone."""
        await self.call("replica.kill", lease=lease.id, replica=replica)

    async def replica_start(self, lease: Lease, replica: int) -> None:
        """Start a killed replica again on its port; returns when it is ready."""
        await self.call("replica.start", lease=lease.id, replica=replica)

    async def worker_start(self, lease: Lease) -> None:
        """Start the worker, if it does not run."""
        await self.call("worker.start", lease=lease.id)

    async def worker_pause(self, lease: Lease) -> None:
        """SIGSTOP the worker's whole process tree."""
        await self.call("worker.pause", lease=lease.id)

    async def worker_resume(self, lease: Lease) -> None:
        """SIGCONT the worker's whole process tree."""
        await self.call("worker.resume", lease=lease.id)

    async def worker_stop(self, lease: Lease) -> None:
        """SIGKILL the worker's whole process tree; returns when it is gone."""
        await self.call("worker.stop", lease=lease.id)

    async def logs(self, lease: Lease) -> tuple[LogTail, ...]:
        """The end of what each process of the submission printed."""
        return _LOGS.validate_python(await self.call("logs", lease=lease.id))

    async def endings(self) -> tuple[Ending, ...]:
        """The processes of all testbeds that have ended of their own accord so far."""
        return _ENDINGS.validate_python(await self.call("endings"))

    async def call(self, method: str, **params: object) -> Any:
        """One request of the protocol, and its result."""
        if self._task.done():
            raise MachineError("The broker has gone away.")
        number = next(self._ids)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        line = json.dumps({"id": number, "method": method, "params": params})
        try:
            self._writer.write(line.encode() + b"\n")
            await self._writer.drain()
            return await answer
        except ConnectionError as error:
            raise MachineError("The broker has gone away.") from error
        finally:
            del self._waiting[number]

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                message = json.loads(line)
                waiting = self._waiting.get(message["id"])
                if waiting is None or waiting.done():
                    continue
                if "error" in message:
                    waiting.set_exception(_raised(message))
                else:
                    waiting.set_result(message["result"])
        except ConnectionError:
            pass
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(MachineError("The broker has gone away."))


def _raised(message: dict[str, Any]) -> TestbedError:
    sentence = str(message["error"])
    match message.get("kind"):
        case "submission":
            logs = _LOGS.validate_python(message.get("logs", ()))
            return SubmissionError(sentence, message.get("stage", "running"), logs)
        case "usage":
            return UsageError(sentence)
        case "machine":
            return MachineError(sentence)
        case _:
            return TestbedError(sentence)
