"""A small HTTP/1.1 server for simulators, on h11: able to answer, and to misbehave as scripted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import h11

#: Bytes of a request's body that are read; no request of a service's is longer.
_BODY_LIMIT = 256 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """A whole request; header names are in lower case, the path is without the query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; ``body`` is JSON unless ``headers`` say another type."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


#: Gives the answer to a request, or ``None`` to cut the connection without one.
Handler = Callable[[Received], Awaitable[Answer | None]]


class HttpServer:
    """Listens on a free port of 127.0.0.1, one task a connection."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen; ``port`` is known from now on."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, backlog=512)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more, and cut what is open."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.ensure_future(_Connection(reader, writer, self._handler).serve())
        self._tasks.add(serving)
        try:
            await serving
        except (ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(serving)
            writer.transport.abort()


class _Connection:
    """One client's connection: requests one after another, each answered or cut."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handler = handler
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=64 * 1024)
        self._ahead: asyncio.Task[bytes] | None = None

    async def serve(self) -> None:
        """Until the client leaves, asks nonsense, or a request gets no answer."""
        try:
            while (received := await self._receive()) is not None:
                answer = await self._answer(received)
                if answer is None:
                    return
                self._writer.write(_write(self._http, answer))
                await self._writer.drain()
                if self._http.our_state is h11.MUST_CLOSE:
                    return
                self._http.start_next_cycle()
        finally:
            if self._ahead is not None:
                self._ahead.cancel()

    async def _answer(self, received: Received) -> Answer | None:
        """The handler's answer; ``None`` too if the client hangs up before there is one."""
        handling = asyncio.ensure_future(self._handler(received))
        try:
            while not handling.done():
                ahead = self._read_ahead()
                await asyncio.wait({handling, ahead}, return_when=asyncio.FIRST_COMPLETED)
                if ahead.done() and not handling.done() and not await self._take():
                    return None
            return handling.result()
        finally:
            handling.cancel()

    async def _receive(self) -> Received | None:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                await self._take()
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data) and len(body) <= _BODY_LIMIT:
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return _received(head, bytes(body))
            else:
                return None

    def _read_ahead(self) -> asyncio.Task[bytes]:
        if self._ahead is None:
            self._ahead = asyncio.create_task(self._reader.read(65536))
        return self._ahead

    async def _take(self) -> bool:
        """Hand on what the client sent; whether it may send more."""
        data = await self._read_ahead()
        self._ahead = None
        self._http.receive_data(data)
        return bool(data)


def _received(head: h11.Request, body: bytes) -> Received:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    path, _, query = head.target.decode("latin-1").partition("?")
    return Received(head.method.decode("latin-1"), path, headers, body, query)


def _write(connection: h11.Connection, answer: Answer) -> bytes:
    body = answer.body.encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    head = h11.Response(
        status_code=answer.status, headers=list((headers | dict(answer.headers)).items())
    )
    parts = (head, h11.Data(data=body), h11.EndOfMessage())
    return b"".join(connection.send(part) or b"" for part in parts)
