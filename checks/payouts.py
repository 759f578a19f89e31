"""Payouts of a merchant: made by its operator, approved by its owner, carried out by the bank.

As in ``checks.tenants``, the methods named after business acts are legitimate flows: they raise
``Broken`` for any other answer than the contract's.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any, Self

from checks.amounts import Money
from checks.attachment import Testbed
from checks.client import Answer, Client
from checks.fresh import Fresh
from checks.losers import carried_out, seen
from checks.notices import bank_notice, bring
from checks.shapes import Account, Challenge, Payee, Payout
from checks.tenants import Merchant
from checks.testbed.bank import Status
from checks.verdicts import Broken

#: Seconds after which the worker must have done what it looks for every second (contract 12.12).
SETTLED = 20.0

_PAUSE = 0.1

_CODE = re.compile("[0-9]{4,10}", re.ASCII)

#: Seconds within which a message that was answered 202 is in the notifier's journal.
PROMPT = 5.0


def payout_body(account: Account, amount: Money, payee: Payee) -> dict[str, Any]:
    """The body of ``POST /v1/payouts``."""
    return {"account": account.id, "amount": amount.json(), "payee": payee.model_dump()}


async def make(
    maker: Merchant | Client, fresh: Fresh, account: Account, amount: Money, payee: Payee
) -> Payout:
    """A payout that awaits its approval."""
    body = payout_body(account, amount, payee)
    send = partial(maker.post, "/v1/payouts", body, key=fresh.key())
    return (await carried_out(send)).expect(201).read(Payout)


async def clear_of_midnight(seconds: float) -> None:
    """Wait for the next day (UTC), where this one ends in so many seconds: each has a limit."""
    now = datetime.now(UTC)
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
    if (left := (midnight - now).total_seconds()) < seconds:
        await asyncio.sleep(left + 1)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a merchant's payouts are made and approved; made by ``open``."""

    merchant: Merchant
    maker: Client
    testbed: Testbed

    @classmethod
    async def open(cls, merchant: Merchant, testbed: Testbed) -> Self:
        """With an operator who makes them."""
        return cls(merchant, await merchant.client("operator"), testbed)

    async def make(self, account: Account, amount: Money, payee: Payee | None = None) -> Payout:
        """A payout that awaits its approval."""
        fresh = self.merchant.fresh
        return await make(self.maker, fresh, account, amount, payee or fresh.payee())

    async def code(self, payout: Payout) -> str:
        """A new code for the owner, as the owner reads it; it names what it is good for."""
        before = len(await self.testbed.notifier.journal(payout.id))
        answer = await carried_out(partial(self.merchant.post, f"{payout.url}/challenges", {}))
        challenge = answer.expect(201).read(Challenge)
        found = await self.testbed.notifier.wait(payout.id, before + 1, PROMPT)
        if challenge.payout != payout.id or len(found) <= before:
            raise Broken(f"{answer}, and {len(found) - before} messages about it were sent.")
        message = json.loads(found[-1].body)
        code = message.pop("code", None)
        wanted = {
            "to": self.merchant.facts.owner.id,
            "payout": payout.id,
            "amount": payout.amount.money.decimal,
            "currency": payout.amount.currency,
            "payee": payout.payee.model_dump(),
        }
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise Broken(f"The message with the code has {code!r} for one.")
        if {name: message.get(name) for name in wanted} != wanted:
            raise Broken(f"The message with the code says {message}; it is about {wanted}.")
        return code

    async def approve(self, payout: Payout) -> Payout:
        """Approve it as the owner."""
        body, key = {"code": await self.code(payout)}, self.merchant.fresh.key()
        send = partial(self.merchant.post, f"{payout.url}/approve", body, key=key)
        return (await carried_out(send)).expect(200).read(Payout)

    async def shown(self, payout: Payout) -> Payout:
        """A payout as it is now."""
        return (await seen(self.merchant.owner, payout.url)).read(Payout)

    async def reached(self, payout: Payout, *statuses: str) -> Payout:
        """A payout as soon as it has one of these statuses."""
        deadline = asyncio.get_running_loop().time() + SETTLED
        while (found := await self.shown(payout)).status not in statuses:
            if asyncio.get_running_loop().time() > deadline:
                wanted = " or ".join(statuses)
                raise Broken(f"After {SETTLED:g} s the payout is {found.status}, not {wanted}.")
            await asyncio.sleep(_PAUSE)
        return found

    async def ordered(self, payout: Payout) -> None:
        """See that the bank was told of one payment: this one, with the payout's id."""
        asked = await self.testbed.bank.journal(payout.payee.bank_account)
        orders = [entry for entry in asked if entry.method == "POST"]
        wanted = {
            "amount": payout.amount.money.decimal,
            "currency": payout.amount.currency,
            "payee": payout.payee.model_dump(),
            "reference": payout.id,
        }
        for entry in orders:
            if _object(entry.body) != wanted:
                raise Broken(f"The bank was told {entry.body}, of {wanted}.")
        if (made := sum(entry.effect for entry in orders)) != 1:
            raise Broken(f"A payout made {made} payments at the bank.")

    async def notice(
        self, payout: Payout, status: Status, reason: str | None = None, /, **changed: object
    ) -> Answer:
        """Have the bank change a payment, and bring the notice of it until it is taken.

        ``changed`` members of the payment are told otherwise than they are. The bank must have been
        told of the payment.
        """
        await self.ordered(payout)
        told = await self.testbed.bank.become(payout.id, status, reason)
        notice = bank_notice(told | changed, self.merchant.fresh)
        platform = self.merchant.platform
        return await carried_out(partial(bring, "bank", notice, self.testbed, platform))


def _object(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
