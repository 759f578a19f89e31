"""A tiny card processor over real HTTP, that does as a test says."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

from testkit import server
from testkit.settlements import TYPES as MOVING
from testkit.settlements import Row

TYPES = {"/v1/captures": "capture", "/v1/voids": "void", "/v1/refunds": "refund"}


@dataclass
class FakePsp:
    """Books, a journal, and the faults that a test sets; ``reset`` between tests.

    ``faults`` are used up one a POST, ``fault`` holds until it is lifted: ``500`` and ``429`` do
    nothing; ``503``, ``drop`` and ``hang`` do it and do not say so, ``nonsense`` does and babbles.
    ``changed`` overwrites members of every reply, ``declines`` declines, ``hidden`` hides
    operations from look-ups. ``files`` are the settlement files of the days that are closed, and
    ``asked_for`` the days whose files were asked for.
    """

    url: str = ""
    faults: list[str] = field(default_factory=list)
    fault: str | None = None
    changed: dict[str, object] = field(default_factory=dict)
    declines: bool = False
    hidden: bool = False
    journal: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    books: dict[str, dict[str, Any]] = field(default_factory=dict)
    done_at: dict[str, datetime] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    asked_for: list[str] = field(default_factory=list)
    traces: list[str | None] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    released: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """Lift every fault and forget the journal; the books stay."""
        self.faults, self.fault, self.changed = [], None, {}
        self.declines = self.hidden = False
        self.journal, self.traces = [], []
        self.files, self.asked_for = {}, []
        self.released.set()
        self.released = threading.Event()

    def keys(self) -> set[str]:
        """The keys that were posted."""
        return {key for _, key, _ in self.journal}

    def done(self, kind: str) -> list[dict[str, Any]]:
        """The operations of a kind that were done since the reset, each once."""
        asked = self.keys()
        return [o for key, o in self.books.items() if key in asked and o["type"] == kind]

    def rows(self) -> list[Row]:
        """The rows of what was moved since the reset, in order."""
        moved = [o for key, o in self.books.items() if key in self.keys() and o["type"] in MOVING]
        return [
            Row.of(o, self.done_at[o["reference"]]) for o in moved if o["status"] == "succeeded"
        ]

    def perform(self, path: str, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Do an operation, or tell of it again."""
        with self.lock:
            if key not in self.books:
                first = "sale" if body.get("capture") else "authorisation"
                number = len(self.books)
                self.done_at[body["reference"]] = datetime.now(UTC)
                self.books[key] = {
                    "id": f"op_{number}",
                    "type": TYPES.get(path, first),
                    "authorisation": body.get("authorisation") or f"auth_{number}",
                    "status": "declined" if self.declines else "succeeded",
                    "amount": body["amount"],
                    "currency": body["currency"],
                    "reference": body["reference"],
                    "reason": "do_not_honour" if self.declines else None,
                }
            return 201, self.books[key] | self.changed


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    psp: FakePsp

    def do_POST(self) -> None:
        """An operation."""
        psp, key = self.psp, self.headers["Idempotency-Key"]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        psp.journal.append((self.path, key, body))
        psp.traces.append(self.headers["traceparent"])
        fault = psp.faults.pop(0) if psp.faults else psp.fault
        if fault == "500":
            self._reply(500, {})
        elif fault == "429":
            self._reply(429, {"error": "busy"}, retry_after="0")
        elif fault == "422":
            self._reply(422, {"error": "unknown_token"})
        else:
            self._misbehave(fault, *psp.perform(self.path, key, body))

    def do_GET(self) -> None:
        """A look-up, or a settlement file."""
        psp = self.psp
        if self.path.startswith("/v1/settlements/"):
            self._settlement(self.path.rpartition("/")[2])
            return
        found = psp.books.get(self.path.rpartition("/")[2])
        if psp.fault == "500":
            self._reply(500, {})
        elif found is None or psp.hidden:
            self._reply(404, {"error": "not_found"})
        else:
            self._misbehave(psp.fault, 200, found | psp.changed)

    def _settlement(self, day: str) -> None:
        psp = self.psp
        psp.asked_for.append(day)
        if psp.fault == "500":
            self._reply(500, {})
        elif psp.fault in ("drop", "hang"):
            self._misbehave(psp.fault, 200, {})
        elif day not in psp.files:
            self._reply(404, {"error": "not_closed"})
        else:
            self._send(200, psp.files[day].encode())

    def _misbehave(self, fault: str | None, status: int, answer: dict[str, Any]) -> None:
        if fault == "drop":
            self.close_connection = True
            self.connection.close()
        elif fault == "hang":
            self.psp.released.wait(30)
            self.close_connection = True
        elif fault == "503":
            self._reply(503, {})
        elif fault == "nonsense":
            self._send(status, b"<html>")
        else:
            self._reply(status, answer)

    def _reply(self, status: int, answer: dict[str, Any], retry_after: str | None = None) -> None:
        self._send(status, json.dumps(answer).encode(), retry_after)

    def _send(self, status: int, body: bytes, retry_after: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve() -> Iterator[FakePsp]:
    """Serve a card processor until the block ends."""
    psp = FakePsp()
    with server.serving(type("Handler", (_Handler,), {"psp": psp})) as psp.url:
        yield psp
        psp.reset()
