"""Contests for the money of one account: requests that take more together than it holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

from checks.amounts import Money
from checks.books import Books
from checks.client import Answer, Client
from checks.contest import Contest, View, callers_of, posting, reading
from checks.fresh import Fresh
from checks.interleaving import Send
from checks.lining_up import RACERS
from checks.shapes import Account
from checks.tenants import Merchant, transfer_body
from checks.verdicts import Broken, Vulnerable

HINT = (
    "Decide and write in one step that the database keeps others out of: lock the account's row"
    " before its balance is read, or make the debit conditional on the balance, or retry a"
    " SERIALIZABLE transaction. A lock inside one process does not hold in another."
)


@dataclass(frozen=True, slots=True)
class Spending:
    """Requests that take more together than an account holds, each of them less; made by ``open``.

    Two pay into the same accounts each time; more pay into new ones, whose books are compared.
    """

    alice: Merchant
    bob: Merchant
    fresh: Fresh
    funds: Money
    amounts: tuple[Money, ...]
    reversed: Money
    callers: tuple[Client, Client]
    targets: tuple[Account, ...]
    payer: Account

    @classmethod
    async def open(cls, alice: Merchant, bob: Merchant, fresh: Fresh) -> Self:
        """Log the callers in, and open the accounts that contests of two share."""
        # Any two are more than there is; none is of the same amount, to the same account, or by
        # the same client as the one before: a lock named after any of these keeps nobody out.
        least = fresh.number(1_000, 90_000)
        return cls(
            alice,
            bob,
            fresh,
            funds=Money(least + RACERS + fresh.number(0, least - 2 * RACERS), "GBP"),
            amounts=tuple(Money(least + number, "GBP") for number in range(RACERS)),
            reversed=fresh.money(1_000, 3_000),
            callers=await callers_of(alice),
            targets=await _open_targets(alice, bob),
            payer=await bob.funded(),
        )

    async def transfers(self, count: int) -> Contest:
        """Transfers from one account."""
        books, targets = await self._books(count)
        spent = books.open(self.alice, await self.alice.funded(self.funds))
        books.deposit(spent, self.funds)

        def terms(number: int) -> tuple[Account, Money]:
            return targets[number % RACERS], self.amounts[number % RACERS]

        requests = [
            posting(
                self.callers[number % 2],
                "/v1/transfers",
                transfer_body(spent, *terms(number)),
                self.fresh.key(),
            )
            for number in range(count)
        ]
        return self._contest(
            f"{count} transfers of {self.amounts[0]} and more from an account that held"
            f" {self.funds}",
            spent,
            requests,
            books,
            lambda number: books.transfer(spent, *terms(number)),
        )

    async def with_a_reversal(self, count: int) -> Contest:
        """What bob has paid is given back to him, and spent, at once."""
        amount, (owner, operator) = self.reversed, self.callers
        books, targets = await self._books(count)
        spent = books.open(self.alice, await self.alice.open_account())
        paid = await self.bob.transfer(self.payer, spent, amount)
        books.transfer(self.payer, spent, amount)
        body = transfer_body(spent, targets[0], amount)

        def book(number: int) -> None:
            target = targets[0] if number else self.payer
            books.transfer(spent, target, amount, reversal=not number)

        requests = [
            posting(owner, f"{paid.url}/reversal", {}, self.fresh.key()),
            *(posting(operator, "/v1/transfers", body, self.fresh.key()) for _ in range(1, count)),
        ]
        return self._contest(
            f"a reversal and transfers of the same {amount}", spent, requests, books, book
        )

    async def _books(self, count: int) -> tuple[Books, Sequence[Account]]:
        """Books for a contest, and the accounts that it pays into."""
        books = Books()
        if count == 2:
            return books, self.targets
        targets = await _open_targets(self.alice, self.bob)
        for owner, account in zip((self.bob, self.alice, self.bob), targets, strict=True):
            books.open(owner, account)
        return books, targets

    def _contest(
        self,
        what: str,
        spent: Account,
        requests: Sequence[Send],
        books: Books,
        book: Callable[[int], None],
    ) -> Contest:
        """A contest of which one request can succeed; ``book`` notes the one of that number."""

        async def agree(answers: Sequence[Answer]) -> None:
            for number, answer in enumerate(answers):
                if answer.ok:
                    book(number)
            await books.agree(Vulnerable, HINT)

        def verify(answers: Sequence[Answer], view: View) -> None:
            won, left = sum(answer.ok for answer in answers), _available(view)
            if won > 1 or left.amount < 0:
                raise Vulnerable(f"Of {what} {won} succeeded; the account now shows {left}.", HINT)
            if not won:
                raise Broken(f"Of {what} none succeeded; one could: {answers[0]}.")

        view = partial(_balance, self.alice, spent)
        return Contest(requests, view, verify, agree, reading(self.alice, spent))


async def _open_targets(alice: Merchant, bob: Merchant) -> tuple[Account, ...]:
    return tuple([await one.open_account() for one in (bob, alice, bob)])


async def _balance(merchant: Merchant, account: Account) -> View:
    shown = await merchant.account(account)
    return {"balance": shown.balance.model_dump()}


def _available(view: View) -> Money:
    return Money(view["balance"]["available"]["amount"], "GBP")
