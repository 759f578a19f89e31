"""Values of the protocol as text for people: what a statement was given, and what it found.

Formats are those of the documentation's chapter "Message Formats"; of the binary ones those of the
types that a payment service keeps (``src/backend/utils/adt``, the ``*send`` functions).
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from checks.testbed.sql.frames import text
from checks.testbed.sql.tally import Values

#: Characters of a value that are kept.
_LONGEST = 120
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def given(values: Values) -> tuple[str, ...]:
    """The parameters that were bound."""
    raw = values.bound
    try:
        formats, at = _int16s(raw, 0)
        oids = struct.unpack_from(
            f"!{max(len(values.parameters) - 2, 0) // 4}I", values.parameters, 2
        )
        (count,) = struct.unpack_from("!H", raw, at)
        found, _ = _fields(raw, at + 2, count)
    except struct.error:
        return ()
    return tuple(
        _shown(one, oids[place] if place < len(oids) else 0, _format(formats, place))
        for place, one in enumerate(found)
    )


def columns(values: Values) -> tuple[str, ...]:
    """The names of the columns that were found."""
    return tuple(name for name, _, _ in _described(values.columns))


def rows(values: Values) -> tuple[tuple[str, ...], ...]:
    """The first rows that were found."""
    described = _described(values.columns)
    asked = _result_formats(values.bound)
    oids = [oid for _, oid, _ in described]
    formats = asked or tuple(code for _, _, code in described)
    shown = []
    for raw in values.rows:
        try:
            found, _ = _fields(raw, 2, int.from_bytes(raw[:2]))
        except struct.error:
            continue
        shown.append(
            tuple(
                _shown(one, oids[place] if place < len(oids) else 0, _format(formats, place))
                for place, one in enumerate(found)
            )
        )
    return tuple(shown)


def came(values: Values) -> str:
    """How it ended: the tag, or the error's code and message."""
    if values.error:
        fields = {part[:1]: part[1:] for part in values.error.split(b"\0") if part}
        said = fields.get(b"M", b"").decode(errors="replace")
        return f"{fields.get(b'C', b'').decode(errors='replace')} {said}".strip()[:_LONGEST]
    return text(values.tag)


def _described(payload: bytes) -> list[tuple[str, int, int]]:
    """Name, type and format of each column of a RowDescription."""
    found = []
    at = 2
    for _ in range(int.from_bytes(payload[:2])):
        name, _, rest = payload[at:].partition(b"\0")
        if len(rest) < 18:
            break
        (oid,) = struct.unpack_from("!I", rest, 6)
        (code,) = struct.unpack_from("!H", rest, 16)
        found.append((name.decode(errors="replace"), oid, code))
        at += len(name) + 1 + 18
    return found


def _result_formats(bound: bytes) -> tuple[int, ...]:
    """The formats that a Bind asks its results in; none where there was no Bind."""
    if not bound:
        return ()
    try:
        _, at = _int16s(bound, 0)
        (count,) = struct.unpack_from("!H", bound, at)
        _, at = _fields(bound, at + 2, count)
        formats, _ = _int16s(bound, at)
    except struct.error:
        return ()
    return formats or (0,)


def _int16s(raw: bytes, at: int) -> tuple[tuple[int, ...], int]:
    (count,) = struct.unpack_from("!H", raw, at)
    return struct.unpack_from(f"!{count}H", raw, at + 2), at + 2 + 2 * count


def _fields(raw: bytes, at: int, count: int) -> tuple[list[bytes | None], int]:
    found: list[bytes | None] = []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", raw, at)
        at += 4
        found.append(None if length < 0 else raw[at : at + length])
        at += max(length, 0)
    return found, at


def _format(formats: tuple[int, ...], place: int) -> int:
    if len(formats) == 1:
        return formats[0]
    return formats[place] if place < len(formats) else 0


def _shown(raw: bytes | None, oid: int, code: int) -> str:
    if raw is None:
        return "NULL"
    read = _BINARY.get(oid) if code else None
    try:
        if read is not None:
            return read(raw)[:_LONGEST]
        shown = raw.decode()
    except (UnicodeDecodeError, ValueError, OverflowError, struct.error):
        return "0x" + raw[: _LONGEST // 2].hex()
    return (
        shown[:_LONGEST] if shown.isprintable() or not code else "0x" + raw[: _LONGEST // 2].hex()
    )


def _integer(raw: bytes) -> str:
    return str(int.from_bytes(raw, signed=True))


def _numeric(raw: bytes) -> str:
    """Base 10,000 digits with a weight, a sign and the digits shown after the point."""
    count, weight, sign, scale = struct.unpack_from("!HhHH", raw)
    if sign not in (0, 0x4000):
        return "NaN" if sign == 0xC000 else "infinity"
    digits = struct.unpack_from(f"!{count}H", raw, 8)
    number = sum(
        (Decimal(digit) * Decimal(10000) ** (weight - place) for place, digit in enumerate(digits)),
        Decimal(0),
    )
    return f"{-number if sign else number:.{scale}f}"


def _timestamp(raw: bytes) -> str:
    return (_EPOCH + timedelta(microseconds=int.from_bytes(raw, signed=True))).isoformat(" ")


def _date(raw: bytes) -> str:
    return str(date(2000, 1, 1) + timedelta(days=int.from_bytes(raw, signed=True)))


_BINARY: dict[int, Callable[[bytes], str]] = {
    16: lambda raw: "true" if raw != b"\0" else "false",
    20: _integer, 21: _integer, 23: _integer, 26: _integer,
    700: lambda raw: str(struct.unpack("!f", raw)[0]),
    701: lambda raw: str(struct.unpack("!d", raw)[0]),
    1082: _date, 1114: lambda raw: _timestamp(raw)[:-6], 1184: _timestamp,
    1700: _numeric,
    2950: lambda raw: str(uuid.UUID(bytes=raw)),
    3802: lambda raw: raw[1:].decode(),
}  # fmt: skip
