"""The page on a port of this machine, and a browser that shows it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import PurePath

import uvicorn
from starlette.types import ASGIApp

from harness.errors import UsageError

#: Where the page is, unless that is taken: a browser keeps what it could not save by its address.
USUAL = 8137

#: Seconds that an answer may go on when the command is told to end.
PATIENCE = 2

#: Browsers that would take the terminal over, and could not show the page.
_TEXT_BROWSERS = frozenset({"links", "elinks", "lynx", "w3m", "www-browser"})


def listening(port: int | None) -> socket.socket:
    """A socket on this machine's own address; raises ``UsageError`` where a port is taken.

    Without a port it is the usual one, or else any that is free.
    """
    for wanted in (port,) if port is not None else (USUAL, 0):
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(("127.0.0.1", wanted))
            found.listen(64)
        except OSError as failure:
            found.close()
            if port is not None:
                taken = failure.errno == errno.EADDRINUSE
                why = "is taken" if taken else f"cannot be had: {(failure.strerror or '').lower()}"
                raise UsageError(
                    f"Port {port} {why}; name another with --port, or none for any."
                ) from failure
        else:
            return found
    raise UsageError("No port of 127.0.0.1 is free.")


def browser() -> Callable[[str], object]:
    """What opens an address in a browser; raises ``UsageError`` where there is none."""
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        found = None
    name = PurePath(getattr(found, "name", "")).name
    if found is None or name in _TEXT_BROWSERS:
        raise UsageError(
            "There is no browser here: say --no-browser, and open the address that is printed."
        )
    return found.open


def in_background(task: Callable[[], object]) -> None:
    """Does something beside the page that may take long, and is not waited for at the end."""
    threading.Thread(target=task, daemon=True).start()


class _Server(uvicorn.Server):
    """uvicorn, but the command itself hears the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: ASGIApp, where: socket.socket, tell: Callable[[], None]) -> None:
    """Answers until it is cancelled, and then ends what it has begun.

    ``tell`` is called once it can be told to end.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=PATIENCE,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[where]))
    tell()
    try:
        await asyncio.shield(task)
    finally:
        server.should_exit = True
        await task
