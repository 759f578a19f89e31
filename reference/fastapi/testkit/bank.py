"""A tiny bank over real HTTP, that does as a test says."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from testkit import server


@dataclass
class FakeBank:
    """Books, a journal, and the faults that a test sets; ``reset`` between tests.

    ``fault`` holds until it is lifted: ``500``, ``429`` and ``422`` do nothing, ``drop`` does it
    and does not say so, ``nonsense`` does it and babbles. ``answers`` is what becomes of a new
    payment, ``changed`` overwrites members of every reply, ``hidden`` hides from look-ups.
    """

    url: str = ""
    fault: str | None = None
    answers: str = "accepted"
    changed: dict[str, object] = field(default_factory=dict)
    hidden: bool = False
    journal: list[tuple[str, str]] = field(default_factory=list)
    books: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        """Lift every fault and forget the journal; the books stay."""
        self.fault, self.answers, self.changed, self.hidden = None, "accepted", {}, False
        self.journal = []

    def asked(self, payout: str) -> list[str]:
        """The methods by which it was asked about a payout."""
        return [method for method, key in self.journal if key == payout]

    def perform(self, key: str, body: dict[str, Any]) -> dict[str, Any]:
        """Take a payment, or tell of it again."""
        with self.lock:
            if key not in self.books:
                reason = None if self.answers in ("accepted", "paid") else "closed_account"
                number = f"bnk_{len(self.books)}"
                self.books[key] = {**body, "id": number, "status": self.answers, "reason": reason}
            return self.books[key] | self.changed

    def become(self, key: str, status: str, reason: str | None = None) -> dict[str, Any]:
        """Change a payment; what a notice says of it."""
        self.books[key] |= {"status": status, "reason": reason}
        return {"id": f"ntc_{key}_{status}", "payment": dict(self.books[key])}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bank: FakeBank

    def do_POST(self) -> None:
        """A payment to be made."""
        bank, key = self.bank, self.headers["Idempotency-Key"]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        bank.journal.append(("POST", key))
        if bank.fault in ("500", "429", "422"):
            self._send(int(bank.fault), b'{"error": "not_now"}')
        else:
            self._tell(201, bank.perform(key, body))

    def do_GET(self) -> None:
        """A look-up."""
        bank, key = self.bank, self.path.rpartition("/")[2]
        bank.journal.append(("GET", key))
        if bank.fault in ("500", "429"):
            self._send(int(bank.fault), b"{}")
        elif key not in bank.books or bank.hidden:
            self._send(404, b'{"error": "not_found"}')
        else:
            self._tell(200, bank.books[key] | bank.changed)

    def _tell(self, status: int, payment: dict[str, Any]) -> None:
        if self.bank.fault == "drop":
            self.close_connection = True
            self.connection.close()
        else:
            babbles = self.bank.fault == "nonsense"
            self._send(status, b"<html>" if babbles else json.dumps(payment).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve() -> Iterator[FakeBank]:
    """Serve a bank until the block ends."""
    bank = FakeBank()
    with server.serving(type("Handler", (_Handler,), {"bank": bank})) as bank.url:
        yield bank
        bank.reset()
