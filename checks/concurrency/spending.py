"""Contests for the money of one account: requests that take more together than it holds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from checks.amounts import Money
from checks.books import Books
from checks.client import Answer, Client
from checks.contest import Contest, View, callers_of, posting, reading
from checks.fresh import Fresh
from checks.lining_up import RACERS
from checks.shapes import Account
from checks.tenants import Merchant, transfer_body
from checks.verdicts import Broken, Vulnerable

HINT = (
    "Decide and write in one step that the database keeps others out of: lock the account's row"
    " before its balance is read, or make the debit conditional on the balance, or retry a"
    " SERIALIZABLE transaction. A lock inside one process does not hold in another."
)


class Spending:
    """Requests that take more together than an account holds, each of them less.

    What is only paid from or into is the same for all contests: each contest's own is the account
    that is spent.
    """

    def __init__(self, alice: Merchant, bob: Merchant, fresh: Fresh) -> None:
        self._alice = alice
        self._bob = bob
        self._fresh = fresh
        # Any two are more than there is; none is of the same amount, to the same account, or by
        # the same client as the one before: a lock named after any of these keeps nobody out.
        least = fresh.number(1_000, 90_000)
        self._funds = Money(least + RACERS + fresh.number(0, least - 2 * RACERS), "GBP")
        self._amounts = [Money(least + number, "GBP") for number in range(RACERS)]
        self._reversed = fresh.money(1_000, 3_000)
        self._callers: tuple[Client, Client] = (alice.owner, alice.owner)
        self._targets: list[Account] = []
        self._payer: Account | None = None

    async def open(self) -> None:
        """Log the callers in, and open the accounts that all contests share."""
        alice, bob = self._alice, self._bob
        self._callers = await callers_of(alice)
        self._targets = [await one.open_account() for one in (bob, alice, bob)]
        self._payer = await bob.funded()

    async def transfers(self, count: int) -> Contest:
        """Transfers from one account."""
        alice, amounts = self._alice, self._amounts
        books = Books()

        def terms(number: int) -> tuple[Account, Money]:
            return self._targets[number % RACERS], amounts[number % RACERS]

        spent = books.open(alice, await alice.funded(self._funds))
        books.deposit(spent, self._funds)

        async def agree(answers: Sequence[Answer]) -> None:
            for number, answer in enumerate(answers):
                if answer.ok:
                    books.transfer(spent, *terms(number))
            await books.agree(Vulnerable, HINT)

        def verify(answers: Sequence[Answer], view: View) -> None:
            won, left = sum(answer.ok for answer in answers), _available(view)
            if won > 1 or left.amount < 0:
                raise Vulnerable(
                    f"{won} of {count} transfers of {amounts[0]} and more succeeded from an"
                    f" account that held {self._funds}; it now shows {left}.",
                    HINT,
                )
            if not won:
                raise Broken(f"None of {count} transfers succeeded; one could: {answers[0]}.")

        requests = [
            posting(
                self._callers[number % 2],
                "/v1/transfers",
                transfer_body(spent, *terms(number)),
                self._fresh.key(),
            )
            for number in range(count)
        ]
        return Contest(
            requests,
            partial(_balance, alice, spent),
            verify,
            agree,
            reading(alice, spent),
        )

    async def with_a_reversal(self, count: int) -> Contest:
        """What bob has paid is given back to him, and spent, at once."""
        alice, amount = self._alice, self._reversed
        owner, operator = self._callers
        books = Books()
        spent = books.open(alice, await alice.open_account())
        payer = self._payer or await self._bob.funded()
        paid = await self._bob.transfer(payer, spent, amount)
        books.transfer(payer, spent, amount)
        body = transfer_body(spent, self._targets[0], amount)

        async def agree(answers: Sequence[Answer]) -> None:
            for number, answer in enumerate(answers):
                if answer.ok:
                    target = self._targets[0] if number else payer
                    books.transfer(spent, target, amount, reversal=not number)
            await books.agree(Vulnerable, HINT)

        def verify(answers: Sequence[Answer], view: View) -> None:
            won, left = sum(answer.ok for answer in answers), _available(view)
            if won > 1 or left.amount < 0:
                raise Vulnerable(
                    f"Of a reversal and transfers of the same {amount} {won} succeeded; the account"
                    f" now shows {left}.",
                    HINT,
                )
            if not won:
                raise Broken(f"Neither the reversal nor a transfer succeeded: {answers[0]}.")

        requests = [
            posting(owner, f"{paid.url}/reversal", {}, self._fresh.key()),
            *(posting(operator, "/v1/transfers", body, self._fresh.key()) for _ in range(1, count)),
        ]
        return Contest(
            requests,
            partial(_balance, alice, spent),
            verify,
            agree,
            reading(alice, spent),
        )


async def _balance(merchant: Merchant, account: Account) -> View:
    shown = await merchant.account(account)
    return {"balance": shown.balance.model_dump()}


def _available(view: View) -> Money:
    return Money(view["balance"]["available"]["amount"], "GBP")
