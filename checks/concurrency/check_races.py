"""transfer-double-spend and over-refund-race: a check, and a write that came too late (CWE-362)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from checks import contract
from checks.amounts import Money
from checks.attachment import Psp, Testbed
from checks.books import Books
from checks.client import Answer
from checks.expectations import ambiguous
from checks.fresh import Fresh
from checks.gate import Race, race
from checks.losers import follow_up, unfailed
from checks.probes import probe
from checks.processor import effects
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.shapes import Account
from checks.tables import tables_written
from checks.tenants import FUNDS, Merchant, transfer_body
from checks.verdicts import Broken, Inconclusive, Vulnerable

_TRANSFER_HINT = (
    "Decide and write in one step that the database keeps others out of: lock the account's row"
    " before its balance is read, or make the debit conditional on the balance, or retry a"
    " SERIALIZABLE transaction. A lock inside one process does not hold in another."
)
_REFUND_HINT = (
    "Lock the payment before its refunds are added up, or keep the refunded sum in a column"
    " whose update is conditional; reserve the amount before the PSP is asked."
)

#: Requests in a race, of which one may succeed.
_RACERS = 3

Send = Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class _Contest:
    """Requests of which one can succeed, and how to see what came of them."""

    requests: Sequence[Send]
    verify: Callable[[Sequence[Answer]], Awaitable[None]]
    reader: Merchant
    account: Account


async def _drive(
    testbed: Testbed,
    solo: Send,
    contest: Callable[[], Awaitable[_Contest]],
    what: str,
) -> None:
    """Run the contest at the gate of each table that a solo run of the request wrote."""
    tables = await tables_written(testbed, solo)
    if not tables:
        raise Inconclusive(f"A {what} on its own wrote no table that could be held.")
    races: list[Race] = []
    for table in tables:
        ready = await contest()
        with probe(f"{_RACERS} {what}s at once, held at their writes to {table}"):
            read = partial(_read, ready.reader, ready.account)
            run = await race(testbed, table, ready.requests, read)
            races.append(run)
            settled = await follow_up(run.answers, ready.requests)
            await ready.verify(settled)
            unfailed((*run.answers, *settled))
    if not any(run.driven for run in races):
        raise Inconclusive(
            f"At none of {', '.join(tables)} did the {what}s line up: the race could not be driven."
        )


async def _read(merchant: Merchant, account: Account, replica: int) -> Answer:
    return await merchant.get(account.url, replica=replica, record=False)


@check(
    "transfer-double-spend",
    needs=contract.transfers,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("db.locking", "db.transactions"),
)
async def transfers_never_overdraw(
    alice: Merchant, bob: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Transfers that come at once spend an account's money once."""
    source, target = await alice.funded(), await bob.open_account()

    async def solo() -> Answer:
        body = transfer_body(source, target, fresh.money(100, 900))
        return (await alice.post("/v1/transfers", body, key=fresh.key())).expect(201)

    async def contest() -> _Contest:
        # Any two are more than there is; none is of the same amount, to the same account, or by
        # the same client as the one before: a lock named after any of these keeps nobody out.
        least = fresh.number(1_000, 90_000)
        funds = Money(least + _RACERS + fresh.number(0, least - 2 * _RACERS), "GBP")
        books = Books()
        spent = books.open(alice, await alice.funded(funds))
        books.deposit(spent, funds)
        targets = [books.open(one, await one.open_account()) for one in (bob, alice, bob)[:_RACERS]]
        amounts = [Money(least + number, "GBP") for number in range(_RACERS)]
        callers = (alice.owner, await alice.client("operator"))
        requests = [
            partial(
                callers[number % 2].post,
                "/v1/transfers",
                transfer_body(spent, targets[number], amounts[number]),
                key=fresh.key(),
                replica=number % len(testbed.replicas),
            )
            for number in range(_RACERS)
        ]

        async def verify(answers: Sequence[Answer]) -> None:
            won = [number for number, answer in enumerate(answers) if answer.ok]
            left = (await alice.account(spent)).balance.available.amount
            if len(won) > 1 or left < 0:
                raise Vulnerable(
                    f"{len(won)} of {_RACERS} transfers of {amounts[0]} and more succeeded from an"
                    f" account that held {funds}; it now shows {Money(left, 'GBP')}.",
                    _TRANSFER_HINT,
                )
            if not won:
                raise Broken(f"None of {_RACERS} transfers succeeded; one could: {answers[0]}.")
            books.transfer(spent, targets[won[0]], amounts[won[0]])
            await books.agree(Vulnerable, _TRANSFER_HINT)

        return _Contest(requests, verify, alice, spent)

    async def with_a_reversal() -> _Contest:
        # What bob has paid is given back to him, and spent, at once.
        amount = fresh.money(1_000, 90_000)
        spent, elsewhere = await alice.open_account(), await bob.open_account()
        paid = await bob.transfer(await bob.funded(), spent, amount)
        body = transfer_body(spent, elsewhere, amount)
        operator = await alice.client("operator")
        requests = [
            partial(alice.owner.post, f"{paid.url}/reversal", {}, key=fresh.key(), replica=0),
            *(
                partial(
                    operator.post,
                    "/v1/transfers",
                    body,
                    key=fresh.key(),
                    replica=number % len(testbed.replicas),
                )
                for number in range(1, _RACERS)
            ),
        ]

        async def verify(answers: Sequence[Answer]) -> None:
            won = sum(answer.ok for answer in answers)
            left = (await alice.account(spent)).balance.available.amount
            if won > 1 or left < 0:
                raise Vulnerable(
                    f"Of a reversal and transfers of the same {amount} {won} succeeded; the account"
                    f" now shows {Money(left, 'GBP')}.",
                    _TRANSFER_HINT,
                )
            if not won:
                raise Broken(f"Neither the reversal nor a transfer succeeded: {answers[0]}.")

        return _Contest(requests, verify, alice, spent)

    await _drive(testbed, solo, contest, "transfer")
    await _drive(testbed, solo, with_a_reversal, "debit")


