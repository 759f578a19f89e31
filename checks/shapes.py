"""The contract's objects as a client reads them (``reference/contract/CONTRACT.md``).

Members that the contract does not name are let be. A member that is missing or of another type
makes the flow ``broken`` where it is read.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from checks.amounts import Money

PaymentStatus = Literal[
    "authorised",
    "captured",
    "voided",
    "declined",
    "expired",
    "unknown",
    "partially_refunded",
    "refunded",
]
RefundStatus = Literal["pending", "succeeded", "failed", "unknown"]
EntryKind = Literal[
    "deposit",
    "transfer",
    "transfer_reversal",
    "capture",
    "refund",
    "conversion_sale",
    "conversion_purchase",
    "payout",
    "payout_return",
]
QuoteStatus = Literal["open", "executed", "expired"]
PayoutStatus = Literal[
    "awaiting_approval",
    "cancelled",
    "approved",
    "unknown",
    "submitted",
    "rejected",
    "failed",
    "paid",
    "returned",
]
DeliveryStatus = Literal["pending", "delivered", "dead"]
Role = Literal["owner", "operator", "viewer"]


class Read(BaseModel):
    """Base: strict about what the contract names, silent about the rest."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Amount(Read):
    """Money as the API writes it."""

    amount: StrictInt
    currency: Annotated[StrictStr, Field(pattern="^[A-Z]{3}$")]

    @property
    def money(self) -> Money:
        """The same as the checks' own type."""
        return Money(self.amount, self.currency)


class Balance(Read):
    """An account's balance (3.2)."""

    posted: Amount
    held: Amount
    available: Amount


class Account(Read):
    """An account (3.1)."""

    id: Annotated[StrictStr, Field(pattern="^acc_.+")]
    name: StrictStr
    currency: StrictStr
    balance: Balance
    version: StrictInt
    created_at: AwareDatetime

    @property
    def url(self) -> str:
        """Where it is."""
        return f"/v1/accounts/{self.id}"


class Entry(Read):
    """A ledger entry (3.5); ``amount`` is signed."""

    id: Annotated[StrictStr, Field(pattern="^ent_.+")]
    transaction: Annotated[StrictStr, Field(pattern="^txn_.+")]
    account: StrictStr
    amount: Amount
    kind: EntryKind
    reference: StrictStr
    created_at: AwareDatetime


class Deposit(Read):
    """A deposit (3.7)."""

    id: Annotated[StrictStr, Field(pattern="^dep_.+")]
    account: StrictStr
    amount: Amount
    reference: StrictStr | None = None
    created_at: AwareDatetime


class Transfer(Read):
    """A transfer (4.1)."""

    id: Annotated[StrictStr, Field(pattern="^tr_.+")]
    from_: Annotated[StrictStr, Field(alias="from")]
    to: StrictStr
    amount: Amount
    reference: StrictStr | None = None
    reversed_by: StrictStr | None
    reverses: StrictStr | None
    created_at: AwareDatetime

    @property
    def url(self) -> str:
        """Where it is."""
        return f"/v1/transfers/{self.id}"


class Refund(Read):
    """A refund (6.11)."""

    id: Annotated[StrictStr, Field(pattern="^ref_.+")]
    payment: StrictStr
    amount: Amount
    status: RefundStatus
    reference: StrictStr | None = None
    created_at: AwareDatetime

    @property
    def url(self) -> str:
        """Where it is."""
        return f"/v1/payments/{self.payment}/refunds/{self.id}"


class Payment(Read):
    """A payment (6.2)."""

    id: Annotated[StrictStr, Field(pattern="^pay_.+")]
    account: StrictStr
    amount: Amount
    status: PaymentStatus
    capture: StrictBool
    captured: Amount
    refunded: Amount
    fee: Amount
    reference: StrictStr | None = None
    description: StrictStr | None = None
    refunds: tuple[Refund, ...]
    created_at: AwareDatetime

    @property
    def url(self) -> str:
        """Where it is."""
        return f"/v1/payments/{self.id}"


