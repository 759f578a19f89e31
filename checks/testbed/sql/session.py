"""One connection through the SQL proxy: bytes pass as they come, and are read alongside."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Protocol, cast

from checks.testbed.sql.conversation import GOT, GOT_LOOKING, SENT, Conversation
from checks.testbed.sql.frames import LENGTH, Frames, WholeFrames
from checks.testbed.sql.gate import Gate, Queue
from checks.testbed.sql.tally import Tally

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


class Session(asyncio.Protocol):
    """A connection of the service, with the server's behind it; sees both directions.

    While no gate stands it is a byte pump. A gate takes effect at the end of the frame under way.
    """

    def __init__(self, upstream: Upstream, tally: Tally, open_sessions: set[Session]) -> None:
        """It is one of ``open_sessions`` while it lasts."""
        self._upstream = upstream
        self._open_sessions = open_sessions
        self._client: asyncio.Transport | None = None
        self._server: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._startup: bytearray | None = bytearray()
        self._early = bytearray()
        self._from_client = Frames(SENT)
        self._from_server = Frames(GOT)
        self._whole = WholeFrames()
        self._gate: Gate | None = None
        self._queue: Queue | None = None
        self._cancelling = False
        self._aside = False
        self._deaf = False
        self.conversation = Conversation(tally, 0)

    # --- the client's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The service has connected."""
        self._client = cast(asyncio.Transport, transport)
        self._client.set_write_buffer_limits(high=_HIGH_WATER)
        self._open_sessions.add(self)
        self.conversation.number = self.conversation.tally.opened()

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
        if self._queue is not None:
            self._queue.abandon()
        if self._gate is not None:
            self._gate.changed()

    def deafen(self) -> None:
        """Let the service hear nothing more of what the server answers."""
        self._deaf = True

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
            self._cancelling = code == _CANCEL
            self._client.pause_reading()
            self._connecting = asyncio.create_task(self._connect())
            return

    async def _connect(self) -> None:
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
        if self._cancelling:
            if self._gate is not None and len(self._early) >= 12:
                self._gate.cancelled(int.from_bytes(self._early[8:12]))
            server.write(bytes(self._early))
            return
        (length,) = LENGTH.unpack_from(self._early)
        server.write(bytes(self._early[:length]))
        after = bytes(self._early[length:])
        self._early.clear()
        if after:
            self._forward(after)
        self._client.resume_reading()

    # --- the gate ---

    @property
    def quiet(self) -> bool:
        """Whether it is idle, in no transaction, and nothing is on its way or kept back.

        One that was set aside counts as quiet, whatever it does.
        """
        kept = self._queue is not None and not self._queue.empty
        return (self._cancelling or self._aside) or (
            self.conversation.idle
            and not kept
            and self._from_client.between
            and not self._whole.rest
        )

    def set_aside(self) -> None:
        """Wait for it no more, until the gate is taken down."""
        self._aside = True

    def put_up(self, gate: Gate) -> None:
        """Let what the client executes wait at a gate from now on."""
        self._gate = gate
        self._from_server.wanted = GOT_LOOKING

    def take_down(self) -> None:
        """Be a byte pump again; nothing may be held."""
        if self._queue is not None:
            self._queue.drain()
        self._gate = self._queue = None
        self._aside = False
        self._from_server.wanted = GOT
        rest = bytes(self._whole.rest)
        self._whole.rest.clear()
        if rest:
            self._forward(rest)

    def _forward(self, data: bytes) -> None:
        if self._server is None:
            return
        if self._gate is not None and self._queue is None and self._from_client.between:
            self._queue = Queue(self._gate, self.conversation, self._pass_on)
        if self._queue is None:
            self._server.write(data)
            self._read(self._from_client, data, self.conversation.sent)
            return
        try:
            for frame in self._whole.feed(data):
                self._queue.admit(frame)
        except ValueError:
            self.end()
            return
        if self._client is not None and self._queue.size > _HIGH_WATER:
            self._client.pause_reading()

    def _pass_on(self, data: bytes) -> None:
        """Send what the gate has let through, and hear the client again if it was kept waiting."""
        if self._server is not None and not self._server.is_closing():
            self._server.write(data)
        if self._client is not None and self._queue is not None and self._queue.size <= _HIGH_WATER:
            self._client.resume_reading()

    def _read(self, frames: Frames, data: bytes, note: Callable[[int, bytes], object]) -> None:
        """Read alongside what has passed; bytes that are no frames end the session."""
        try:
            for kind, payload in frames.feed(data):
                note(kind, payload)
        except ValueError:
            self.end()

    # --- the server's side ---

    def answered(self, data: bytes) -> None:
        """Bytes from the server."""
        if self._client is None:
            return
        if not self._deaf:
            self._client.write(data)
        self._read(self._from_server, data, self.conversation.received)
        if self._queue is not None:
            self._queue.answered()
        elif self._gate is not None:
            self._gate.changed()

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
