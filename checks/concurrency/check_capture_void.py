"""capture-void-race: a capture and a void of one authorisation that come together (CWE-362)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

from checks import contract
from checks.amounts import Money
from checks.attachment import Psp, Testbed
from checks.books import Books
from checks.client import Answer, Client
from checks.contest import Contest, View, callers_of, posting, reading
from checks.expectations import ambiguous
from checks.fresh import Fresh
from checks.judging import Judge
from checks.lining_up import contend
from checks.probes import probe
from checks.processor import effects
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.shapes import Account, Payment
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Let the database admit one operation that ends an authorisation, be it a capture or a void,"
    " and commit that before the PSP is asked: the payment's lock, held until it is stored,"
    " a unique row for both, or an UPDATE on condition that neither was begun."
)

_End = Literal["capture", "void"]

_CAPTURED: Final = "capture"
_VOIDED: Final = "void"

#: How often the service is made to ask in vain what became of one.
_ASKED = 3


@dataclass(frozen=True, slots=True)
class _Ending:
    """Captures and voids of an authorisation, by two clients in turn; made by ``open``."""

    alice: Merchant
    psp: Psp
    fresh: Fresh
    callers: tuple[Client, Client]

    @classmethod
    async def open(cls, alice: Merchant, psp: Psp, fresh: Fresh) -> Self:
        """Log the callers in."""
        return cls(alice, psp, fresh, await callers_of(alice))

    async def contest(self, count: int) -> Contest:
        """A capture against a void, and against one more; of a new payment to a new account."""
        books, card = Books(), self.fresh.card()
        payee = books.open(self.alice, await self.alice.open_account())
        amount = self.fresh.money(10_000, 90_000)
        payment = await self.alice.pay(amount, payee, capture=False, card=card)
        acts = (_CAPTURED, _VOIDED, _VOIDED)[:count]

        async def view() -> View:
            return await self._shown(payment, payee, card)

        def verify(answers: Sequence[Answer], shown: View) -> None:
            _one_end(acts, answers, shown, amount)

        async def agree(answers: Sequence[Answer]) -> None:
            if any(
                answer.ok and act == _CAPTURED for act, answer in zip(acts, answers, strict=True)
            ):
                books.capture(payee, amount)
            await books.agree(Vulnerable, _HINT)

        requests = [
            posting(self.callers[number % 2], f"{payment.url}/{act}", {}, self.fresh.key())
            for number, act in enumerate(acts)
        ]
        return Contest(requests, view, verify, agree, reading(self.alice, payee))

    async def _shown(self, payment: Payment, payee: Account, card: str) -> View:
        done = [item.type for item in effects(await self.psp.journal(card))]
        shown = await self.alice.payment(payment)
        entries = await self.alice.entries(payee)
        return {
            "status": shown.status,
            "captured": shown.captured.model_dump(),
            "effects": [kind for kind in done if kind != "authorisation"],
            "entries": [(entry.kind, entry.amount.amount) for entry in entries],
        }


def _one_end(acts: Sequence[str], answers: Sequence[Answer], shown: View, amount: Money) -> None:
    """The payment was captured or voided, and everything says the same of it."""
    won = {act for act, answer in zip(acts, answers, strict=True) if answer.ok}
    done = won | set(shown["effects"]) | {kind for kind, _ in shown["entries"]}
    if {_CAPTURED, _VOIDED} <= done:
        raise Vulnerable(
            f"A capture and a void of {amount} at once: {' and '.join(sorted(won)) or 'neither'}"
            f" succeeded, the PSP carried out {' and '.join(shown['effects']) or 'nothing'}; the"
            f" payment is {shown['status']}, and {len(shown['entries'])} entries were made.",
            _HINT,
        )
    if not won:
        raise Broken(f"Neither capture nor void succeeded; one could: {answers[0]}.")
    wanted = {_CAPTURED: "captured", _VOIDED: "voided"}[won.pop()]
    if shown["status"] != wanted:
        raise Broken(f"The payment was {wanted}, and shows as {shown['status']}.")


@check(
    "capture-void-race",
    needs=(*contract.payments, *contract.voids),
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("db.locking", "db.transactions"),
)
async def an_authorisation_has_one_end(
    alice: Merchant, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """Of a capture and a void that come at once, one is carried out."""
    ending = await _Ending.open(alice, psp, fresh)
    await contend(testbed, ending.contest, "ending", Judge(_HINT))


@check(
    "capture-void-race",
    needs=(*contract.payments, *contract.voids),
    competencies=("db.transactions", "resilience.outside-calls"),
)
async def an_end_without_an_outcome_counts(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """What may have been captured already is not voided, and the other way round."""
    await _after_silence(alice, psp, fresh, _CAPTURED, _VOIDED)
    await _after_silence(alice, psp, fresh, _VOIDED, _CAPTURED)


async def _after_silence(alice: Merchant, psp: Psp, fresh: Fresh, first: _End, then: _End) -> None:
    """Ask for one that the PSP carries out without a word, and then for the other.

    At once, and when the PSP was asked in vain a few times, which may be taken for a reason to give
    the first up.
    """
    card = fresh.card()
    payment = await alice.pay(capture=False, card=card)
    fault = await psp.fault("drop_after", first, "lookup", token=card)
    with probe(f"a {first} that the PSP carries out without a word, and a {then}") as attempt:
        silent = await alice.post(f"{payment.url}/{first}", {}, key=fresh.key())
        if not ambiguous(silent):
            attempt.note("The outcome was said to be known: another check's matter.")
        others = [await alice.post(f"{payment.url}/{then}", {}, key=fresh.key())]
        for _ in range(_ASKED):
            await alice.sync(payment)
        others.append(await alice.post(f"{payment.url}/{then}", {}, key=fresh.key()))
        await psp.lift(fault)
        done = {item.type for item in effects(await psp.journal(card))}
        if {first, then} <= done:
            accepted = next((answer for answer in others if not answer.refused), others[0])
            raise Vulnerable(
                f"{silent} to a {first}, and {accepted} to a {then}; the PSP carried out both.",
                _HINT,
            )
