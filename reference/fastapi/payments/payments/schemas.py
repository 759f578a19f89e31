"""Payments, as spoken."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from payments.kit.ids import IdReference
from payments.kit.money import Money, PositiveMoney
from payments.kit.text import Description, Reference, without_card_number
from payments.payments.models import Payment, PaymentStatus
from payments.refunds.models import RefundStatus
from payments.refunds.schemas import RefundOut

CardToken = Annotated[
    str,
    StringConstraints(pattern=r"^tok_[A-Za-z0-9_-]{1,64}$"),
    AfterValidator(without_card_number),
]


class PaymentCreate(BaseModel):
    """A payment to be taken."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    account: IdReference
    amount: PositiveMoney
    payment_method: CardToken
    capture: Annotated[bool, Field(strict=True)] = True
    reference: Reference | None = None
    description: Description | None = None


class CaptureCreate(BaseModel):
    """A capture to be made; all of the payment, unless an amount is given."""

    model_config = ConfigDict(extra="forbid")

    amount: PositiveMoney | None = None


class VoidCreate(BaseModel):
    """A void to be made: nothing about it can be chosen."""

    model_config = ConfigDict(extra="forbid")


class SyncCreate(BaseModel):
    """A look at the PSP: nothing about it can be chosen."""

    model_config = ConfigDict(extra="forbid")


class PaymentOut(BaseModel):
    """A payment with its refunds, oldest first; ``refunded`` counts those that succeeded."""

    id: str
    account: str
    amount: Money
    status: PaymentStatus
    capture: bool
    captured: Money
    refunded: Money
    fee: Money
    reference: str | None
    description: str | None
    refunds: list[RefundOut]
    created_at: datetime

    @classmethod
    def of(cls, payment: Payment) -> Self:
        """Show a payment, whose refunds are loaded."""
        refunded = sum(
            refund.amount for refund in payment.refunds if refund.status == RefundStatus.SUCCEEDED
        )
        return cls(
            id=payment.id,
            account=payment.account_id,
            amount=Money(amount=payment.amount, currency=payment.currency),
            status=PaymentStatus(payment.status),
            capture=payment.capture,
            captured=Money(amount=payment.captured, currency=payment.currency),
            refunded=Money(amount=refunded, currency=payment.currency),
            fee=Money(amount=payment.fee, currency=payment.currency),
            reference=payment.reference,
            description=payment.description,
            refunds=[RefundOut.of(refund) for refund in payment.refunds],
            created_at=payment.created_at,
        )
