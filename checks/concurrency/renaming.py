"""Contests for one account: renames of the version that all of them have read, and money."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
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
from checks.losers import seen
from checks.shapes import Account
from checks.tenants import FUNDS, Merchant, transfer_body
from checks.verdicts import Broken, Vulnerable

HINT = (
    "Compare and write in one step that the database keeps others out of: name the version of"
    " If-Match in the UPDATE's condition, and look at its row count; or lock the row before the"
    " version is compared. Write nothing but the name and the version."
)


@dataclass(frozen=True, slots=True)
class Renaming:
    """Renames that name one version of an account, whatever else happens to it; made by ``open``.

    Every contest is about a new account, and uses the same names and amounts.
    """

    alice: Merchant
    fresh: Fresh
    name: str
    names: tuple[str, ...]
    spent: Money
    paid_in: Money
    callers: tuple[Client, Client]
    target: Account

    @classmethod
    async def open(cls, alice: Merchant, bob: Merchant, fresh: Fresh) -> Self:
        """Log the callers in, and open the account that is paid."""
        name = fresh.name()
        return cls(
            alice,
            fresh,
            name,
            names=tuple(f"{name} {number} {fresh.word()}" for number in range(RACERS)),
            spent=fresh.money(1_000, 9_000),
            paid_in=fresh.money(10_000, 90_000),
            callers=await callers_of(alice),
            target=await bob.open_account(),
        )

    async def renames(self, count: int) -> Contest:
        """Renames, each to a name of its own: one succeeds."""
        account, names = await self._account(), self.names[:count]

        def verify(answers: Sequence[Answer], shown: View) -> None:
            won = [number for number, answer in enumerate(answers) if answer.ok]
            if len(won) > 1:
                raise Vulnerable(
                    f"{len(won)} of {count} renames of an account's version {account.version}"
                    f" succeeded; the account now shows version {shown['version']},"
                    f" {shown['name']!r}.",
                    HINT,
                )
            _stale(answers)
            _renamed(account, names[won[0]], answers[won[0]], shown)

        return self._contest(account, self._patches(account, names), verify)

    async def with_the_old_name(self, count: int) -> Contest:
        """Renames, the second of them to the name that the account has already.

        Whether that one counts is the service's own affair. If it does not, it changes no version,
        and another may succeed besides.
        """
        account = await self._account()
        names = (self.names[0], self.name, *self.names[1:])[:count]

        def verify(answers: Sequence[Answer], shown: View) -> None:
            _stale(answers)
            kept = [name for name, answer in zip(names, answers, strict=True) if answer.ok]
            new = [name for name in kept if name != self.name] or [self.name]
            made = [answer.read(Account).version for answer in answers if answer.ok]
            counted = sum(version > account.version for version in made)
            if counted > 1 or shown["version"] > account.version + 1 or new != [shown["name"]]:
                raise Vulnerable(
                    f"Renames of an account's version {account.version} to {kept} succeeded; the"
                    f" account now shows version {shown['version']}, {shown['name']!r}.",
                    HINT,
                )

        return self._contest(account, self._patches(account, names), verify)

    async def with_a_transfer(self, count: int) -> Contest:
        """A rename while the account pays; all succeed."""
        return await self._with_money(count, (-self.spent, self.paid_in))

    async def with_a_deposit(self, count: int) -> Contest:
        """A rename while the account is paid; all succeed."""
        return await self._with_money(count, (self.paid_in, -self.spent))

    async def _with_money(self, count: int, amounts: Sequence[Money]) -> Contest:
        """A rename, and these signed amounts: what is negative is paid, the rest is paid in."""
        account, books = await self._account(), Books()
        books.open(self.alice, account)
        funds = Money(FUNDS, "GBP")
        await self.alice.platform.deposit(account, funds)
        books.deposit(account, funds)
        moved = amounts[: count - 1]
        left = sum((amount.amount for amount in moved), funds.amount)
        name = self.names[0]

        def verify(answers: Sequence[Answer], shown: View) -> None:
            for answer in answers:
                if not answer.ok:
                    raise Broken(f"{answer}, though nobody was in its way.")
            _renamed(account, name, answers[0], shown)
            if shown["balance"]["posted"]["amount"] != left:
                raise Vulnerable(
                    f"Money moved while an account was renamed; it shows {shown['balance']}"
                    f" instead of {left} posted.",
                    HINT,
                )

        async def agree(_: Sequence[Answer]) -> None:
            for amount in moved:
                if amount.amount > 0:
                    books.deposit(account, amount)
                else:
                    books.transfer(account, self.target, -amount)
            await books.agree(Vulnerable, HINT)

        requests = [
            *self._patches(account, (name,)),
            *(self._moving(account, amount) for amount in moved),
        ]
        return self._contest(account, requests, verify, agree)

    def _patches(self, account: Account, names: Sequence[str]) -> list[Send]:
        """A rename to each name, by the callers in turn, of the version that the account has."""
        tag = {"If-Match": f'"{account.version}"'}

        async def send(client: Client, name: str, replica: int) -> Answer:
            return await client.patch(account.url, {"name": name}, headers=tag, replica=replica)

        return [partial(send, self.callers[number % 2], name) for number, name in enumerate(names)]

    def _moving(self, account: Account, amount: Money) -> Send:
        if amount.amount > 0:
            body = {"account": account.id, "amount": amount.json()}
            return posting(self.alice.platform.client, "/v1/deposits", body, self.fresh.key())
        body = transfer_body(account, self.target, -amount)
        return posting(self.callers[1], "/v1/transfers", body, self.fresh.key())

    async def _account(self) -> Account:
        """A new account that each replica has shown: what it remembers of it is true, as yet."""
        account = await self.alice.open_account(name=self.name)
        for replica in range(len(self.alice.platform.connections.replicas)):
            await seen(self.alice.owner, account.url, replica=replica)
        return account

    def _contest(
        self,
        account: Account,
        requests: Sequence[Send],
        verify: Callable[[Sequence[Answer], View], None],
        agree: Callable[[Sequence[Answer]], Awaitable[None]] | None = None,
    ) -> Contest:
        async def view() -> View:
            answer = await seen(self.alice.owner, account.url)
            shown = answer.read(Account)
            return {
                "name": shown.name,
                "version": shown.version,
                "tag": answer.headers.get("ETag"),
                "balance": shown.balance.model_dump(),
            }

        async def nothing(_: Sequence[Answer]) -> None:
            """Renames move no money."""

        return Contest(requests, view, verify, agree or nothing, reading(self.alice, account))


def _stale(answers: Sequence[Answer]) -> None:
    """Who did not succeed was told that his version is stale, but not all were."""
    if not any(answer.ok for answer in answers):
        raise Broken(f"None of {len(answers)} renames succeeded; one could: {answers[0]}.")
    for answer in answers:
        if not answer.ok:
            answer.expect(412, code="precondition_failed")


def _renamed(account: Account, name: str, answer: Answer, shown: View) -> None:
    """The one rename that succeeded is what the account shows, and was counted once."""
    told, version = answer.expect(200).read(Account), account.version + 1
    if (told.name, told.version) != (name, version):
        raise Broken(f"{answer} with version {told.version}, {told.name!r}.")
    if (shown["name"], shown["version"]) != (name, version):
        raise Vulnerable(
            f"The one rename that succeeded made version {version}, {name!r}; the account now"
            f" shows version {shown['version']}, {shown['name']!r}.",
            HINT,
        )
    if shown["tag"] != f'"{version}"':
        raise Broken(f"GET {account.url} carries ETag {shown['tag']}; its version is {version}.")
