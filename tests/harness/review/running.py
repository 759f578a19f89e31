"""``assay review`` running, as a person starts it, and HTTP to it, as a browser would send it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from checks.reviewed import Comment, Review, read_review
from tests.harness.commands import environment

ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/enter\?key=(\S+)")


@dataclass(frozen=True, slots=True)
class Running:
    """A server: its process, where it is, the secret to it, and what it has printed."""

    process: subprocess.Popen[str]
    folder: Path
    port: int
    key: str
    said: str

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def entrance(self) -> str:
        return f"{self.base}/enter?key={self.key}"

    @property
    def file(self) -> Path:
        return self.folder / "review.json"

    def kept(self) -> Review:
        """What is on the disk."""
        return read_review(self.file.read_bytes())

    def client(self, **headers: str | bytes) -> httpx.Client:
        """Somebody who has the key, unless these headers say otherwise."""
        given: dict[str, str | bytes] = {
            "Origin": self.base,
            "Cookie": f"assay-review-{self.port}={self.key}",
            **headers,
        }
        raw = {
            name.encode(): value.encode() if isinstance(value, str) else value
            for name, value in given.items()
        }
        return httpx.Client(base_url=self.base, headers=raw, timeout=30)

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Running]:
    """The command with a kit's folder, until the end of the block."""
    command = [sys.executable, "-m", "harness", "review", str(folder), "--no-browser", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if found := ADDRESS.search(line):
                    break
            else:
                raise AssertionError(f"it ended: {said}")
            yield Running(process, folder, int(found[1]), found[2], said)
        finally:
            process.send_signal(signal.SIGKILL)


def comment(id_: str = "c-1", **other: Any) -> dict[str, Any]:
    """A comment as JSON."""
    given = {
        "id": id_,
        "path": "payments/transfers.py",
        "first": 5,
        "last": 5,
        "severity": "high",
        "category": "races",
        "why": "two requests read one balance",
        **other,
    }
    return Comment.model_validate(given).model_dump(mode="json")


def change(now: dict[str, Any] | None, was: dict[str, Any] | None = None) -> dict[str, Any]:
    """A change of a comment, as a page sends it."""
    return {"was": was, "now": now}
