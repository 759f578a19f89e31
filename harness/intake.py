"""What may be taken in: the limits and names that every file of a submission is held against."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from exercises.tree import is_leaving
from harness.errors import UsageError

CHUNK = 1 << 16
#: How much of an offending name an error message shows.
SHOWN = 120


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a submission may hold: sizes in bytes, ``ratio`` unpacked over packed."""

    archive: int = 64 << 20
    total: int = 64 << 20
    file: int = 16 << 20
    files: int = 5_000
    entries: int = 50_000
    path: int = 400
    depth: int = 30
    ratio: int = 200
    #: Below this size a high ratio is no bomb: a file of blank lines packs a thousandfold.
    ratio_from: int = 4 << 20


@dataclass(slots=True)
class Intake:
    """One reading of a submission, with the running totals that its limits are held against."""

    source: Path
    limits: Limits
    tree: dict[str, bytes] = field(default_factory=dict)
    total: int = 0
    entries: int = 0

    def admit(self, path: str) -> bool:
        """Whether a path is to be taken; refuses one that no honest submission has."""
        self.entries += 1
        if self.entries > self.limits.entries:
            raise UsageError(f"{self.source} holds more than {self.limits.entries} entries.")
        try:
            path.encode()
        except UnicodeEncodeError:
            raise self.refused(path, "has a name in an unknown encoding: use UTF-8") from None
        parts = path.removeprefix("./").split("/")
        if path.startswith("/") or ".." in parts or (len(path) > 1 and path[1] == ":"):
            raise self.refused(path, "has a name that leads outside")
        if "\\" in path or not path.isprintable():
            raise self.refused(path, "has a character in its name that none may have")
        if len(path) > self.limits.path or len(parts) > self.limits.depth:
            raise self.refused(path, "has too long a name")
        return path not in ("", ".") and not any(is_leaving(part) for part in parts)

    def keep(self, path: str, content: IO[bytes]) -> None:
        """Take a file; refuses one that is too large, or clashes with another."""
        path = "/".join(part for part in path.split("/") if part not in ("", "."))
        if path in self.tree:
            raise self.refused(path, "is there twice")
        if len(self.tree) >= self.limits.files:
            raise UsageError(f"{self.source} holds more than {self.limits.files} files.")
        data = bytearray()
        while chunk := content.read(CHUNK):
            data += chunk
            self.total += len(chunk)
            if len(data) > self.limits.file:
                raise self.refused(path, f"is larger than {self.limits.file >> 20} MiB")
            if self.total > self.limits.total:
                raise UsageError(
                    f"{self.source} unpacks to more than {self.limits.total >> 20} MiB."
                )
        parent = path
        while "/" in parent:
            parent = parent.rpartition("/")[0]
            if parent in self.tree:
                raise self.refused(parent, "is both a file and a folder")
        self.tree[path] = bytes(data)

    def watch_ratio(self, packed: int) -> None:
        """Refuses what unpacks to far more than so many packed bytes."""
        if self.total > max(self.limits.ratio_from, packed * self.limits.ratio):
            raise UsageError(
                f"{self.source} unpacks to more than {self.limits.ratio} times its size."
            )

    def refused(self, path: str, why: str) -> UsageError:
        """The error for one file of it."""
        shown = path.encode(errors="replace").decode()
        shown = shown if len(shown) <= SHOWN else shown[: SHOWN - 3] + "..."
        return UsageError(f"{self.source}: {shown!r} {why}.")

    def damaged(self) -> UsageError:
        """The error for an archive that is none."""
        return UsageError(f"{self.source} is damaged: it cannot be unpacked.")
