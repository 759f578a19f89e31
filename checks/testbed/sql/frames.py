"""Frames of PostgreSQL's protocol 3 (documentation, chapter "Frontend/Backend Protocol")."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

#: Bytes of a statement's text that are kept.
TEXT_LIMIT = 16_384

#: The longest frame PostgreSQL itself accepts is 1 GiB; anything longer is no frame.
_FRAME_LIMIT = 1 << 30

#: A frame's length, in network order.
LENGTH = struct.Struct("!I")


class Sent(IntEnum):
    """Types of frames that a client sends, as far as they are read."""

    PARSE = ord("P")
    BIND = ord("B")
    DESCRIBE = ord("D")
    EXECUTE = ord("E")
    QUERY = ord("Q")
    CALL = ord("F")
    CLOSE = ord("C")
    SYNC = ord("S")
    COPY_DONE = ord("c")
    COPY_FAILED = ord("f")


class Got(IntEnum):
    """Types of frames that a server sends, as far as they are read."""

    KEY = ord("K")
    PARAMETERS = ord("t")
    COLUMNS = ord("T")
    NO_COLUMNS = ord("n")
    ROW = ord("D")
    COMPLETE = ord("C")
    EMPTY = ord("I")
    SUSPENDED = ord("s")
    ERROR = ord("E")
    COPY_IN = ord("G")
    READY = ord("Z")


@dataclass(slots=True)
class Frames:
    """Cuts one direction's bytes into frames; of those not ``wanted`` only the length is read.

    ``feed`` gives ``(type, payload)`` of the wanted frames, the payload cut at the text limit.
    Raises ``ValueError`` at bytes that cannot be a frame.
    """

    wanted: bytes
    _rest: bytearray = field(default_factory=bytearray)
    _skip: int = 0

    @property
    def between(self) -> bool:
        """Whether the last byte was the end of a frame."""
        return not self._rest and not self._skip

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that are whole with these bytes."""
        found: list[tuple[int, bytes]] = []
        if self._skip:
            passed = min(self._skip, len(data))
            self._skip -= passed
            data = data[passed:]
        if self._rest:
            self._rest += data
            data = bytes(self._rest)
            self._rest.clear()
        at, end = 0, len(data)
        while end - at >= 5:
            kind = data[at]
            (length,) = LENGTH.unpack_from(data, at + 1)
            if not 4 <= length <= _FRAME_LIMIT:
                raise ValueError(f"a frame of {length} bytes")
            stop = at + 1 + length
            if kind not in self.wanted:
                if stop > end:
                    self._skip = stop - end
                    return found
            else:
                kept = min(stop, at + 5 + TEXT_LIMIT)
                if kept > end:
                    break
                found.append((kind, data[at + 5 : kept]))
                if stop > end:
                    self._skip = stop - end
                    return found
            at = stop
        self._rest += data[at:]
        return found


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame, as it goes over the wire."""

    kind: int
    raw: bytes

    @property
    def payload(self) -> bytes:
        """What follows type and length, cut at the text limit."""
        return self.raw[5 : 5 + TEXT_LIMIT]


@dataclass(slots=True)
class WholeFrames:
    """Cuts one direction's bytes into whole frames, all of them.

    ``rest`` is the beginning of one that is not whole yet. Raises ``ValueError`` at bytes that
    cannot be a frame.
    """

    rest: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole with these bytes."""
        self.rest += data
        while len(self.rest) >= 5:
            (length,) = LENGTH.unpack_from(self.rest, 1)
            if not 4 <= length <= _FRAME_LIMIT:
                raise ValueError(f"a frame of {length} bytes")
            if len(self.rest) <= length:
                return
            raw = bytes(self.rest[: 1 + length])
            del self.rest[: 1 + length]
            yield Frame(raw[0], raw)


def text(payload: bytes) -> str:
    """A string of the protocol, up to its NUL."""
    return payload.partition(b"\0")[0].decode(errors="replace")


def row_count(tag: bytes) -> int:
    """The number that a CommandComplete's tag ends with: ``INSERT 0 5``, ``SELECT 3``."""
    last = tag.rstrip(b"\0").rpartition(b" ")[2]
    return int(last) if last.isdigit() else 0
