"""What is said to the PSP, and how a call can end (section 9 of the contract)."""

from dataclasses import dataclass
from enum import StrEnum

from payments.kit.money import decimal_string


class OperationType(StrEnum):
    """What the PSP can be asked to do; a sale authorises and captures at once."""

    AUTHORISATION = "authorisation"
    SALE = "sale"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


PATHS = {
    OperationType.AUTHORISATION: "/v1/authorisations",
    OperationType.SALE: "/v1/authorisations",
    OperationType.CAPTURE: "/v1/captures",
    OperationType.VOID: "/v1/voids",
    OperationType.REFUND: "/v1/refunds",
}


@dataclass(frozen=True, slots=True)
class Instruction:
    """One operation to be done, under a key that stays the same however often it is said.

    ``amount`` is in minor units. First operations name a card's ``token``, later ones the PSP's
    ``authorisation``.
    """

    key: str
    type: OperationType
    amount: int
    currency: str
    token: str | None = None
    authorisation: str | None = None

    @property
    def path(self) -> str:
        """Where it is posted."""
        return PATHS[self.type]

    def body(self) -> dict[str, object]:
        """What is posted."""
        body: dict[str, object] = {
            "amount": decimal_string(self.amount, self.currency),
            "currency": self.currency,
            "reference": self.key,
        }
        if self.authorisation is None:
            return body | {"token": self.token, "capture": self.type is OperationType.SALE}
        return body | {"authorisation": self.authorisation}


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The PSP did it, under this authorisation."""

    authorisation: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The PSP did not do it, and never will under this key."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotDone:
    """The PSP was not asked, or put it off; ask again after so many seconds."""

    retry_after: float


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """It may have been done or not; ``cause`` is for the log, ``retry_after`` in seconds."""

    cause: str
    retry_after: float | None = None


Outcome = Succeeded | Declined | NotDone | Ambiguous
