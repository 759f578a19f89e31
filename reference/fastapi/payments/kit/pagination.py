"""Keyset pages with cursors that cannot be forged or carried elsewhere."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from fastapi import Query
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from payments.kit.problems import Problem

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
_MAC_BYTES = 16

T = TypeVar("T", bound=BaseModel)
R = TypeVar("R")
SelectT = TypeVar("SelectT", bound=Select[Any])

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Cursor = Annotated[str | None, Query(max_length=1000)]


class ListOf(BaseModel, Generic[T]):
    """One page of a list."""

    data: list[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """A total order: the last column is unique, so that no two rows share a position."""

    columns: tuple[InstrumentedAttribute[Any], ...]
    descending: bool

    def by(self) -> list[ColumnElement[Any]]:
        """The terms of ORDER BY."""
        return [column.desc() if self.descending else column.asc() for column in self.columns]

    def after(self, position: Sequence[object]) -> ColumnElement[bool]:
        """The rows beyond a position: one row comparison, which an index answers."""
        row = tuple_(*self.columns)
        values = tuple_(
            *(
                literal(value, column.type)
                for value, column in zip(position, self.columns, strict=True)
            )
        )
        return row < values if self.descending else row > values

    def position_of(self, row: object) -> list[object]:
        """Where a row stands in this order."""
        return [getattr(row, column.key) for column in self.columns]


class Cursors:
    """Signs positions, bound to the merchant, list, order and filters that they are for."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"payments cursors", hashlib.sha256)

    def _mac(self, payload: bytes, scope: Sequence[str]) -> bytes:
        message = json.dumps(list(scope)).encode() + b"\0" + payload
        return hmac.digest(self._key, message, hashlib.sha256)[:_MAC_BYTES]

    def write(self, position: Sequence[object], scope: Sequence[str]) -> str:
        """The cursor of a position."""
        values = [v.isoformat() if isinstance(v, datetime) else v for v in position]
        payload = json.dumps(values, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(payload, scope) + payload).rstrip(b"=").decode()

    def read(self, cursor: str, scope: Sequence[str], order: Order) -> list[object]:
        """The position of a cursor that this service gave out for the same scope.

        Raises:
            Problem: 422 ``cursor_invalid``, for any other string.
        """
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        except ValueError:
            raise _invalid() from None
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(payload, scope)):
            raise _invalid()
        values = json.loads(payload)
        return [
            datetime.fromisoformat(value) if column.type.python_type is datetime else value
            for value, column in zip(values, order.columns, strict=True)
        ]


def _invalid() -> Problem:
    return Problem(422, "cursor_invalid", "The cursor is not one that this list gave out.")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: ``position`` is the last row of the page before."""

    order: Order
    scope: tuple[str, ...]
    limit: int
    position: list[object] | None
    cursors: Cursors

    @classmethod
    def of(
        cls, cursors: Cursors, order: Order, scope: Sequence[str], limit: int, cursor: str | None
    ) -> Self:
        """Read the request's cursor.

        Raises:
            Problem: 422 ``cursor_invalid``.
        """
        position = cursors.read(cursor, scope, order) if cursor is not None else None
        return cls(order, tuple(scope), limit, position, cursors)

    def of_rows(self, statement: SelectT) -> SelectT:
        """The statement, bounded to this page and one row more, which tells if another follows."""
        if self.position is not None:
            statement = statement.where(self.order.after(self.position))
        return statement.order_by(*self.order.by()).limit(self.limit + 1)

    def cut(self, rows: Sequence[R]) -> tuple[Sequence[R], str | None]:
        """The rows of this page, and the cursor of the next."""
        if len(rows) <= self.limit:
            return rows, None
        kept = rows[: self.limit]
        return kept, self.cursors.write(self.order.position_of(kept[-1]), self.scope)
