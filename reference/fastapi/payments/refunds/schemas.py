"""Refunds, as spoken."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from payments.kit.money import Money, PositiveMoney
from payments.kit.text import Reference
from payments.refunds.models import Refund, RefundStatus


class RefundCreate(BaseModel):
    """A refund to be made."""

    model_config = ConfigDict(extra="forbid")

    amount: PositiveMoney
    reference: Reference | None = None


class RefundOut(BaseModel):
    """A refund."""

    id: str
    payment: str
    amount: Money
    status: RefundStatus
    reference: str | None
    created_at: datetime

    @classmethod
    def of(cls, refund: Refund) -> Self:
        """Show a refund."""
        return cls(
            id=refund.id,
            payment=refund.payment_id,
            amount=Money(amount=refund.amount, currency=refund.currency),
            status=RefundStatus(refund.status),
            reference=refund.reference,
            created_at=refund.created_at,
        )
