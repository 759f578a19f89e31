"""Accounts that a refused request must leave alone.

watched = await Watched.now(alice, account)
answer = await bob.post("/v1/transfers", ...)
await watched.unmoved(answer, "bob asked for a transfer out of it", hint)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from checks.client import Answer
from checks.shapes import Account, Quote
from checks.tenants import Merchant
from checks.verdicts import Vulnerable


@dataclass(frozen=True, slots=True)
class Watched:
    """An account as it stood before the attack."""

    merchant: Merchant
    account: Account

    @classmethod
    async def now(cls, merchant: Merchant, account: Account) -> Self:
        """From now on."""
        return cls(merchant, await merchant.account(account))

    async def unmoved(self, answer: Answer, what: str, hint: str) -> None:
        """Nothing was posted or held there by a request that was answered so."""
        was, now = self.account.balance, (await self.merchant.account(self.account)).balance
        if now != was:
            raise Vulnerable(
                f"{answer}: {what}, and {self.merchant.actor}'s account, which held"
                f" {was.posted.money} ({was.held.money} of it reserved), holds"
                f" {now.posted.money} ({now.held.money} of it reserved).",
                hint,
            )

    async def unconverted(self, caller: Merchant, quoted: Answer, what: str, hint: str) -> None:
        """Nothing is posted there either when the caller executes what it was quoted, if it was."""
        if quoted.ok:
            path = f"{quoted.read(Quote).url}/execute"
            done = await caller.post(path, {}, key=caller.fresh.key())
            await self.unmoved(done, what, hint)
