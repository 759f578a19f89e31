"""Lends testbeds to checks in other processes, over a Unix socket in a private folder.

JSON lines: ``{"id": n, "method": "..", "params": {..}}`` is answered by ``{"id": n, "result": ..}``
or ``{"id": n, "error": "sentence"}``; ``control.Control`` is the other side. There is one shared
testbed, started when first asked for; exclusive ones are ended when they are given back or their
borrower hangs up.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import TypeAdapter, ValidationError

from checks.testbed import scripting
from checks.testbed.control import LINE_LIMIT, Ending, Replica, Statement
from checks.testbed.driving.schedule import Place, Schedule
from checks.testbed.errors import MachineError, SubmissionError, TestbedError, UsageError
from checks.testbed.lease import REPLICAS
from checks.testbed.lending import Pool, Wanted
from checks.testbed.testbed import Submission, Testbed

_STATEMENTS = TypeAdapter(tuple[Statement, ...])
_ENDINGS = TypeAdapter(tuple[Ending, ...])
_SHARED = "shared"


@dataclass(slots=True)
class _Borrower:
    """One connection: the exclusive testbeds that it holds, and the requests under way."""

    leases: set[str] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Broker:
    """The lender of one submission's testbeds; made by ``Broker.open``. ``socket`` is its path."""

    def __init__(self, pool: Pool, socket: Path) -> None:
        self.socket = socket
        self._pool = pool
        self._lent: dict[str, Testbed] = {}
        self._numbers = itertools.count(1)
        self._connections: set[asyncio.StreamWriter] = set()
        self._hanging_up: set[asyncio.Task[None]] = set()
        self._methods: dict[str, Callable[..., Awaitable[Any]]] = {
            **scripting.METHODS,
            "sql.count": self._count,
            "sql.statements": self._statements,
            "sql.sessions": self._sessions,
            "drive.begin": self._begin,
            "drive.answered": self._answered,
            "drive.run": self._drive,
            "drive.abandon": self._abandon,
            "pin.begin": self._pin,
            "pin.reached": lambda testbed, replica: testbed.stage.pinned(replica),
            "pin.waiters": self._waiters,
            "pin.resting": lambda testbed, pinned, replica: testbed.stage.resting(pinned, replica),
            "pin.release": self._unpin,
            "replica.kill": lambda testbed, replica: testbed.replica(replica).kill(),
            "replica.start": lambda testbed, replica: testbed.replica(replica).start(),
            "worker.start": lambda testbed: testbed.worker.start(),
            "worker.pause": lambda testbed: testbed.worker.pause(),
            "worker.resume": lambda testbed: testbed.worker.resume(),
            "worker.stop": lambda testbed: testbed.worker.stop(),
            "logs": self._logs,
        }

    @classmethod
    @asynccontextmanager
    async def open(cls, submission: Submission) -> AsyncIterator[Self]:
        """Listen on a socket of its own; all that was lent is ended with the block."""
        socket = submission.host.private / f"{secrets.token_hex(4)}.sock"
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(Pool.open(submission))
            broker = cls(pool, socket)
            server = await asyncio.start_unix_server(
                broker._connected, path=str(socket), limit=LINE_LIMIT
            )
            socket.chmod(0o600)
            try:
                yield broker
            finally:
                server.close()
                for connection in tuple(broker._connections):
                    connection.close()
                await asyncio.gather(*broker._hanging_up)
                socket.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        borrower = _Borrower()
        try:
            while line := await reader.readline():
                request = json.loads(line)
                answering = asyncio.create_task(self._answer(request, borrower, writer))
                borrower.tasks.add(answering)
                answering.add_done_callback(borrower.tasks.discard)
        except (OSError, ValueError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()
            ending = asyncio.create_task(self._hang_up(borrower))
            self._hanging_up.add(ending)
            ending.add_done_callback(self._hanging_up.discard)

    async def _hang_up(self, borrower: _Borrower) -> None:
        await _cancel(borrower.tasks)
        await asyncio.gather(*(self._end(name) for name in tuple(borrower.leases)))

    async def _answer(
        self, request: Mapping[str, Any], borrower: _Borrower, writer: asyncio.StreamWriter
    ) -> None:
        try:
            result = await self._perform(request["method"], dict(request["params"]), borrower)
            message: dict[str, Any] = {"id": request["id"], "result": result}
        except Exception as error:
            message = {"id": request["id"], **_told(error)}
        try:
            writer.write(json.dumps(message).encode() + b"\n")
            await writer.drain()
        except OSError:
            return

    async def _perform(self, method: str, params: dict[str, Any], borrower: _Borrower) -> Any:
        if method == "lease":
            return await self._lease(borrower, **params)
        if method == "endings":
            return list(_ENDINGS.dump_python(self._pool.endings()))
        if method == "release":
            return await self._release(borrower, **params)
        handler = self._methods.get(method)
        if handler is None:
            raise TestbedError(f"The broker knows no method {method!r}.")
        name = str(params.pop("lease", ""))
        testbed = self._lent.get(name)
        if testbed is None:
            raise TestbedError(f"There is no lease {name!r}, or it was given back.")
        return await handler(testbed, **params)

    async def _lease(
        self,
        borrower: _Borrower,
        kind: Literal["shared", "exclusive"],
        worker: bool = True,
        settings: Mapping[str, str] | None = None,
        replicas: int = REPLICAS,
    ) -> dict[str, Any]:
        if kind == "shared":
            if settings or replicas != REPLICAS:
                raise TestbedError("Only an exclusive testbed takes settings of its own.")
            name, testbed = _SHARED, await self._pool.shared()
        else:
            name = f"exclusive-{next(self._numbers)}"
            wanted = Wanted(worker, dict(settings or {}), replicas)
            testbed = await self._pool.take(name, wanted)
            borrower.leases.add(name)
        self._lent[name] = testbed
        return testbed.lease(name, kind, str(self.socket)).model_dump(mode="json")

    async def _release(self, borrower: _Borrower, lease: str) -> None:
        if lease in borrower.leases:
            borrower.leases.discard(lease)
            await self._end(lease)

    async def _end(self, name: str) -> None:
        self._lent.pop(name, None)
        await self._pool.give_back(name)

    async def _count(self, testbed: Testbed, replica: Replica) -> dict[str, Any]:
        return testbed.endpoint(replica).count.model_dump()

    async def _statements(
        self, testbed: Testbed, replica: Replica, since: int = 0
    ) -> list[dict[str, Any]]:
        return list(_STATEMENTS.dump_python(testbed.endpoint(replica).statements(since)))

    async def _sessions(self, testbed: Testbed, replica: Replica) -> list[dict[str, Any]]:
        return [session.model_dump() for session in testbed.endpoint(replica).sessions]

    async def _begin(
        self, testbed: Testbed, schedule: dict[str, Any], replicas: Sequence[int]
    ) -> None:
        await testbed.stage.begin(Schedule.model_validate(schedule), replicas)

    async def _answered(self, testbed: Testbed, thread: int, said: str) -> None:
        await testbed.stage.answered(thread, said)

    async def _drive(self, testbed: Testbed) -> dict[str, Any]:
        return (await testbed.stage.drive()).model_dump()

    async def _abandon(self, testbed: Testbed) -> None:
        await testbed.stage.abandon()

    async def _pin(self, testbed: Testbed, replica: Replica, place: dict[str, Any]) -> None:
        await testbed.stage.pin(replica, Place.model_validate(place))

    async def _waiters(self, testbed: Testbed, replica: Replica) -> list[dict[str, Any]]:
        return [waiter.model_dump() for waiter in await testbed.stage.waiters(replica)]

    async def _unpin(self, testbed: Testbed, replica: Replica) -> dict[str, str]:
        return {"broken": testbed.stage.unpin(replica)}

    async def _logs(self, testbed: Testbed) -> list[dict[str, Any]]:
        return [tail.model_dump() for tail in await testbed.logs()]


def _told(error: Exception) -> dict[str, Any]:
    """An error as the protocol carries it: the sentence, and whose doing it is."""
    if isinstance(error, SubmissionError):
        logs = [tail.model_dump() for tail in error.logs]
        return {"error": str(error), "kind": "submission", "stage": error.stage, "logs": logs}
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return {"error": f"The request makes no sense: {where}: {first['msg']}."}
    if isinstance(error, TypeError):
        return {"error": f"The request makes no sense: {error}."}
    if not isinstance(error, TestbedError):
        return {"error": f"The broker failed: {error!r}", "kind": "machine"}
    kind = {UsageError: "usage", MachineError: "machine"}.get(type(error), "request")
    return {"error": str(error), "kind": kind}


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    ending = tuple(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