class Quote(Read):
    """A quote (10.1); ``rate`` is a decimal string."""

    id: Annotated[StrictStr, Field(pattern="^qt_.+")]
    from_: Annotated[StrictStr, Field(alias="from")]
    to: StrictStr
    sell: Amount
    fee: Amount
    buy: Amount
    rate: Annotated[StrictStr, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")]
    status: QuoteStatus
    expires_at: AwareDatetime
    executed_at: AwareDatetime | None
    created_at: AwareDatetime

    @property
    def url(self) -> str:
        """Where it is."""
        return f"/v1/quotes/{self.id}"


class Payee(Read):
    """Whom a payout goes to (12.1)."""

    name: StrictStr
    bank_account: StrictStr


class Payout(Read):
    """A payout (12.1)."""

    id: Annotated[StrictStr, Field(pattern="^po_.+")]
    account: StrictStr
    amount: Amount
    payee: Payee
    reference: StrictStr | None = None
    status: PayoutStatus
    reason: StrictStr | None = None
    made_by: StrictStr
    approved_by: StrictStr | None
    created_at: AwareDatetime

    @property
    def url(self) -> str:
        """Where it is."""
        return f"/v1/payouts/{self.id}"


class Challenge(Read):
    """A code that was sent to an approver (12.9)."""

    id: Annotated[StrictStr, Field(pattern="^sca_.+")]
    payout: StrictStr
    expires_at: AwareDatetime
    created_at: AwareDatetime


class Event(Read):
    """An event (16.2); ``data`` is read by the shape of what changed."""

    id: Annotated[StrictStr, Field(pattern="^evt_.+")]
    type: StrictStr
    about: Annotated[StrictStr, Field(alias="object")]
    sequence: StrictInt
    data: dict[str, Any]
    created_at: AwareDatetime

    @property
    def url(self) -> str:
        """Where it is."""
        return f"/v1/events/{self.id}"


class Endpoint(Read):
    """A webhook endpoint (17.1); ``target`` is where the merchant's server is."""

    id: Annotated[StrictStr, Field(pattern="^we_.+")]
    target: Annotated[StrictStr, Field(alias="url")]
    types: tuple[StrictStr, ...] | None
    disabled: StrictBool
    created_at: AwareDatetime

    @property
    def url(self) -> str:
        """Where it is."""
        return f"/v1/webhook-endpoints/{self.id}"


class EndpointWithSecret(Endpoint):
    """The same where its secret is shown (17.1, 17.7)."""

    secret: Annotated[StrictStr, Field(pattern="^whsec_[A-Za-z0-9+/]+=*$")]


class Delivery(Read):
    """An event's delivery to an endpoint (17.6)."""

    id: Annotated[StrictStr, Field(pattern="^dlv_.+")]
    endpoint: StrictStr
    event: StrictStr
    status: DeliveryStatus
    attempts: StrictInt
    status_code: StrictInt | None
    failure: StrictStr | None
    due_at: AwareDatetime | None
    delivered_at: AwareDatetime | None
    created_at: AwareDatetime

    @property
    def url(self) -> str:
        """Where it is made again."""
        return f"/v1/deliveries/{self.id}/redeliver"


class AuditRecord(Read):
    """Who did what (7.10)."""

    id: Annotated[StrictStr, Field(pattern="^aud_.+")]
    actor: StrictStr
    action: StrictStr
    about: Annotated[StrictStr, Field(alias="object")]
    request_id: StrictStr | None
    details: dict[str, Any]
    created_at: AwareDatetime


class ClientAccount(Read):
    """An API client of a merchant (2.4); ``secret`` only where it was made."""

    id: Annotated[StrictStr, Field(pattern="^cli_.+")]
    name: StrictStr
    role: Role
    secret: StrictStr | None = None


class MerchantAccount(Read):
    """A merchant as it is created (2.2)."""

    id: Annotated[StrictStr, Field(pattern="^mer_.+")]
    name: StrictStr
    created_at: AwareDatetime
    owner: ClientAccount


class Token(Read):
    """An access token (2.5); ``expires_in`` in seconds."""

    access_token: StrictStr
    token_type: StrictStr
    expires_in: StrictInt


class Page(Read):
    """A page of a list (1.13); ``data`` is read by its own shape."""

    data: tuple[dict[str, object], ...]
    next_cursor: StrictStr | None
