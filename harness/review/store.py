"""``review.json`` on the disk: read, held against other writers, and replaced as a whole.

Each state has a revision, the digest of the file, so that a page can say on which one a save is
based, whoever wrote it and whatever was restarted in between.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Self

from checks.reviewed import Review, ReviewError, read_review
from exercises.kit import Kit
from harness.errors import UsageError
from harness.review.merging import Merged, Save, merge
from harness.review.request import REVIEW

#: Bytes of a review beyond which it is neither read nor written.
LARGEST = 64_000_000

#: The revision of a review that has not been written yet.
NONE = "none"


@dataclass(frozen=True, slots=True)
class State:
    """A review and its revision."""

    review: Review
    revision: str


class Store:
    """The review of a kit; any thread may use it."""

    def __init__(self, folder: Path, kit: Kit) -> None:
        self._path = folder / REVIEW
        self._kit = kit
        self._turn = Lock()
        self._known: tuple[os.stat_result, State] | None = None

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, kit: Kit) -> Iterator[Self]:
        """The store, while nobody else has it; raises ``UsageError`` where somebody has."""
        held = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"Another 'assay review' has {folder} open: use its page, or end it first."
            ) from None
        else:
            yield cls(folder, kit)
        finally:
            os.close(held)

    def state(self) -> State:
        """The review as the file has it now; raises ``ReviewError``."""
        with self._turn:
            return self._read()

    def save(self, save: Save) -> tuple[State, State, Merged]:
        """Puts a page's changes into the file: what it had, what it has, and how they went in.

        Raises ``ReviewError`` where it cannot be read, and then leaves it as it is;
        ``TooMuchError`` where the changes do not fit; ``OSError`` where it cannot be written.
        """
        with self._turn:
            before = self._read()
            merged = merge(before.review, save)
            if merged.review == before.review:
                return before, before, merged
            return before, self._write(merged.review), merged

    def write(self, review: Review) -> None:
        """Replaces the review that was read; raises ``OSError``."""
        with self._turn:
            self._write(review)

    def set_aside(self) -> Path | None:
        """Moves the file to a name that is free, and says which; ``None`` if there is no file."""
        if not os.path.lexists(self._path):
            return None
        number = 1
        while os.path.lexists(aside := self._path.with_name(f"{REVIEW}.{number}")):
            number += 1
        self._path.rename(aside)
        self._known = None
        return aside

    def _read(self) -> State:
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            empty = Review(exercise=self._kit.exercise, seed=self._kit.seed)
            return State(empty, NONE)
        if self._known is not None and _same(self._known[0], found):
            return self._known[1]
        if not stat.S_ISREG(found.st_mode):
            raise ReviewError("The review cannot be read: it is no plain file.")
        if found.st_size > LARGEST:
            raise ReviewError("The review cannot be read: it is too large.")
        try:
            data = self._path.read_bytes()
        except OSError as failure:
            raise ReviewError(f"The review cannot be read: {failure.strerror}.") from failure
        state = State(read_review(data), _revision(data))
        self._require_own(state.review)
        self._known = (found, state)
        return state

    def _require_own(self, review: Review) -> None:
        kit = self._kit
        if (review.exercise, review.seed) != (kit.exercise, kit.seed):
            raise ReviewError(
                f"The review is of another exercise: {review.exercise!r} of seed {review.seed},"
                f" and this kit is {kit.exercise!r} of seed {kit.seed}."
            )

    def _write(self, review: Review) -> State:
        """Writes it beside the old one, to the disk, and only then in its place."""
        data = f"{review.to_json()}\n".encode()
        if len(data) > LARGEST:
            raise OSError(0, "the review is too large")
        beside = self._path.with_name(f".{REVIEW}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with open(os.open(beside, flags, 0o666), "wb") as file:  # noqa: PTH123 - of a descriptor
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        held = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(held)
        finally:
            os.close(held)
        state = State(review, _revision(data))
        self._known = (self._path.lstat(), state)
        return state


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_ino, one.st_mtime_ns, one.st_size) == (
        other.st_ino,
        other.st_mtime_ns,
        other.st_size,
    )


def _revision(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
