"""What may be believed of what the bank says, in replies and in notices."""

from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from payments.bank.protocol import Ambiguous, BankStatus, News, NotDone, Order, Outcome, Payee
from payments.kit.money import minor_units
from payments.kit.outbound import Reply

REFUSALS = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
)

NOT_FOUND = "not_found"

DEFAULT_RETRY_SECONDS, MAX_RETRY_SECONDS = 1.0, 60.0

MAX_REASON = 200

Word = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$", strict=True)
]


class PayeeTold(BaseModel):
    """A payee as the bank tells it."""

    name: str
    bank_account: str


class BankPayment(BaseModel):
    """A payment as the bank tells it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    id: Word
    status: BankStatus
    amount: Word
    currency: Word
    payee: PayeeTold
    reference: Word
    reason: str | None = None

    def about(self, order: Order) -> News | None:
        """What it says about an order; None if it is about anything else, by a penny even."""
        try:
            amount = minor_units(self.amount, order.currency)
        except ValueError:
            return None
        told = (self.reference, amount, self.currency)
        payee = Payee(self.payee.name, self.payee.bank_account)
        if told != (order.key, order.amount, order.currency) or payee != order.payee:
            return None
        if order.bank_id not in (None, self.id):
            return None
        return News(self.status, self.id, _readable(self.reason))


class BankRefusal(BaseModel):
    """A refusal as the bank tells it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    error: Word


def of_post(order: Order, reply: Reply) -> Outcome:
    """What a reply to an order says."""
    if reply.status in (HTTPStatus.CREATED, HTTPStatus.OK):
        return _of_payment(order, reply.body)
    if reply.status in REFUSALS:
        reason = _refusal(reply)
        if reason is not None:
            return News(BankStatus.REJECTED, order.bank_id, reason)
    return _of_others(reply)


def of_look_up(order: Order, reply: Reply) -> Outcome | None:
    """What a reply to a look-up says; None if the bank does not know the payment (yet)."""
    if reply.status == HTTPStatus.OK:
        return _of_payment(order, reply.body)
    if reply.status == HTTPStatus.NOT_FOUND and _refusal(reply) == NOT_FOUND:
        return None
    return _of_others(reply)


def _of_payment(order: Order, body: bytes) -> Outcome:
    try:
        told = BankPayment.model_validate_json(body)
    except ValidationError:
        return Ambiguous("unreadable payment")
    return told.about(order) or Ambiguous("another payment than was asked for")


def _of_others(reply: Reply) -> Outcome:
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return NotDone(min(reply.retry_after or DEFAULT_RETRY_SECONDS, MAX_RETRY_SECONDS))
    return Ambiguous(f"status {reply.status}")


def _refusal(reply: Reply) -> str | None:
    """Why the bank refuses; one that does not say so may come from somebody in between."""
    try:
        return BankRefusal.model_validate_json(reply.body).error
    except ValidationError:
        return None


def _readable(reason: str | None) -> str | None:
    """A reason as it can be stored and shown; the bank writes it for people."""
    if reason is None:
        return None
    return "".join(c for c in reason if c.isprintable())[:MAX_REASON] or None
