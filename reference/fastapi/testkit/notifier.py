"""A tiny sender of messages over real HTTP, that keeps what it was given to send."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from testkit import server


@dataclass
class FakeNotifier:
    """The messages taken, and the status that a test has it answer with."""

    url: str = ""
    status: int = 202
    messages: list[dict[str, Any]] = field(default_factory=list)

    def reset(self) -> None:
        """Take messages again."""
        self.status, self.messages = 202, []

    def code(self, payout: str) -> str:
        """The newest code for a payout, as its reader sees it."""
        codes: list[str] = [m["code"] for m in self.messages if m["payout"] == payout]
        return codes[-1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    notifier: FakeNotifier

    def do_POST(self) -> None:
        """A message."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.notifier.status == 202:
            self.notifier.messages.append(json.loads(body))
        self.send_response(self.notifier.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve() -> Iterator[FakeNotifier]:
    """Serve a notifier until the block ends."""
    notifier = FakeNotifier()
    with server.serving(type("Handler", (_Handler,), {"notifier": notifier})) as notifier.url:
        yield notifier
        notifier.reset()
