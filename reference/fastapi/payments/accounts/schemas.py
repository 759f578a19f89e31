"""Accounts, as spoken."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from payments.accounts.models import Account
from payments.kit.money import Currency, Money
from payments.kit.text import Name


class AccountCreate(BaseModel):
    """An account to be opened."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    currency: Currency


class AccountRename(BaseModel):
    """The only thing about an account that its merchant can change."""

    model_config = ConfigDict(extra="forbid")

    name: Name


class BalanceOut(BaseModel):
    """``available`` is ``posted`` less ``held``."""

    posted: Money
    held: Money
    available: Money


class AccountOut(BaseModel):
    """An account."""

    id: str
    name: str
    currency: str
    balance: BalanceOut
    version: int
    created_at: datetime

    @classmethod
    def of(cls, account: Account) -> Self:
        """Show an account, whose balance is loaded."""
        balance = account.balance
        return cls(
            id=account.id,
            name=account.name,
            currency=account.currency,
            balance=BalanceOut(
                posted=Money(amount=balance.posted, currency=account.currency),
                held=Money(amount=balance.held, currency=account.currency),
                available=Money(amount=balance.available, currency=account.currency),
            ),
            version=account.version,
            created_at=account.created_at,
        )
