"""The SQL proxy: TCP in front, the database server behind, transparent between, and it counts.

One ``Endpoint`` stands before each replica, so that what a replica sends is told apart without its
help. Bytes go through as they come; what passes is read alongside, by the frames of PostgreSQL's
protocol 3 (documentation, chapter "Frontend/Backend Protocol").
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

from checks.testbed.control import SqlCount, Statement

#: Statements whose text an endpoint remembers.
REMEMBERED = 50_000

#: Bytes of a statement's text that are kept.
_TEXT_LIMIT = 16_384

#: The longest frame PostgreSQL itself accepts is 1 GiB; anything longer is no frame.
_FRAME_LIMIT = 1 << 30

#: A start-up packet is short; the server's own bound is 10,000 bytes.
_STARTUP_LIMIT = 10_000

_CANCEL, _SSL, _GSS = 80_877_102, 80_877_103, 80_877_104

#: Bytes that may wait in one direction before the other side is read no further.
_HIGH_WATER = 256 * 1024

_LENGTH = struct.Struct("!I")


class Upstream(Protocol):
    """The database server, as the proxy reaches it."""

    async def open(
        self, factory: Callable[[], asyncio.Protocol]
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect; raises ``OSError``."""
        ...


@dataclass(slots=True)
class _Execution:
    """One execution, while it is remembered; ``rows`` is ``None`` until it has completed."""

    index: int
    at: float
    session: int
    text: str
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class _Pending:
    """An execution that has not been answered; ``limit`` is the most rows it asked for (0: all).

    ``None`` is a simple query, which is answered by several completions and ends with the session
    being ready.
    """

    execution: _Execution
    limit: int | None


@dataclass(slots=True)
class _Frames:
    """Cuts one direction's bytes into frames; of those not ``wanted`` only the length is read.

    ``feed`` gives ``(type, payload)`` of the wanted frames, the payload cut at the text limit.
    Raises ``ValueError`` at bytes that cannot be a frame.
    """

    wanted: bytes
    _rest: bytearray = field(default_factory=bytearray)
    _skip: int = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        if self._skip:
            passed = min(self._skip, len(data))
            self._skip -= passed
            data = data[passed:]
        if self._rest:
            self._rest += data
            data = bytes(self._rest)
            self._rest.clear()
        at, end = 0, len(data)
        while end - at >= 5:
            kind = data[at]
            (length,) = _LENGTH.unpack_from(data, at + 1)
            if not 4 <= length <= _FRAME_LIMIT:
                raise ValueError(f"a frame of {length} bytes")
            stop = at + 1 + length
            if kind not in self.wanted:
                if stop > end:
                    self._skip = stop - end
                    return found
            else:
                kept = min(stop, at + 5 + _TEXT_LIMIT)
                if kept > end:
                    break
                found.append((kind, data[at + 5 : kept]))
                if stop > end:
                    self._skip = stop - end
                    return found
            at = stop
        self._rest += data[at:]
        return found


class Endpoint:
    """One port of the proxy, and what has passed it; an asynchronous context manager.

    ``began`` is the loop's time that a statement's ``at`` counts from.
    """

    def __init__(self, upstream: Upstream, began: float) -> None:
        self._upstream = upstream
        self._began = began
        self._server: asyncio.Server | None = None
        self._sessions: set[Session] = set()
        self._executions: deque[_Execution] = deque(maxlen=REMEMBERED)
        self._statements = self._transactions = self._rows = self._opened = 0
        self.port = 0

    async def __aenter__(self) -> Endpoint:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Session(self), "127.0.0.1", 0, backlog=512)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for session in tuple(self._sessions):
            session.end()

    @property
    def count(self) -> SqlCount:
        """What has passed so far."""
        return SqlCount(
            statements=self._statements,
            transactions=self._transactions,
            rows=self._rows,
            sessions=self._opened,
        )

    def statements(self, since: int = 0) -> tuple[Statement, ...]:
        """The remembered executions from an index on."""
        return tuple(
            Statement(index=e.index, at=e.at, session=e.session, text=e.text, rows=e.rows)
            for e in self._executions
            if e.index >= since
        )

    @property
    def upstream(self) -> Upstream:
        """The server behind."""
        return self._upstream

    def opened(self, session: Session) -> int:
        """A session began; gives its number."""
        self._sessions.add(session)
        self._opened += 1
        return self._opened

    def closed(self, session: Session) -> None:
        """A session ended."""
        self._sessions.discard(session)

    def executed(self, session: int, text: str) -> _Execution:
        """A statement was sent to be executed."""
        at = asyncio.get_running_loop().time() - self._began
        execution = _Execution(self._statements, at, session, text)
        self._statements += 1
        self._executions.append(execution)
        return execution

    def completed(self, execution: _Execution, rows: int) -> None:
        """An execution, or one statement of several, has completed."""
        execution.rows = (execution.rows or 0) + rows
        self._rows += rows

    def transaction_ended(self) -> None:
        """A transaction has ended, explicit or of a single statement."""
        self._transactions += 1


