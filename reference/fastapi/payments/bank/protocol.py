"""What is said to the bank, and how a call can end (section 13 of the contract)."""

from dataclasses import dataclass
from enum import StrEnum

from payments.kit.money import decimal_string


class BankStatus(StrEnum):
    """How far the bank is with a payment."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class Payee:
    """Whom a payment goes to."""

    name: str
    bank_account: str

    def body(self) -> dict[str, object]:
        """As outside parties are told."""
        return {"name": self.name, "bank_account": self.bank_account}


@dataclass(frozen=True, slots=True)
class Order:
    """A payment to be made, under a key that stays the same however often it is said.

    ``amount`` is in minor units. ``bank_id`` is the bank's own id of the payment, once it is known.
    """

    key: str
    amount: int
    currency: str
    payee: Payee
    bank_id: str | None = None

    def body(self) -> dict[str, object]:
        """What is posted."""
        return {
            "amount": decimal_string(self.amount, self.currency),
            "currency": self.currency,
            "payee": self.payee.body(),
            "reference": self.key,
        }


@dataclass(frozen=True, slots=True)
class News:
    """What the bank says of a payment, and may be believed."""

    status: BankStatus
    bank_id: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class NotDone:
    """The bank was not asked, or put it off; ask again after so many seconds."""

    retry_after: float


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """It may have been done or not; ``cause`` is for the log."""

    cause: str


Outcome = News | NotDone | Ambiguous
