"""The faults that a check scripts into a simulator, out of band."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Operation = Literal["authorisation", "sale", "capture", "void", "refund", "lookup"]

FaultKind = Literal[
    "decline",
    "slow",
    "hang",
    "hold",
    "trickle",
    "drop_before",
    "drop_after",
    "status_before",
    "status_after",
    "malformed_before",
    "malformed_after",
    "wrong_amount",
    "wrong_currency",
    "wrong_id",
    "undone",
    "not_found",
]


class Fault(BaseModel):
    """One scripted fault of the PSP; the first that matches a request applies.

    It matches requests for one of ``operations`` (any, when empty) about the card ``token``
    (follow-ups and look-ups are about the token of their authorisation) and the service's own
    ``reference``, where these are given, ``times`` times (``None``: until lifted).

    - ``decline``: answered ``declined`` for ``reason``; nothing is charged.
    - ``slow``: done at once, answered after ``seconds``.
    - ``hang``: never answered; done only with ``effect``. ``hold``: answered when let go; done
      before with ``effect``, otherwise only then.
    - ``trickle``: done, and answered byte by byte, with ``seconds`` between two; the body alone, or
      all of it with ``head``.
    - ``drop_before`` and ``drop_after``: the connection is closed without a reply, before or after
      the operation is done.
    - ``status_before`` and ``status_after``: answered with ``status`` and, where given, the
      ``Retry-After`` header ``retry_after``.
    - ``malformed_before`` and ``malformed_after``: answered with a success status and ``body``,
      which is not the protocol's JSON (default: truncated JSON).
    - ``wrong_amount``, ``wrong_currency``, ``wrong_id``: done as asked, but the reply names another
      ``amount`` (default: one minor unit more), ``currency``, or ``member``.
    - ``undone``: answered with the whole operation as it was asked for, but its ``status`` is
      neither success nor decline; nothing is done.
    - ``not_found``: a look-up answers 404, though the operation may exist; a POST answers 404 and
      nothing is done.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    operations: tuple[Operation, ...] = ()
    token: str | None = None
    reference: str | None = None
    times: int | None = Field(default=None, ge=1)
    seconds: float = Field(default=0.0, ge=0, le=300)
    head: bool = False
    status: int = Field(default=500, ge=200, le=599)
    retry_after: str | None = None
    body: str | None = None
    member: Literal["id", "type", "authorisation", "reference", "status"] = "reference"
    amount: str | None = None
    currency: str | None = None
    reason: str = "do_not_honour"
    effect: bool = False


SettlementFaultKind = Literal[
    "missing",
    "additional",
    "amount",
    "currency",
    "duplicate",
    "day",
    "truncated",
    "total",
    "count",
    "nonsense",
    "late",
]


class SettlementFault(BaseModel):
    """One scripted fault of the PSP's settlement files, in force until it is lifted.

    Of every file, or of that of ``date`` alone:

    - ``missing``, ``duplicate``, ``amount`` (one minor unit more), ``currency`` (another one with
      as many digits) and ``day`` (the day before): so the movement of ``reference`` is told, in a
      file that is whole.
    - ``additional``: a movement of ``type``, ``amount`` and ``currency`` under ``reference``, that
      never was.
    - ``truncated``: the file ends after so many ``lines``. ``total`` and ``count``: the trailer's
      are wrong. ``nonsense``: it is another text altogether.
    - ``late``: the day is not closed, and answered with ``status``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: SettlementFaultKind
    date: str | None = None
    reference: str | None = None
    type: Literal["capture", "refund"] = "capture"
    amount: str = "1.00"
    currency: str = "EUR"
    lines: int = Field(default=1, ge=0)
    status: Literal[404, 409] = 404
