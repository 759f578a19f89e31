"""Contests for one authorised payment: captures of it, whole or in part, of which one succeeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from checks.amounts import Money, fee
from checks.attachment import Psp
from checks.books import Books
from checks.client import Answer, Client
from checks.contest import Contest, View, callers_of, posting, reading
from checks.fresh import Fresh
from checks.lining_up import RACERS
from checks.processor import effects
from checks.shapes import Account, Payment
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

HINT = (
    "Let the database admit one capture of a payment, and commit that before the PSP is asked: a"
    " unique row for it, an UPDATE on condition that none was begun, or the payment's lock, held"
    " until the attempt is stored."
)


@dataclass(frozen=True, slots=True)
class Capturing:
    """Captures of an authorisation, by two clients in turn; made by ``open``.

    ``parts`` are amounts that fit into it all together, none like another: a guard of the sum lets
    them through, and one of the amount. Every contest is about a new payment to a new account.
    """

    alice: Merchant
    psp: Psp
    fresh: Fresh
    authorised: Money
    parts: tuple[Money, ...]
    callers: tuple[Client, Client]

    @classmethod
    async def open(cls, alice: Merchant, psp: Psp, fresh: Fresh) -> Self:
        """Log the callers in."""
        authorised = fresh.money(10_000, 90_000)
        most = [authorised.amount // 4 - 500 * number for number in range(RACERS)]
        parts = tuple(fresh.money(amount - 499, amount) for amount in most)
        return cls(alice, psp, fresh, authorised, parts, await callers_of(alice))

    async def contest(self, wanted: Sequence[Money | None], count: int) -> Contest:
        """The first so many of these captures; ``None`` is one of the whole amount."""
        books, card = Books(), self.fresh.card()
        payee = books.open(self.alice, await self.alice.open_account())
        payment = await self.alice.pay(self.authorised, payee, capture=False, card=card)
        amounts = [amount or self.authorised for amount in wanted]

        async def view() -> View:
            return await self._shown(payment, payee, card)

        def verify(answers: Sequence[Answer], shown: View) -> None:
            won = [number for number, answer in enumerate(answers) if answer.ok]
            done, credited = shown["effects"], shown["entries"]
            if max(len(won), len(done), len(credited)) > 1:
                raise Vulnerable(
                    f"{len(won)} of {count} captures of an authorisation of {self.authorised}"
                    f" succeeded; the PSP carried out {len(done)}, and the account shows"
                    f" {len(credited)} credited.",
                    HINT,
                )
            if not won:
                raise Broken(f"None of {count} captures succeeded; one could: {answers[0]}.")
            if answers[won[0]].status == 200:
                _took(amounts[won[0]], shown)

        async def agree(answers: Sequence[Answer]) -> None:
            for amount, answer in zip(amounts, answers, strict=False):
                if answer.ok:
                    books.capture(payee, amount)
            await books.agree(Vulnerable, HINT)

        requests = [
            posting(
                self.callers[number % 2],
                f"{payment.url}/capture",
                {} if amount is None else {"amount": amount.json()},
                self.fresh.key(),
            )
            for number, amount in enumerate(wanted[:count])
        ]
        return Contest(requests, view, verify, agree, reading(self.alice, payee))

    async def _shown(self, payment: Payment, payee: Account, card: str) -> View:
        done = [item for item in effects(await self.psp.journal(card)) if item.type == "capture"]
        shown = await self.alice.payment(payment)
        entries = await self.alice.entries(payee)
        return {
            "status": shown.status,
            "captured": shown.captured.model_dump(),
            "fee": shown.fee.model_dump(),
            "effects": [(item.amount, item.currency) for item in done],
            "entries": [(entry.kind, entry.amount.amount) for entry in entries],
        }


def _took(amount: Money, shown: View) -> None:
    """What was captured is what the capture that succeeded had asked for, everywhere."""
    wanted = {
        "status": "captured",
        "captured": amount.json(),
        "fee": fee(amount).json(),
        "effects": [(amount.decimal, amount.currency)],
        "entries": [("capture", (amount - fee(amount)).amount)],
    }
    for member, value in wanted.items():
        if shown[member] != value:
            raise Vulnerable(
                f"The capture that succeeded was of {amount}; {member} came out as"
                f" {shown[member]}.",
                HINT,
            )
