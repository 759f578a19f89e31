"""Accounts, entries and events: what all movements of money leave behind."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

Shown = dict[str, Any]
"""Members of an object as the API shows them; those that only the service can know are left out."""


class Refusal(NamedTuple):
    """A status and a code that the contract allows as an answer."""

    status: int
    code: str


INVALID = Refusal(422, "validation_failed")
HIDDEN = Refusal(404, "not_found")
NO_ACCOUNT = Refusal(404, "account_not_found")
OTHER_CURRENCY = Refusal(422, "currency_mismatch")
NO_FUNDS = Refusal(422, "insufficient_funds")

Refusals = set[Refusal]

MAX_AMOUNT = 10**12


def money(amount: int, currency: str) -> Shown:
    """Money as the API speaks it, in minor units."""
    return {"amount": amount, "currency": currency}


def is_amount(amount: int) -> bool:
    """Whether a client may ask to move so much (1.10)."""
    return 1 <= amount <= MAX_AMOUNT


class Pretty:
    """Is printed as it says itself, where the random choices of a test are printed."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


class Subject(Protocol):
    """What events tell of."""

    id: str

    def shown(self) -> Shown:
        """The object as the API shows it."""


@dataclass(frozen=True)
class Entry:
    """One leg of a transaction, in minor units (3.5)."""

    kind: str
    reference: str
    amount: int


@dataclass(frozen=True)
class Event:
    """What one merchant is told (16.2); ``data`` is None where its moment cannot be known."""

    type: str
    sequence: int
    data: Shown | None


@dataclass(eq=False)
class Account(Pretty):
    """A merchant's account, in minor units (3.2)."""

    id: str
    merchant: str
    currency: str
    posted: int = 0
    held: int = 0
    entries: list[Entry] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<{self.id[:8]}, {self.available} of {self.posted} {self.currency}>"

    @property
    def available(self) -> int:
        """What may be spent."""
        return self.posted - self.held

    def shown(self) -> Shown:
        """The account as the API shows it."""
        amounts = {"posted": self.posted, "held": self.held, "available": self.available}
        balance = {name: money(amount, self.currency) for name, amount in amounts.items()}
        return {"id": self.id, "currency": self.currency, "balance": balance}


@dataclass
class Ledger:
    """Merchants' accounts, and what merchants were told; platform accounts are the remainder.

    ``posted`` are the transactions by kind and reference, ``changed`` the objects that the API may
    show otherwise than before.
    """

    accounts: list[Account] = field(default_factory=list)
    events: dict[tuple[str, str], list[Event]] = field(default_factory=dict)
    posted: list[tuple[str, str]] = field(default_factory=list)
    changed: dict[str, Subject] = field(default_factory=dict)

    def open(self, account_id: str, merchant: str, currency: str) -> Account:
        """A new account."""
        account = Account(account_id, merchant, currency)
        self.accounts.append(account)
        return account

    def post(self, kind: str, reference: str, legs: dict[Account, int]) -> None:
        """A transaction; what the legs lack of zero is the platform's."""
        self.posted.append((kind, reference))
        for account, amount in legs.items():
            account.posted += amount
            account.entries.append(Entry(kind, reference, amount))
            self.changed[account.id] = account

    def hold(self, account: Account, amount: int) -> None:
        """Hold so much more, or less."""
        account.held += amount
        self.changed[account.id] = account

    def tell(self, kind: str, subject: Subject, *merchants: str, exact: bool = True) -> None:
        """An event for each merchant concerned (16.3)."""
        self.changed[subject.id] = subject
        data = subject.shown() if exact else None
        for merchant in set(merchants):
            stream = self.events.setdefault((merchant, subject.id), [])
            stream.append(Event(kind, len(stream) + 1, data))
