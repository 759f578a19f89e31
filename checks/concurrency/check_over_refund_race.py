"""over-refund-race: a sum of refunds, and another that it did not count (CWE-367)."""

from __future__ import annotations

from collections.abc import Sequence

from checks import contract
from checks.amounts import Money
from checks.attachment import Psp, Testbed
from checks.books import Books
from checks.client import Answer
from checks.contest import Contest, View, callers_of, posting, reading
from checks.fresh import Fresh
from checks.judging import Judge
from checks.lining_up import RACERS, contend
from checks.processor import effects
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.tenants import FUNDS, Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Lock the payment before its refunds are added up, or keep the refunded sum in a column"
    " whose update is conditional; reserve the amount before the PSP is asked."
)


@check(
    "over-refund-race",
    needs=contract.refunds,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    long=True,
    competencies=("db.locking", "db.transactions"),
)
async def refunds_never_exceed_the_capture(
    alice: Merchant, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """Refunds that come at once never exceed the captured amount together."""
    callers, shared = await callers_of(alice), await alice.funded()
    captured = fresh.money(10_000, 90_000)
    half = captured.amount // 2 + fresh.number(1, 1000)
    parts = [Money(half + number, "GBP") for number in range(RACERS)]

    async def prepare(count: int) -> Contest:
        books, card = Books(), fresh.card()
        # Two take a payment each time on one account, three on one whose books are compared.
        payee = shared if count == 2 else books.open(alice, await alice.funded())
        books.deposit(payee, Money(FUNDS, "GBP"))
        payment = await alice.pay(captured, payee, card=card)
        books.capture(payee, captured)

        async def view() -> View:
            done = [item for item in effects(await psp.journal(card)) if item.type == "refund"]
            shown = await alice.payment(payment)
            return {
                "status": shown.status,
                "refunded": shown.refunded.model_dump(),
                "effects": [(item.amount, item.currency) for item in done],
            }

        async def agree(answers: Sequence[Answer]) -> None:
            for number, answer in enumerate(answers):
                if answer.ok:
                    books.refund(payee, parts[number])
            await books.agree(Vulnerable, _HINT)

        def verify(answers: Sequence[Answer], shown: View) -> None:
            won, done = sum(answer.ok for answer in answers), len(shown["effects"])
            refunded = Money(shown["refunded"]["amount"], "GBP")
            if won > 1 or done > 1 or refunded > captured:
                raise Vulnerable(
                    f"{won} of {count} refunds of {parts[0]} and more succeeded on a capture of"
                    f" {captured}; the PSP carried out {done}, and the payment shows {refunded}"
                    " refunded.",
                    _HINT,
                )
            if not won:
                raise Broken(f"None of {count} refunds succeeded; one could: {answers[0]}.")

        requests = [
            posting(
                callers[number % 2],
                f"{payment.url}/refunds",
                {"amount": parts[number].json()},
                fresh.key(),
            )
            for number in range(count)
        ]
        return Contest(requests, view, verify, agree, reading(alice, payee))

    await contend(testbed, prepare, "refund", Judge(_HINT))
