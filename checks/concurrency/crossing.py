"""Contests in which nobody has to lose: movements between accounts that hold enough for all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from checks.amounts import Money
from checks.client import Answer, Client
from checks.contest import Contest, Prepare, View, callers_of, posting, reading
from checks.fresh import Fresh
from checks.interleaving import Crowd, Send
from checks.shapes import Account
from checks.tenants import FUNDS, Merchant, transfer_body
from checks.verdicts import Broken

#: Seconds that a check with five of these contests may take: that is some 150 schedules, in part of
#: four requests.
LIMIT = 480.0

#: Minor units that one movement takes at most: all the contests of a check together take less than
#: an account holds.
_MOST = 900


@dataclass(frozen=True, slots=True)
class Movement:
    """A transfer between two of the accounts, or the reversal of one that went the other way."""

    source: int
    target: int
    reversal: bool = False


@dataclass(frozen=True, slots=True)
class Crossing:
    """Three accounts with plenty on each: alice's, bob's, alice's; made by ``open``.

    All contests run on the same three, so that whatever order a service puts accounts in, movements
    of both directions are in it. ``_seen`` is what each showed last, in minor units.
    """

    alice: Merchant
    bob: Merchant
    fresh: Fresh
    amounts: tuple[Money, ...]
    callers: tuple[Client, Client]
    accounts: tuple[Account, ...]
    _seen: list[int] = field(default_factory=lambda: [FUNDS] * 3)
    _paying: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    async def open(cls, alice: Merchant, bob: Merchant, fresh: Fresh) -> Self:
        """Log the callers in, and open the accounts."""
        least = fresh.number(1, _MOST // 4)
        return cls(
            alice,
            bob,
            fresh,
            # Never the same amount: a lock that is named after it keeps nobody out.
            amounts=tuple(Money(least * number + 1, "GBP") for number in (1, 2, 3, 4)),
            callers=await callers_of(alice),
            accounts=tuple([await one.funded() for one in (alice, bob, alice)]),
        )

    def contest(self, *movements: Movement) -> Prepare:
        """One movement against another; of more, the first two come at once to one replica."""

        async def prepare(count: int) -> Contest:
            together = count == 2 < len(movements)
            chosen = movements if together else (movements * count)[:count]
            sends = [await self._send(number, one) for number, one in enumerate(chosen)]
            requests: list[Send] = [Crowd(*sends[:2]), Crowd(*sends[2:])] if together else sends
            return self._contest(requests, chosen)

        return prepare

    def with_a_deposit(self) -> Prepare:
        """A deposit against a transfer from the account that it goes to."""

        async def prepare(count: int) -> Contest:
            body = {"account": self.accounts[0].id, "amount": self.amounts[0].json()}
            client = self.alice.platform.client
            deposit = posting(client, "/v1/deposits", body, self.fresh.key())
            movement = Movement(0, 1)
            transfers = [await self._send(number, movement) for number in range(1, count)]
            return self._contest([deposit, *transfers], [movement])

        return prepare

    async def _send(self, number: int, movement: Movement) -> Send:
        """The request that moves; what is to be reversed is paid now."""
        source, target = self.accounts[movement.source], self.accounts[movement.target]
        amount, key = self.amounts[number], self.fresh.key()
        # One after the other of alice's clients: a lock named after either keeps nobody out.
        mover = self.bob.owner if movement.source == 1 else self.callers[number % 2]
        if not movement.reversal:
            return posting(mover, "/v1/transfers", transfer_body(source, target, amount), key)
        # Several contests are prepared at a time: no race is to be lost before it is begun.
        async with self._paying:
            paid = await self._owner(movement.target).transfer(target, source, amount)
        self._seen[movement.target] -= amount.amount
        self._seen[movement.source] += amount.amount
        return posting(mover, f"{paid.url}/reversal", {}, key)

    def _owner(self, number: int) -> Merchant:
        return self.bob if number == 1 else self.alice

    def _contest(self, requests: Sequence[Send], movements: Iterable[Movement]) -> Contest:
        concerned = sorted({place for one in movements for place in (one.source, one.target)})

        async def agree(_: Sequence[Answer]) -> None:
            """What is on the accounts is the view's matter."""

        read = reading(self.alice, self.accounts[0])
        return Contest(requests, partial(self._moved, concerned), _all_succeed, agree, read)

    async def _moved(self, concerned: Sequence[int]) -> View:
        """By how much each of some accounts differs from what it showed last."""
        shown = await asyncio.gather(
            *(self._owner(number).account(self.accounts[number]) for number in concerned)
        )
        moved, held = {}, {}
        for number, one in zip(concerned, shown, strict=True):
            posted = one.balance.posted.amount
            moved[str(number)] = posted - self._seen[number]
            held[str(number)] = one.balance.held.amount
            self._seen[number] = posted
        return {"moved": moved, "held": held}


def _all_succeed(answers: Sequence[Answer], _: View) -> None:
    for answer in answers:
        if not answer.ok:
            raise Broken(f"{answer}, though the accounts hold enough.")
