"""TCP ports of the loopback interface: which are free, and who answers on one."""

from __future__ import annotations

import asyncio
import errno
import random
import select
import socket

from checks.testbed.errors import MachineError

#: Below the range that outgoing connections take their ports from.
_PORTS = range(15_000, 32_000)
_POLL_SECONDS, _ANSWER_SECONDS = 0.02, 5.0
_CONNECTED_SECONDS = 0.2
_ANSWER_LIMIT = 4096


class Reservation:
    """A port that no other testbed of this machine is given until it is released.

    A service takes seconds to listen on the port chosen for it. Were another service given the same
    one meanwhile, each would be asked what the other answers. So a name in the abstract namespace
    of Unix sockets stands for each port in use: all harnesses of a machine see it, whoever runs
    them, and it goes with the process that holds it.
    """

    def __init__(self, port: int, name: socket.socket) -> None:
        self.port = port
        self._name = name

    def release(self) -> None:
        """Others may have it."""
        self._name.close()


def reserve_port() -> Reservation:
    """Reserve a port of 127.0.0.1 that nobody listens on just now; raises ``MachineError``."""
    for port in random.sample(_PORTS, 200):
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0assay/port/{port}")
        except OSError:
            name.close()
            continue
        if is_free(port):
            return Reservation(port, name)
        name.close()
    raise MachineError("No free TCP port was found at 127.0.0.1.")


def is_free(port: int) -> bool:
    """Whether it could be listened on just now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listens(port: int) -> bool:
    """Whether somebody does; on the loopback interface that is known almost at once."""
    with socket.socket() as probe:
        probe.setblocking(False)
        error = probe.connect_ex(("127.0.0.1", port))
        if error == errno.EINPROGRESS:
            # A busy kernel may still be at it: without an answer nobody is known to listen.
            if not select.select([], [probe], [], _CONNECTED_SECONDS)[1]:
                return False
            error = probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return error == 0


async def until_answering(port: int, path: str) -> None:
    """Return once a GET of the path is answered 2xx; without a path, once somebody listens."""
    while not await _answers(port, path):  # noqa: ASYNC110 - only asking tells
        await asyncio.sleep(_POLL_SECONDS)


async def _answers(port: int, path: str) -> bool:
    """Whether a GET of the path is answered 2xx; no more than the status line is believed."""
    if not listens(port):
        return False
    if not path:
        return True
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                host = f"127.0.0.1:{port}"
                request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode())
                head = b""
                while b"\n" not in head and len(head) < _ANSWER_LIMIT:
                    chunk = await reader.read(_ANSWER_LIMIT)
                    if not chunk:
                        break
                    head += chunk
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    words = head.split(b"\r\n", 1)[0].split(b" ")
    return len(words) > 1 and words[0].startswith(b"HTTP/1.") and words[1][:1] == b"2"
