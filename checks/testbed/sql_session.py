"""One connection through the SQL proxy: bytes pass as they come, and are read alongside."""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from checks.testbed.frames import LENGTH, Frames, row_count, text
from checks.testbed.tally import Execution, Tally

#: A start-up packet is short; the server's own bound is 10,000 bytes.
_STARTUP_LIMIT = 10_000

_CANCEL, _SSL, _GSS = 80_877_102, 80_877_103, 80_877_104

#: Bytes that may wait in one direction before the other side is read no further.
_HIGH_WATER = 256 * 1024


class Upstream(Protocol):
    """The database server, as the proxy reaches it."""

    async def open(
        self, factory: Callable[[], asyncio.Protocol]
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect; raises ``OSError``."""
        ...


@dataclass(frozen=True, slots=True)
class _Pending:
    """An execution that has not been answered; ``limit`` is the most rows it asked for (0: all).

    ``None`` is a simple query, which is answered by several completions and ends with the session
    being ready.
    """

    execution: Execution
    limit: int | None


class Session(asyncio.Protocol):
    """A connection of the service, with the server's behind it; sees both directions."""

    def __init__(self, upstream: Upstream, tally: Tally, open_sessions: set[Session]) -> None:
        """It is one of ``open_sessions`` while it lasts."""
        self._upstream = upstream
        self._tally = tally
        self._open_sessions = open_sessions
        self._client: asyncio.Transport | None = None
        self._server: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._startup: bytearray | None = bytearray()
        self._early = bytearray()
        self._from_client = Frames(b"PBEQC")
        self._from_server = Frames(b"CIsEZ")
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
        self._open_sessions.add(self)
        self._number = self._tally.opened()

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
        self._open_sessions.discard(self)

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
            server, _ = await self._upstream.open(lambda: _Behind(self))
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
        (length,) = LENGTH.unpack_from(self._early)
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
        self._read(self._from_client, data, self._sent)

    def _read(self, frames: Frames, data: bytes, note: Callable[[int, bytes], None]) -> None:
        """Read alongside what has passed; bytes that are no frames end the session."""
        try:
            for kind, payload in frames.feed(data):
                note(kind, payload)
        except ValueError:
            self.end()

    def _sent(self, kind: int, payload: bytes) -> None:
        match kind:
            case 0x50:  # Parse
                name, _, rest = payload.partition(b"\0")
                self._prepared[name] = text(rest)
            case 0x42:  # Bind
                portal, _, rest = payload.partition(b"\0")
                self._portals[portal] = self._prepared.get(rest.partition(b"\0")[0], "")
            case 0x45:  # Execute
                portal, _, limit = payload.partition(b"\0")
                execution = self._tally.executed(self._number, self._portals.get(portal, ""))
                self._pending.append(_Pending(execution, int.from_bytes(limit[:4])))
            case 0x51:  # Query
                execution = self._tally.executed(self._number, text(payload))
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
        self._read(self._from_server, data, self._received)

    def _received(self, kind: int, payload: bytes) -> None:
        match kind:
            case 0x43 | 0x49 | 0x73 if self._pending:  # complete, empty query, portal suspended
                self._active = True
                first = self._pending[0]
                # A suspended portal has given exactly as many rows as it was asked for.
                suspended = first.limit or 0 if kind == 0x73 else 0
                rows = row_count(payload) if kind == 0x43 else suspended
                self._tally.completed(first.execution, rows)
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
                    self._tally.transaction_ended()
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
