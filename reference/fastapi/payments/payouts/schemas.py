"""Payouts, as spoken."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, StringConstraints

from payments.bank import protocol
from payments.kit.ids import IdReference
from payments.kit.money import Money, PositiveMoney
from payments.kit.text import Name, Reference
from payments.payouts.models import Challenge, Payout, PayoutStatus

BankAccount = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{4,34}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{4,10}$")]


class Payee(BaseModel):
    """Whom a payout goes to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    bank_account: BankAccount

    @property
    def told(self) -> protocol.Payee:
        """As the bank is told."""
        return protocol.Payee(self.name, self.bank_account)


class PayoutCreate(BaseModel):
    """A payout to be made."""

    model_config = ConfigDict(extra="forbid")

    account: IdReference
    amount: PositiveMoney
    payee: Payee
    reference: Reference | None = None


class PayoutChange(BaseModel):
    """What may change before the approval; what is left out or null stays."""

    model_config = ConfigDict(extra="forbid")

    amount: PositiveMoney | None = None
    payee: Payee | None = None


class PayoutCancel(BaseModel):
    """A cancellation: there is nothing to choose."""

    model_config = ConfigDict(extra="forbid")


class PayoutSync(BaseModel):
    """A question to the bank: there is nothing to choose."""

    model_config = ConfigDict(extra="forbid")


class ChallengeCreate(BaseModel):
    """A code to be sent: there is nothing to choose."""

    model_config = ConfigDict(extra="forbid")


class PayoutApprove(BaseModel):
    """An approval, with the code that was sent for it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    code: Code


class ChallengeOut(BaseModel):
    """A code that was sent; the code itself is in no answer."""

    id: str
    payout: str
    expires_at: datetime
    created_at: datetime

    @classmethod
    def of(cls, challenge: Challenge) -> Self:
        """Show a challenge."""
        return cls(
            id=challenge.id,
            payout=challenge.payout_id,
            expires_at=challenge.expires_at,
            created_at=challenge.created_at,
        )


class PayoutOut(BaseModel):
    """A payout; ``reason`` says why it was rejected, failed or returned."""

    id: str
    account: str
    amount: Money
    payee: Payee
    reference: str | None
    status: PayoutStatus
    reason: str | None
    made_by: str
    approved_by: str | None
    created_at: datetime

    @classmethod
    def of(cls, payout: Payout) -> Self:
        """Show a payout."""
        return cls(
            id=payout.id,
            account=payout.account_id,
            amount=Money(amount=payout.amount, currency=payout.currency),
            payee=Payee(name=payout.payee_name, bank_account=payout.payee_bank_account),
            reference=payout.reference,
            status=PayoutStatus(payout.status),
            reason=payout.reason,
            made_by=payout.made_by,
            approved_by=payout.approved_by,
            created_at=payout.created_at,
        )
