"""capture-twice: captures of one authorisation that come together (CWE-837)."""

from __future__ import annotations

from collections.abc import Sequence

from checks import contract
from checks.amounts import Money, fee
from checks.attachment import Psp, Testbed
from checks.books import Books
from checks.client import Answer
from checks.contest import Contest, View, callers_of, posting, reading
from checks.expectations import ambiguous
from checks.explorer import explore
from checks.fresh import Fresh
from checks.judging import Judge
from checks.lining_up import RACERS, line_up
from checks.probes import probe
from checks.processor import effects
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Let the database admit one capture of a payment, and commit that before the PSP is asked: a"
    " unique row for it, an UPDATE on condition that none was begun, or the payment's lock, held"
    " until the attempt is stored."
)


@check(
    "capture-twice",
    needs=contract.payments,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("db.locking", "db.transactions"),
)
async def an_authorisation_is_captured_once(
    alice: Merchant, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """Captures that come at once take an authorised payment once."""
    callers, authorised = await callers_of(alice), fresh.money(10_000, 90_000)
    least = authorised.amount // 4 - fresh.number(RACERS, 1000)
    # A guard of the sum lets parts through that fit together, one of the amount lets others.
    parts = [Money(least + number, "GBP") for number in range(RACERS)]

    async def prepare(count: int, wanted: Sequence[Money | None]) -> Contest:
        books, card = Books(), fresh.card()
        payee = books.open(alice, await alice.open_account())
        payment = await alice.pay(authorised, payee, capture=False, card=card)

        async def view() -> View:
            done = [item for item in effects(await psp.journal(card)) if item.type == "capture"]
            shown = await alice.payment(payment)
            return {
                "status": shown.status,
                "captured": shown.captured.model_dump(),
                "fee": shown.fee.model_dump(),
                "effects": [(item.amount, item.currency) for item in done],
                "entries": [(one.kind, one.amount.amount) for one in await alice.entries(payee)],
            }

        def taken(number: int) -> Money:
            return wanted[number] or authorised

        def verify(answers: Sequence[Answer], shown: View) -> None:
            won = [number for number, answer in enumerate(answers) if answer.ok]
            done, credited = shown["effects"], shown["entries"]
            if max(len(won), len(done), len(credited)) > 1:
                raise Vulnerable(
                    f"{len(won)} of {count} captures of an authorisation of {authorised}"
                    f" succeeded; the PSP carried out {len(done)}, and the account was credited"
                    f" {len(credited)} times.",
                    _HINT,
                )
            if not won:
                raise Broken(f"None of {count} captures succeeded; one could: {answers[0]}.")
            if answers[won[0]].status == 200:
                _took(taken(won[0]), shown)

        async def agree(answers: Sequence[Answer]) -> None:
            for number, answer in enumerate(answers):
                if answer.ok:
                    books.capture(payee, taken(number))
            await books.agree(Vulnerable, _HINT)

        requests = [
            posting(
                callers[number % 2],
                f"{payment.url}/capture",
                {} if (part := wanted[number]) is None else {"amount": part.json()},
                fresh.key(),
            )
            for number in range(count)
        ]
        return Contest(requests, view, verify, agree, reading(alice, payee))

    async def of_all(count: int) -> Contest:
        return await prepare(count, (None, None, parts[0]))

    async def of_parts(count: int) -> Contest:
        return await prepare(count, parts)

    for contest, what in ((of_all, "capture"), (of_parts, "partial capture")):
        explored = await explore(testbed, contest, what, Judge(_HINT))
        await line_up(testbed, contest, what, explored)


def _took(amount: Money, shown: View) -> None:
    """What was captured is what the capture that succeeded had asked for, everywhere."""
    wanted = {
        "status": "captured",
        "captured": {"amount": amount.amount, "currency": amount.currency},
        "effects": [(amount.decimal, amount.currency)],
        "entries": [("capture", amount.amount - fee(amount).amount)],
    }
    for member, value in wanted.items():
        if shown[member] != value:
            raise Vulnerable(
                f"The capture that succeeded was of {amount}; {member} came out as"
                f" {shown[member]}.",
                _HINT,
            )


@check(
    "capture-twice",
    needs=contract.payments,
    competencies=("db.transactions", "resilience.outside-calls"),
)
async def a_capture_without_an_outcome_counts(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """What may have been captured already cannot be captured again."""
    card, authorised = fresh.card(), fresh.money(10_000, 90_000)
    payment = await alice.pay(authorised, capture=False, card=card)
    path = f"{payment.url}/capture"
    fault = await psp.fault("drop_after", "capture", "lookup", token=card)
    with probe("a capture that the PSP carries out without a word, and another") as attempt:
        first = await alice.post(path, {}, key=fresh.key())
        if not ambiguous(first):
            attempt.note("The outcome was said to be known: another check's matter.")
        second = await alice.post(path, {}, key=fresh.key())
        await psp.lift(fault)
        done = [item for item in effects(await psp.journal(card)) if item.type == "capture"]
        if len(done) > 1:
            raise Vulnerable(
                f"{first} to a capture of {authorised}, and {second} to one more; the PSP carried"
                f" out {len(done)}.",
                _HINT,
            )
