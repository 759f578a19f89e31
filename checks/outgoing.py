"""Payouts on their way, each from an account of its own on which another one waits.

The other one's amount is held all the while. Whatever lets go of more than a payout's own hold, or
lets go of it twice, takes of the other's, and shows. Rules: contract 12.3, 12.13 and 12.14.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

from checks.client import Answer
from checks.events import events_of
from checks.losers import carried_out
from checks.payouts import SETTLED, Desk
from checks.shapes import Account, Payout
from checks.tenants import FUNDS
from checks.testbed.bank import Status
from checks.verdicts import Broken

#: Minor units of a payout, and of the one that waits: several times as many.
_LEAST, _MOST = 1_000, 60_000
_WAITING_LEAST, _WAITING_MOST = 500_000, 600_000

_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Standing:
    """What a payout has brought about so far: its account, in minor units, and what was told.

    ``moved`` counts the account's entries but for its one deposit, by kind and signed amount;
    ``told`` are the types of the payout's events, in their order.
    """

    posted: int
    held: int
    moved: Counter[tuple[str, int]]
    status: str
    told: tuple[str, ...]

    @property
    def balanced(self) -> bool:
        """Whether what is posted is the sum of the entries (contract 3.2)."""
        return self.posted == FUNDS + sum(by * times for (_, by), times in self.moved.items())

    def __str__(self) -> str:
        moved = ", ".join(f"{kind} {by}" for kind, by in sorted(self.moved.elements()))
        return (
            f"posted {self.posted}, held {self.held}, {f'entries {moved}' if moved else 'no entry'}"
        )


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A payout under way; ``amount``, and what is held for the one that ``waits``: minor units."""

    desk: Desk
    account: Account
    payout: Payout
    amount: int
    waits: int

    @classmethod
    async def approved(cls, desk: Desk, **how: Any) -> Self:
        """One that was approved just now, to a payee towards whom the bank behaves so."""
        merchant, fresh = desk.merchant, desk.merchant.fresh
        amount, payee = fresh.money(_LEAST, _MOST), fresh.payee()
        waiting = fresh.money(_WAITING_LEAST, _WAITING_MOST)
        account = await merchant.funded()
        await desk.make(account, waiting)
        if how:
            await desk.testbed.bank.conduct(payee.bank_account, **how)
        payout = await desk.approve(await desk.make(account, amount, payee))
        return cls(desk, account, payout, amount.amount, waiting.amount)

    @property
    def payee(self) -> str:
        """The bank account that it goes to."""
        return self.payout.payee.bank_account

    async def standing(self) -> Standing:
        """What it has brought about so far."""
        merchant = self.desk.merchant
        status = (await self.desk.shown(self.payout)).status
        told = tuple(event.type for _, event in await events_of(merchant, self.payout.id))
        balance = (await merchant.account(self.account)).balance
        moved: Counter[tuple[str, int]] = Counter(
            (entry.kind, entry.amount.amount) for entry in await merchant.entries(self.account)
        )
        moved.subtract([("deposit", FUNDS)])
        return Standing(balance.posted.amount, balance.held.amount, +moved, status, told)

    async def settled(self, wanted: Callable[[Standing], bool]) -> Standing:
        """What it has brought about, as soon as it is as wanted or when the time is up."""
        deadline = asyncio.get_running_loop().time() + SETTLED
        while not wanted(now := await self.standing()):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(_PAUSE)
        return now

    async def reached(self, *statuses: str) -> Payout:
        """The payout as soon as it has one of these statuses."""
        return await self.desk.reached(self.payout, *statuses)

    async def brought_to(self, status: Literal["unknown", "submitted"]) -> None:
        """Have it brought to the bank, where no worker does, and what the bank says to it noted."""
        deadline = asyncio.get_running_loop().time() + SETTLED
        while (await self.desk.shown(self.payout)).status in {"approved", "unknown"} - {status}:
            (await self.sync()).expect(200)
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(_PAUSE)
        await self.reached(status)

    async def ordered(self) -> None:
        """Wait until the bank has the order: a payout may be unknown from before that."""
        if not await self.desk.testbed.bank.wait(self.payee, 1, SETTLED):
            raise Broken(f"{SETTLED:g} s after its approval the bank was not told of a payout.")

    async def become(self, status: Status, reason: str | None = None) -> dict[str, Any]:
        """Have the bank change its payment; what a notice would say of it."""
        await self.ordered()
        return await self.desk.testbed.bank.become(self.payout.id, status, reason)

    async def sync(self) -> Answer:
        """Have the service ask the bank."""
        return await carried_out(partial(self.desk.merchant.post, f"{self.payout.url}/sync", {}))
