"""The PSP's daily settlement file, and what may be believed of it (contract 9.12 to 9.15)."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Self

from payments.kit.money import EXPONENTS, minor_units
from payments.kit.outbound import UnansweredError
from payments.psp.client import PspClient

HEADER = ["operation", "type", "reference", "amount", "currency", "at"]
MAX_BYTES = 32 * 1024 * 1024
SECONDS = 10.0
"""For the whole file."""

MAX_MOVEMENT = 10**18
MAX_TOTAL = 9 * 10**18

_WORD = re.compile(r"[\x21-\x7e]{1,200}")
_COUNT = re.compile(r"0|[1-9][0-9]{0,8}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")


class MovementType(StrEnum):
    """Which way money went: a capture (a sale is one, too) or a refund."""

    CAPTURE = "capture"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Movement:
    """One row of a file; ``line`` counts from 1, ``amount`` is in minor units.

    ``operation`` is the PSP's id, ``reference`` ours.
    """

    line: int
    operation: str
    type: MovementType
    reference: str
    amount: int
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Total:
    """What a file says of all its movements of a type in a currency."""

    type: MovementType
    currency: str
    count: int
    amount: int


class NoFileError(Exception):
    """There is no file of the day yet; the message says why."""


class MalformedFileError(Exception):
    """The file is not whole; ``line`` is where that shows, ``reason`` never repeats its text."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class SettlementFile:
    """A file of one day, read twice: to see that it is whole, and for its movements."""

    def __init__(self, day: date, content: bytes) -> None:
        self._day = day
        self._content = content

    @classmethod
    async def ask(cls, psp: PspClient, day: date) -> Self:
        """What the PSP has of a day.

        Raises:
            NoFileError: it has none yet, or does not say.
        """
        path = f"/v1/settlements/{day.isoformat()}"
        try:
            reply = await psp.download(path, seconds=SECONDS, limit=MAX_BYTES)
        except UnansweredError as error:
            raise NoFileError(f"The PSP did not answer in time ({error}).") from None
        if reply.status in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            raise NoFileError("The PSP has not closed the day.")
        if reply.status != HTTPStatus.OK:
            raise NoFileError(f"The PSP answered {reply.status}.")
        return cls(day, reply.body)

    def totals(self) -> list[Total]:
        """The totals of the file, once all of it has been seen to agree with them.

        Raises:
            MalformedFileError: any line is not of the protocol's shape, the trailer does not agree
                with the movements, or there is no trailer.
        """
        counted: Counter[tuple[MovementType, str]] = Counter()
        summed: Counter[tuple[MovementType, str]] = Counter()
        told: list[Total] = []
        records = self._records()
        if next(records, (1, []))[1] != HEADER:
            raise MalformedFileError(1, "The header is not the protocol's.")
        last = 1
        for line, fields in records:
            last = line
            if fields[0] == "end":
                self._ensure_end(line, fields, counted.total(), len(counted) - len(told))
                if next(records, None) is not None:
                    raise MalformedFileError(line + 1, "Something comes after the end.")
                return told
            if fields[0] == "total":
                total = self._total(line, fields)
                which = (total.type, total.currency)
                if which in {(one.type, one.currency) for one in told}:
                    raise MalformedFileError(line, "The total is told twice.")
                if (total.count, total.amount) != (counted[which], summed[which]):
                    raise MalformedFileError(line, "The total does not agree with the movements.")
                told.append(total)
                continue
            if told:
                raise MalformedFileError(line, "A movement comes after the totals.")
            movement = _movement(line, fields)
            counted[movement.type, movement.currency] += 1
            summed[movement.type, movement.currency] += movement.amount
        raise MalformedFileError(last, "The file has no end.")

    def movements(self) -> Iterator[Movement]:
        """The movements of a file that is known to be whole."""
        records = self._records()
        next(records)
        for line, fields in records:
            if fields[0] in ("total", "end"):
                return
            yield _movement(line, fields)

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(self._lines(), strict=True)
        try:
            for fields in reader:
                if len(fields) != len(HEADER):
                    raise MalformedFileError(
                        reader.line_num, f"The line does not have {len(HEADER)} fields."
                    )
                yield reader.line_num, fields
        except csv.Error:
            raise MalformedFileError(reader.line_num, "The line is not CSV.") from None

    def _lines(self) -> Iterator[str]:
        for number, line in enumerate(io.BytesIO(self._content), 1):
            try:
                yield line.decode()
            except UnicodeDecodeError:
                raise MalformedFileError(number, "The line is not UTF-8.") from None

    def _total(self, line: int, fields: list[str]) -> Total:
        _, kind, count, amount, currency, day = fields
        self._ensure_day(line, day)
        number = _number(line, count)
        if number == 0:
            raise MalformedFileError(line, "The total is of nothing.")
        summed = _amount(line, amount, currency, MAX_TOTAL)
        return Total(_type(line, kind), currency, number, summed)

    def _ensure_end(self, line: int, fields: list[str], count: int, untold: int) -> None:
        _, kind, told, amount, currency, day = fields
        self._ensure_day(line, day)
        if kind or amount or currency:
            raise MalformedFileError(line, "The end says more than count and day.")
        if untold:
            raise MalformedFileError(line, "A total is missing.")
        if _number(line, told) != count:
            raise MalformedFileError(line, "The count does not agree with the movements.")

    def _ensure_day(self, line: int, day: str) -> None:
        if day != self._day.isoformat():
            raise MalformedFileError(line, "The trailer is of another day.")


def _movement(line: int, fields: list[str]) -> Movement:
    operation, kind, reference, amount, currency, at = fields
    if not _WORD.fullmatch(operation) or not _WORD.fullmatch(reference):
        raise MalformedFileError(line, "An id is not one.")
    minor = _amount(line, amount, currency, MAX_MOVEMENT)
    return Movement(
        line, operation, _type(line, kind), reference, minor, currency, _moment(line, at)
    )


def _type(line: int, text: str) -> MovementType:
    try:
        return MovementType(text)
    except ValueError:
        raise MalformedFileError(line, "The type is not known.") from None


def _amount(line: int, text: str, currency: str, most: int) -> int:
    if currency not in EXPONENTS:
        raise MalformedFileError(line, "The currency is not known.")
    try:
        amount = minor_units(text, currency)
    except ValueError:
        raise MalformedFileError(line, "The amount is not one in its currency.") from None
    if not 0 < amount <= most:
        raise MalformedFileError(line, "The amount is zero, or more than can be.")
    return amount


def _number(line: int, text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise MalformedFileError(line, "The count is not a number.")
    return int(text)


def _moment(line: int, text: str) -> datetime:
    if not _MOMENT.fullmatch(text):
        raise MalformedFileError(line, "The time is not one in UTC.")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise MalformedFileError(line, "The time is not one in UTC.") from None
