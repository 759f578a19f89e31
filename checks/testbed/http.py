"""A small HTTP/1.1 server for simulators, on h11: able to answer, and to misbehave as scripted."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

import h11

from checks.testbed.errors import MachineError

#: Bytes of a request's body that are read; no request of a service's is longer.
_BODY_LIMIT = 256 * 1024

#: Ports that are tried until all addresses of a server have one in common.
_PORT_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Received:
    """A whole request; header names are in lower case, the path is without the query.

    ``address`` is the one that was connected to, ``server_name`` the one that TLS asked for.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""
    address: str = ""
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; ``body`` is JSON unless ``headers`` say another type.

    ``pace`` is how many seconds pass between two bytes of the body, and of the ``head`` if it is
    paced too.
    """

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    pace: float = 0.0
    head: bool = False


#: Gives the answer to a request, or ``None`` to cut the connection without one.
Handler = Callable[[Received], Awaitable[Answer | None]]


class HttpServer:
    """Listens on one free port of some loopback addresses, by TLS if asked; a task a connection."""

    def __init__(
        self,
        handler: Handler,
        addresses: tuple[str, ...] = ("127.0.0.1",),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._handler = handler
        self._addresses = addresses
        self._tls = tls
        self._names: WeakKeyDictionary[object, str | None] = WeakKeyDictionary()
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen; ``port`` is known from now on. Raises ``MachineError``."""
        if self._tls is not None:
            self._tls.sni_callback = self._note_name
        for _ in range(_PORT_ATTEMPTS):
            with suppress(OSError):
                await self._listen()
                return
            self._close()
        raise MachineError(f"No TCP port was found that is free at {self._addresses}.")

    async def _listen(self) -> None:
        self.port = 0
        for address in self._addresses:
            server = await asyncio.start_server(
                self._accepted, address, self.port, backlog=512, ssl=self._tls
            )
            self._servers.append(server)
            self.port = int(server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more, and cut what is open."""
        self._close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _close(self) -> None:
        while self._servers:
            self._servers.pop().close()

    def _note_name(self, connection: object, name: str | None, _: ssl.SSLContext) -> None:
        self._names[connection] = name

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str(writer.get_extra_info("sockname")[0])
        secured = writer.get_extra_info("ssl_object")
        name = None if secured is None else self._names.get(secured)

        async def handle(received: Received) -> Answer | None:
            return await self._handler(replace(received, address=address, server_name=name))

        serving = asyncio.ensure_future(_Connection(reader, writer, handle).serve())
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
                await self._send(_write(self._http, answer), answer)
                if self._http.our_state is h11.MUST_CLOSE:
                    return
                self._http.start_next_cycle()
        finally:
            if self._ahead is not None:
                self._ahead.cancel()

    async def _send(self, data: bytes, answer: Answer) -> None:
        """Send an answer, at its pace."""
        at_once = len(data)
        if answer.pace:
            at_once = 0 if answer.head else len(data) - len(answer.body.encode())
        self._writer.write(data[:at_once])
        await self._writer.drain()
        for place in range(at_once, len(data)):
            await asyncio.sleep(answer.pace)
            if self._writer.is_closing():
                raise ConnectionResetError("the client has left")
            self._writer.write(data[place : place + 1])
            await self._writer.drain()

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
