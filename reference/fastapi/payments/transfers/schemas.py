"""Transfers, as spoken."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from payments.kit.ids import IdReference
from payments.kit.money import Money, PositiveMoney
from payments.kit.text import Reference
from payments.transfers.models import Transfer


class TransferCreate(BaseModel):
    """A transfer to be made."""

    model_config = ConfigDict(extra="forbid")

    from_: Annotated[IdReference, Field(alias="from")]
    to: IdReference
    amount: PositiveMoney
    reference: Reference | None = None


class ReversalCreate(BaseModel):
    """A reversal to be made: nothing about it can be chosen."""

    model_config = ConfigDict(extra="forbid")


class TransferOut(BaseModel):
    """A transfer."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    from_: Annotated[str, Field(alias="from")]
    to: str
    amount: Money
    reference: str | None
    reversed_by: str | None
    reverses: str | None
    created_at: datetime

    @classmethod
    def of(cls, transfer: Transfer) -> Self:
        """Show a transfer."""
        return cls(
            id=transfer.id,
            from_=transfer.from_account_id,
            to=transfer.to_account_id,
            amount=Money(amount=transfer.amount, currency=transfer.currency),
            reference=transfer.reference,
            reversed_by=transfer.reversed_by,
            reverses=transfer.reverses,
            created_at=transfer.created_at,
        )
