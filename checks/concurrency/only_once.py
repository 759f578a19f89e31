"""Contests for what may be done to an object once: whoever comes second is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from checks.books import Books
from checks.client import Answer, Client
from checks.contest import Contest, View, posting, reading
from checks.fresh import Fresh
from checks.shapes import Account
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable


@dataclass(frozen=True, slots=True)
class OnlyOnce:
    """An act on one object, such as the reversal of a transfer, in the words of a report.

    ``state`` is what the object shows. ``moved`` are the owner's accounts that the act moves money
    of, each with the amount (signed, minor units) of the entry that it makes there. ``book`` notes
    the act in ``books``, where any are kept.
    """

    what: str
    path: str
    owner: Merchant
    callers: Sequence[Client]
    state: Callable[[], Awaitable[object]]
    moved: Sequence[tuple[Account, int]]
    hint: str
    books: Books = field(default_factory=Books)
    book: Callable[[], None] = lambda: None

    def contest(self, count: int, fresh: Fresh) -> Contest:
        """So many requests for it, by the callers in turn, each under a key of its own."""
        requests = [
            posting(self.callers[number % len(self.callers)], self.path, {}, fresh.key())
            for number in range(count)
        ]
        first, _ = self.moved[0]
        read = reading(self.owner, first)
        return Contest(requests, self._view, self._verify, self._agree, read, alike=True)

    async def _view(self) -> View:
        shown: View = {"state": await self.state()}
        for number, (account, _) in enumerate(self.moved):
            entries = await self.owner.entries(account)
            shown[f"account {number}"] = [(entry.kind, entry.amount.amount) for entry in entries]
            balance = (await self.owner.account(account)).balance
            shown[f"balance {number}"] = balance.model_dump()
        return shown

    def _verify(self, answers: Sequence[Answer], shown: View) -> None:
        won = sum(answer.ok for answer in answers)
        times = [
            sum(amount == wanted for _, amount in shown[f"account {number}"])
            for number, (_, wanted) in enumerate(self.moved)
        ]
        if max(won, *times) > 1:
            raise Vulnerable(
                f"{self.what} was asked for {len(answers)} times and succeeded {won} times; it"
                f" moved money {max(times)} times.",
                self.hint,
            )
        for number in range(len(self.moved)):
            self._balanced(number, shown)
        if not won:
            raise Broken(f"{self.what} never succeeded; once it could: {answers[0]}.")
        if min(times) < 1:
            raise Broken(f"{self.what} succeeded, and did not move its money.")

    def _balanced(self, number: int, shown: View) -> None:
        """An account's balance is what its entries come to."""
        posted = shown[f"balance {number}"]["posted"]["amount"]
        total = sum(amount for _, amount in shown[f"account {number}"])
        if posted != total:
            raise Vulnerable(
                f"{self.what} was asked for more than once: an account shows {posted} posted, and"
                f" entries of {total} (minor units).",
                self.hint,
            )

    async def _agree(self, answers: Sequence[Answer]) -> None:
        if any(answer.ok for answer in answers):
            self.book()
        await self.books.agree(Vulnerable, self.hint)
