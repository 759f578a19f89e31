"""Owners of a merchant's who approve payouts, or try to: each reads the messages that it is sent.

second = await Approver.create(merchant, first.client, testbed)
asked = await second.ask(payout)
answer = await second.approve(payout, await second.code(payout))
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from checks.attachment import Testbed
from checks.client import Answer, Client
from checks.fresh import Fresh
from checks.losers import carried_out
from checks.payouts import PROMPT
from checks.shapes import Payout
from checks.tenants import Merchant
from checks.verdicts import Broken

#: Statuses that a payout has only after its approval.
APPROVED = frozenset({"approved", "unknown", "submitted", "rejected", "failed", "paid", "returned"})


@dataclass(frozen=True, slots=True)
class Approver:
    """An owner; made by ``root`` or ``create``."""

    id: str
    client: Client
    testbed: Testbed
    fresh: Fresh

    @classmethod
    def root(cls, merchant: Merchant, testbed: Testbed) -> Self:
        """The merchant's first owner, whom no client has created."""
        return cls(merchant.facts.owner.id, merchant.owner, testbed, merchant.fresh)

    @classmethod
    async def create(cls, merchant: Merchant, creator: Client, testbed: Testbed) -> Self:
        """A new owner, whom this one has created."""
        account = await merchant.create_client("owner", creator)
        return cls(account.id, merchant.logged_in(account), testbed, merchant.fresh)

    async def ask(self, payout: Payout) -> Answer:
        """Ask for a code."""
        return await carried_out(partial(self.client.post, f"{payout.url}/challenges", {}))

    async def code(self, payout: Payout, number: int = 1) -> str:
        """The code of its last message about a payout, of so many."""
        seen = 0
        found: list[dict[str, Any]] = []
        while len(found) < number:
            entries = await self.testbed.notifier.wait(payout.id, seen + 1, PROMPT)
            if len(entries) <= seen:
                raise Broken(f"A code was asked for, and {len(found)} messages were sent with one.")
            seen = len(entries)
            messages = [json.loads(entry.body) for entry in entries]
            found = [message for message in messages if message.get("to") == self.id]
        code = found[-1].get("code")
        if not isinstance(code, str):
            raise Broken(f"The message with the code has {code!r} for one.")
        return code

    async def obtain(self, payout: Payout, number: int = 1) -> str:
        """Ask for a code, and read it: the ``number``th of the payout's that it is sent."""
        (await self.ask(payout)).expect(201)
        return await self.code(payout, number)

    async def approve(self, payout: Payout, code: str) -> Answer:
        """Approve it with a code, whatever that is good for."""
        key = self.fresh.key()
        send = partial(self.client.post, f"{payout.url}/approve", {"code": code}, key=key)
        return await carried_out(send)

    def guess(self) -> str:
        """A code that nobody was sent."""
        return f"{self.fresh.number(0, 10**8 - 1):08d}"
