"""What a user would do to find a race instead: send requests all at once, and look at what came.

Each round is as short as one would write it by hand for the flaw that one has in mind.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from checks.amounts import Money
from checks.client import Answer
from checks.contest import posting
from checks.interleaving import Send
from checks.losers import unfair
from checks.operations import OPERATIONS, Tenants
from checks.payouts import payout_body
from checks.processor import effects
from checks.settings import DAILY_LIMIT
from checks.tenants import Merchant, transfer_body

#: Seconds within which requests arrive, where they do not all arrive together.
JITTER = 0.02


@dataclass(frozen=True)
class Round:
    """Requests, and whether what they were answered, or did, shows the flaw."""

    sends: Sequence[Send]
    shows: Callable[[Sequence[Answer]], Awaitable[bool]]

    async def found(self, *, jitter: bool) -> bool:
        """Send them all at once, over two replicas; whether the flaw showed."""

        async def one(number: int, send: Send) -> Answer:
            await asyncio.sleep(random.uniform(0, JITTER) if jitter else 0)
            return await send(number % 2)

        return await self.shows(await asyncio.gather(*map(one, range(len(self.sends)), self.sends)))


async def _two_succeeded(answers: Sequence[Answer]) -> bool:
    return sum(answer.ok for answer in answers) > 1


async def _one_failed(answers: Sequence[Answer]) -> bool:
    return any(map(unfair, answers))


async def transfers(tenants: Tenants, count: int) -> Round:
    """Transfers of more than half of what an account holds."""
    alice, fresh = tenants.alice, tenants.fresh
    funds = fresh.money(10_000, 90_000)
    source, target = await alice.funded(funds), await tenants.account("to", tenants.bob)
    body = transfer_body(source, target, Money(funds.amount // 2 + 1, "GBP"))
    sends = [posting(alice.owner, "/v1/transfers", body, fresh.key()) for _ in range(count)]
    return Round(sends, _two_succeeded)


async def refunds(tenants: Tenants, count: int) -> Round:
    """Refunds of more than half of a payment."""
    alice, fresh, card = tenants.alice, tenants.fresh, tenants.fresh.card()
    account = await tenants.account("refunds", alice, funded=True)
    payment = await alice.pay(Money(9_000, "GBP"), account, card=card)
    path, body = f"{payment.url}/refunds", {"amount": Money(4_600, "GBP").json()}
    sends = [posting(alice.owner, path, body, fresh.key()) for _ in range(count)]
    return Round(sends, partial(_done_twice, tenants, card, "refund"))


async def captures(tenants: Tenants, count: int) -> Round:
    """Captures of one authorisation."""
    alice, fresh, card = tenants.alice, tenants.fresh, tenants.fresh.card()
    account = await tenants.account("captures", alice)
    payment = await alice.pay(Money(9_000, "GBP"), account, capture=False, card=card)
    path = f"{payment.url}/capture"
    sends = [posting(alice.owner, path, {}, fresh.key()) for _ in range(count)]
    return Round(sends, partial(_done_twice, tenants, card, "capture"))


async def _done_twice(
    tenants: Tenants, card: str, operation: str, answers: Sequence[Answer]
) -> bool:
    done = [one for one in effects(await tenants.psp.journal(card)) if one.type == operation]
    return len(done) > 1 or await _two_succeeded(answers)


async def renames(tenants: Tenants, count: int) -> Round:
    """Renames of one version of an account."""
    account = await tenants.alice.open_account()
    tag = {"If-Match": f'"{account.version}"'}

    async def rename(number: int, replica: int) -> Answer:
        body = {"name": f"Number {number}"}
        return await tenants.alice.owner.patch(account.url, body, headers=tag, replica=replica)

    return Round([partial(rename, number) for number in range(count)], _two_succeeded)


async def crossings(tenants: Tenants, count: int) -> Round:
    """Transfers to and fro between two accounts with plenty on each."""
    sides = (tenants.alice, tenants.bob)
    accounts = [await tenants.account(f"of {one.actor}", one, funded=True) for one in sides]
    there, back = (
        transfer_body(accounts[side], accounts[1 - side], Money(100, "GBP")) for side in (0, 1)
    )
    sends = [
        posting(
            sides[number % 2].owner,
            "/v1/transfers",
            back if number % 2 else there,
            tenants.fresh.key(),
        )
        for number in range(count)
    ]
    return Round(sends, _one_failed)


async def twins(tenants: Tenants, count: int) -> Round:
    """Payments under one key."""
    case, key = await OPERATIONS["sale"](tenants), tenants.fresh.key()

    async def send(replica: int) -> Answer:
        return await case.send(key, replica=replica)

    async def shows(_: Sequence[Answer]) -> bool:
        done = await case.effects()
        return any(count > whole for count, whole in zip(done, case.whole, strict=True))

    return Round([send] * count, shows)


async def reversals(tenants: Tenants, count: int) -> Round:
    """Reversals of one transfer."""
    source = await tenants.account("reversals to", tenants.bob, funded=True)
    target = await tenants.account("reversals", tenants.alice, funded=True)
    made = await tenants.bob.transfer(source, target, Money(500, "GBP"))
    path = f"{made.url}/reversal"
    sends = [posting(tenants.alice.owner, path, {}, tenants.fresh.key()) for _ in range(count)]
    return Round(sends, _two_succeeded)


async def executions(tenants: Tenants, count: int) -> Round:
    """Executions of one quote."""
    source = await tenants.account("executions", tenants.alice, funded=True)
    if "executions to" not in tenants.accounts:
        tenants.accounts["executions to"] = await tenants.alice.open_account("EUR")
    target = tenants.accounts["executions to"]
    quote = await tenants.alice.quote(source, target, Money(500, "GBP"))
    path = f"{quote.url}/execute"
    sends = [posting(tenants.alice.owner, path, {}, tenants.fresh.key()) for _ in range(count)]
    return Round(sends, _two_succeeded)


async def endings(tenants: Tenants, count: int) -> Round:
    """Captures and voids of one authorisation."""
    alice = tenants.alice
    account = await tenants.account("endings", alice)
    payment = await alice.pay(Money(9_000, "GBP"), account, capture=False)
    paths = [f"{payment.url}/{'void' if number % 2 else 'capture'}" for number in range(count)]
    sends = [posting(alice.owner, path, {}, tenants.fresh.key()) for path in paths]

    async def shows(answers: Sequence[Answer]) -> bool:
        return any(one.ok for one in answers[::2]) and any(one.ok for one in answers[1::2])

    return Round(sends, shows)


async def payouts(tenants: Tenants, count: int) -> Round:
    """Payouts of two accounts' money, of which a day's limit allows one."""
    merchant = Merchant("a new shop", tenants.platform, tenants.fresh)
    await merchant.open()
    funds = Money(DAILY_LIMIT * count, "GBP")
    accounts = [await merchant.funded(funds) for _ in range(2)]
    amount, payee = Money(DAILY_LIMIT * 3 // 5, "GBP"), tenants.fresh.payee()
    bodies = [payout_body(accounts[number % 2], amount, payee) for number in range(count)]
    sends = [posting(merchant.owner, "/v1/payouts", body, tenants.fresh.key()) for body in bodies]
    return Round(sends, _two_succeeded)


#: What is sent for each flaw. A power cut cannot be had by sending requests.
ROUNDS: dict[str, Callable[[Tenants, int], Awaitable[Round]]] = {
    "transfer-double-spend": transfers,
    "over-refund-race": refunds,
    "capture-twice": captures,
    "account-lost-update": renames,
    "transfer-deadlock": crossings,
    "serialization-500": crossings,
    "idempotency-claim-race": twins,
    "reversal-twice": reversals,
    "quote-executed-twice": executions,
    "capture-void-race": endings,
    "payout-limit-skew": payouts,
}
