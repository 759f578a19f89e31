"""Entries, as spoken."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from payments.kit.money import Money
from payments.ledger.models import Entry, Kind


class EntryOut(BaseModel):
    """An entry; ``reference`` is the id of the object that caused it."""

    id: str
    transaction: str
    account: str
    amount: Money
    kind: Kind
    reference: str
    created_at: datetime

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Show an entry, whose transaction is loaded."""
        return cls(
            id=entry.id,
            transaction=entry.transaction_id,
            account=entry.account_id,
            amount=Money(amount=entry.amount, currency=entry.currency),
            kind=Kind(entry.transaction.kind),
            reference=entry.transaction.reference,
            created_at=entry.created_at,
        )