class Session(asyncio.Protocol):
    """A connection of the service, with the server's behind it; sees both directions."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._client: asyncio.Transport | None = None
        self._server: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._startup: bytearray | None = bytearray()
        self._early = bytearray()
        self._from_client = _Frames(b"PBEQC")
        self._from_server = _Frames(b"CIsEZ")
        self._prepared: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}
        self._pending: deque[_Pending] = deque()
        self._active = False
        self._number = 0

    # --- the client's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The service has connected."""
        self._client = cast(asyncio.Transport, transport)
        self._client.set_write_buffer_limits(high=_HIGH_WATER)
        self._number = self._endpoint.opened(self)

    def data_received(self, data: bytes) -> None:
        """Bytes from the service."""
        if self._startup is None:
            self._forward(data)
            return
        self._startup += data
        try:
            self._begin()
        except ValueError:
            self.end()

    def eof_received(self) -> bool:
        """The service sends no more; PostgreSQL has no half-open sessions, so that ends it."""
        return False

    def connection_lost(self, _: Exception | None) -> None:
        """The service has gone; so goes its session."""
        self._client = None
        self.end()

    def pause_writing(self) -> None:
        """The service reads too slowly: read no more from the server."""
        if self._server is not None:
            self._server.pause_reading()

    def resume_writing(self) -> None:
        """The service has caught up."""
        if self._server is not None:
            self._server.resume_reading()

    def end(self) -> None:
        """Close both sides."""
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        for side in (self._client, self._server):
            if side is not None and not side.is_closing():
                side.close()
        self._endpoint.closed(self)

    def _begin(self) -> None:
        """Answer requests for encryption, forward a cancel request, or open the session."""
        if self._startup is None or self._client is None:
            return
        while len(self._startup) >= 8:
            length, code = struct.unpack_from("!II", self._startup)
            if not 8 <= length <= _STARTUP_LIMIT:
                raise ValueError("no start-up packet")
            if len(self._startup) < length:
                return
            if code in (_SSL, _GSS):
                del self._startup[:length]
                self._client.write(b"N")
                continue
            self._early += self._startup
            self._startup = None
            self._client.pause_reading()
            self._connecting = asyncio.create_task(self._connect(cancel=code == _CANCEL))
            return

    async def _connect(self, *, cancel: bool) -> None:
        try:
            server, _ = await self._endpoint.upstream.open(lambda: _Behind(self))
        except OSError:
            self.end()
            return
        server.set_write_buffer_limits(high=_HIGH_WATER)
        if self._client is None or self._client.is_closing():
            server.close()
            return
        self._server = server
        if cancel:
            server.write(bytes(self._early))
            return
        (length,) = _LENGTH.unpack_from(self._early)
        server.write(bytes(self._early[:length]))
        after = bytes(self._early[length:])
        self._early.clear()
        if after:
            self._forward(after)
        self._client.resume_reading()

    def _forward(self, data: bytes) -> None:
        if self._server is None:
            return
        self._server.write(data)
        try:
            for kind, payload in self._from_client.feed(data):
                self._sent(kind, payload)
        except ValueError:
            self.end()

    def _sent(self, kind: int, payload: bytes) -> None:
        match kind:
            case 0x50:  # Parse
                name, _, rest = payload.partition(b"\0")
                self._prepared[name] = _text(rest)
            case 0x42:  # Bind
                portal, _, rest = payload.partition(b"\0")
                self._portals[portal] = self._prepared.get(rest.partition(b"\0")[0], "")
            case 0x45:  # Execute
                portal, _, limit = payload.partition(b"\0")
                execution = self._endpoint.executed(self._number, self._portals.get(portal, ""))
                self._pending.append(_Pending(execution, int.from_bytes(limit[:4])))
            case 0x51:  # Query
                execution = self._endpoint.executed(self._number, _text(payload))
                self._pending.append(_Pending(execution, None))
            case _:  # Close
                names = self._prepared if payload[:1] == b"S" else self._portals
                names.pop(payload[1:].partition(b"\0")[0], None)

    # --- the server's side ---

    def answered(self, data: bytes) -> None:
        """Bytes from the server."""
        if self._client is None:
            return
        self._client.write(data)
        try:
            for kind, payload in self._from_server.feed(data):
                self._received(kind, payload)
        except ValueError:
            self.end()

    def _received(self, kind: int, payload: bytes) -> None:
        match kind:
            case 0x43 | 0x49 | 0x73 if self._pending:  # complete, empty query, portal suspended
                self._active = True
                first = self._pending[0]
                # A suspended portal has given exactly as many rows as it was asked for.
                suspended = first.limit or 0 if kind == 0x73 else 0
                rows = _rows(payload) if kind == 0x43 else suspended
                self._endpoint.completed(first.execution, rows)
                if first.limit is not None:
                    self._pending.popleft()
            case 0x45:  # error: what was sent before the next Sync will not be executed
                self._active = True
                self._pending.clear()
            case 0x5A:  # ready for query
                if self._pending and self._pending[0].limit is None:
                    self._pending.popleft()
                if self._active and payload == b"I":
                    self._active = False
                    self._endpoint.transaction_ended()
            case _:
                pass

    def hold_back(self, held: bool) -> None:
        """The server reads too slowly, or has caught up."""
        if self._client is not None:
            (self._client.pause_reading if held else self._client.resume_reading)()


class _Behind(asyncio.Protocol):
    """The server's side of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def data_received(self, data: bytes) -> None:
        self._session.answered(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._session.end()

    def pause_writing(self) -> None:
        self._session.hold_back(True)

    def resume_writing(self) -> None:
        self._session.hold_back(False)


def _text(payload: bytes) -> str:
    return payload.partition(b"\0")[0].decode(errors="replace")


def _rows(tag: bytes) -> int:
    """The number that a CommandComplete's tag ends with: ``INSERT 0 5``, ``SELECT 3``."""
    last = tag.rstrip(b"\0").rpartition(b" ")[2]
    return int(last) if last.isdigit() else 0
