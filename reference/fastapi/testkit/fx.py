"""A tiny FX provider over real HTTP, that tells the rates that a test sets."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from testkit import server


@dataclass
class FakeFx:
    """One rate for every pair, and how it is told; ``reset`` between tests.

    ``age`` is in seconds. ``changed`` overwrites members of the reply, ``status`` goes before it,
    ``body`` is sent in its stead; ``hangs`` keeps every reply until the reset.
    """

    url: str = ""
    rate: str = "1.25"
    age: float = 0.0
    changed: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    body: bytes | None = None
    hangs: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """Tell the truth again."""
        self.rate, self.age, self.changed = "1.25", 0.0, {}
        self.status, self.body, self.hangs = 200, None, False
        self.asked = []
        self.released.set()
        self.released = threading.Event()

    def reply(self, base: str, quote: str) -> bytes:
        """What is told of a pair."""
        as_of = datetime.now(UTC) - timedelta(seconds=self.age)
        told = {"base": base, "quote": quote, "rate": self.rate, "as_of": as_of.isoformat()}
        return json.dumps(told | self.changed).encode() if self.body is None else self.body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fx: FakeFx

    def do_GET(self) -> None:
        """A rate."""
        fx, asked = self.fx, parse_qs(urlsplit(self.path).query)
        base, quote = asked["base"][0], asked["quote"][0]
        fx.asked.append((base, quote))
        if fx.hangs:
            fx.released.wait(30)
            self.close_connection = True
            return
        body = fx.reply(base, quote)
        self.send_response(fx.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve() -> Iterator[FakeFx]:
    """Serve an FX provider until the block ends."""
    fx = FakeFx()
    with server.serving(type("Handler", (_Handler,), {"fx": fx})) as fx.url:
        yield fx
        fx.reset()
