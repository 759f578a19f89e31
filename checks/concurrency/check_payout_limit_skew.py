"""payout-limit-skew: a day's limit that holds for each account, and not for all (CWE-367)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Self

from checks import contract
from checks.amounts import Money
from checks.attachment import Testbed
from checks.client import Answer, Client
from checks.concurrency.lost_races import CHARGED
from checks.contest import Contest, View, callers_of, posting, reading
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.interleaving import Send
from checks.judging import Judge
from checks.lining_up import RACERS, contend
from checks.payouts import clear_of_midnight, make, payout_body
from checks.registry import check
from checks.settings import DAILY_LIMIT, PATIENT_CLAIMS
from checks.shapes import Account, Payout
from checks.tenants import Merchant
from checks.verdicts import Broken, Inconclusive, Vulnerable

_HINT = (
    "Add up what leaves on a day under a lock that every payout of the merchant takes, whatever its"
    " account: the merchant's row, all of its accounts, or a row that counts the day. Else retry a"
    " SERIALIZABLE transaction."
)

#: Seconds for which this goes on where a machine is not busy.
_LONG = 60.0


@dataclass(frozen=True, slots=True)
class _Treasury:
    """A merchant without payouts as yet, with an account for each request; made by ``open``."""

    merchant: Merchant
    fresh: Fresh
    accounts: Sequence[Account]
    day: date

    @classmethod
    async def open(cls, alice: Merchant, fresh: Fresh, funds: Money) -> Self:
        """A new merchant: no row of the database says anything of its day."""
        merchant = Merchant(f"{alice.actor}'s new shop", alice.platform, alice.fresh)
        await merchant.open()
        accounts = await all_of((merchant.funded(funds) for _ in range(RACERS)), at_once=RACERS)
        return cls(merchant, fresh, accounts, datetime.now(UTC).date())

    async def shown(self) -> list[Payout]:
        """Its payouts; ``Inconclusive`` where the day they are limited for has ended meanwhile."""
        found = [
            answer.read_value(row, Payout)
            async for answer, row in self.merchant.walk("/v1/payouts")
        ]
        if datetime.now(UTC).date() != self.day:
            raise Inconclusive(
                "The day (UTC) ended meanwhile, and a new one has a limit of its own."
            )
        return found

    async def view(self) -> View:
        """What it pays out, and of which account."""
        places = {account.id: number for number, account in enumerate(self.accounts)}
        return {
            "payouts": sorted(
                (places[one.account], one.amount.amount, one.status) for one in await self.shown()
            )
        }

    def verify(self, answers: Sequence[Answer], view: View) -> None:
        """No more is to leave than the limit says, and as much as can."""
        leaving = Money(sum(amount for _, amount, _ in view["payouts"]), "GBP")
        limit = Money(DAILY_LIMIT, "GBP")
        if leaving.amount > limit.amount:
            raise Vulnerable(
                f"{sum(answer.ok for answer in answers)} of {len(answers)} payouts at once were"
                f" taken, of {leaving} together; {limit} may leave on one day.",
                _HINT,
            )
        if not any(answer.ok for answer in answers):
            raise Broken(f"Of {len(answers)} payouts none was taken; one could: {answers[0]}.")

    async def agree(self, answers: Sequence[Answer]) -> None:
        """The accounts hold what their payouts say."""
        for account in self.accounts:
            held = sum(one.amount.amount for one in await self.shown() if one.account == account.id)
            now = await self.merchant.account(account)
            if now.balance.held.amount != held:
                raise Broken(
                    f"Account {account.id} holds {now.balance.held.money}; its payouts are"
                    f" {Money(held, 'GBP')}."
                )

    def contest(self, requests: Sequence[Send], *, alike: bool) -> Contest:
        """These requests, of which one can be taken."""
        read = reading(self.merchant, self.accounts[0])
        return Contest(requests, self.view, self.verify, self.agree, read, alike)


@check(
    "payout-limit-skew",
    needs=(*contract.payouts, "contract/a_days_payouts_have_a_limit"),
    exclusive=True,
    settings=PATIENT_CLAIMS,
    long=True,
    competencies=("db.locking", "db.transactions"),
)
async def a_days_limit_holds_for_all_accounts(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Payouts that come at once, of several accounts, keep to the merchant's daily limit."""
    # Each is within the limit, and no two are.
    least = DAILY_LIMIT // 2 + fresh.number(1, 10_000)
    amounts = [Money(least + number, "GBP") for number in range(RACERS)]
    funds = Money(DAILY_LIMIT, "GBP")
    payee = fresh.payee()
    await clear_of_midnight(_LONG)

    async def contest(raised: Collection[int], count: int, *, alike: bool) -> Contest:
        """So many requests, each of its own account: some raise a small payout, some make one."""
        treasury = await _Treasury.open(alice, fresh, funds)
        callers = await callers_of(treasury.merchant)
        requests: list[Send] = []
        for number in range(count):
            caller, account = callers[number % 2], treasury.accounts[number]
            if number in raised:
                small = await make(caller, fresh, account, fresh.money(100, 900), payee)
                requests.append(_raising(caller, small, amounts[number]))
            else:
                body = payout_body(account, amounts[number], payee)
                requests.append(posting(caller, "/v1/payouts", body, fresh.key()))
        return treasury.contest(requests, alike=alike)

    for what, raised, alike in (
        ("payout", (), True),
        ("raise of a payout", range(RACERS), True),
        ("change of a payout", (0,), False),
    ):
        prepare = partial(contest, raised, alike=alike)
        await contend(testbed, prepare, what, Judge(_HINT, CHARGED))


def _raising(caller: Client, payout: Payout, amount: Money) -> Send:
    async def send(replica: int) -> Answer:
        return await caller.patch(payout.url, {"amount": amount.json()}, replica=replica)

    return send
