"""Deposits, as spoken."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from payments.deposits.models import Deposit
from payments.kit.ids import IdReference
from payments.kit.money import Money, PositiveMoney
from payments.kit.text import Reference


class DepositCreate(BaseModel):
    """A deposit to be made."""

    model_config = ConfigDict(extra="forbid")

    account: IdReference
    amount: PositiveMoney
    reference: Reference | None = None


class DepositOut(BaseModel):
    """A deposit."""

    id: str
    account: str
    amount: Money
    reference: str | None
    created_at: datetime

    @classmethod
    def of(cls, deposit: Deposit) -> Self:
        """Show a deposit."""
        return cls(
            id=deposit.id,
            account=deposit.account_id,
            amount=Money(amount=deposit.amount, currency=deposit.currency),
            reference=deposit.reference,
            created_at=deposit.created_at,
        )