@check(
    "over-refund-race",
    needs=contract.refunds,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("db.locking", "db.transactions"),
)
async def refunds_never_exceed_the_capture(
    alice: Merchant, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """Refunds that come at once never exceed the captured amount together."""
    account = await alice.funded()
    first = await alice.pay(account=account)

    async def solo() -> Answer:
        body = {"amount": Money(100, "GBP").json()}
        return (await alice.post(f"{first.url}/refunds", body, key=fresh.key())).expect(201)

    async def contest() -> _Contest:
        books = Books()
        payee, card = books.open(alice, await alice.funded()), fresh.card()
        books.deposit(payee, Money(FUNDS, "GBP"))
        captured = fresh.money(10_000, 90_000)
        payment = await alice.pay(captured, payee, card=card)
        books.capture(payee, captured)
        half = captured.amount // 2 + fresh.number(1, 1000)
        parts = [Money(half + number, "GBP") for number in range(_RACERS)]
        callers = (alice.owner, await alice.client("operator"))
        requests = [
            partial(
                callers[number % 2].post,
                f"{payment.url}/refunds",
                {"amount": parts[number].json()},
                key=fresh.key(),
                replica=number % len(testbed.replicas),
            )
            for number in range(_RACERS)
        ]

        async def verify(answers: Sequence[Answer]) -> None:
            won = [number for number, answer in enumerate(answers) if answer.ok]
            done = [item for item in effects(await psp.journal(card)) if item.type == "refund"]
            shown = await alice.payment(payment)
            if len(won) > 1 or len(done) > 1 or shown.refunded.money > captured:
                raise Vulnerable(
                    f"{len(won)} of {_RACERS} refunds of {parts[0]} and more succeeded on a capture"
                    f" of {captured}; the PSP carried out {len(done)}, and the payment shows"
                    f" {shown.refunded.money} refunded.",
                    _REFUND_HINT,
                )
            if not won:
                raise Broken(f"None of {_RACERS} refunds succeeded; one could: {answers[0]}.")
            books.refund(payee, parts[won[0]])
            await books.agree(Vulnerable, _REFUND_HINT)

        return _Contest(requests, verify, alice, payee)

    await _drive(testbed, solo, contest, "refund")


@check(
    "over-refund-race",
    needs=contract.refunds,
    competencies=("db.transactions", "resilience.outside-calls"),
)
async def a_refund_without_an_outcome_counts(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """What a refund may have given back already cannot be refunded again."""
    card, captured = fresh.card(), fresh.money(10_000, 90_000)
    payment = await alice.pay(captured, await alice.funded(), card=card)
    part = Money(captured.amount // 2 + fresh.number(1, 1000), "GBP")
    body, path = {"amount": part.json()}, f"{payment.url}/refunds"
    fault = await psp.fault("drop_after", "refund", token=card)
    with probe("a refund that the PSP carries out without a word, and another") as attempt:
        first = await alice.post(path, body, key=fresh.key())
        if not ambiguous(first):
            attempt.note("The outcome was said to be known: another check's matter.")
        second = await alice.post(path, body, key=fresh.key())
        await psp.lift(fault)
        done = [item for item in effects(await psp.journal(card)) if item.type == "refund"]
        if len(done) > 1:
            raise Vulnerable(
                f"{first} to a refund of {part}, and {second} to one more, on a capture of"
                f" {captured}; the PSP carried out {len(done)}.",
                _REFUND_HINT,
            )
