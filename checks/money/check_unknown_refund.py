"""unknown-refund-not-reserved: a refund whose outcome is unknown is forgotten (CWE-841)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from checks import contract
from checks.amounts import Money
from checks.attachment import Testbed
from checks.client import Answer
from checks.expectations import ambiguous, expect_problem
from checks.fresh import Fresh
from checks.news import heard
from checks.probes import probe
from checks.processor import Effect, effects
from checks.registry import check
from checks.shapes import Payment
from checks.tenants import Merchant, transfer_body
from checks.testbed.faults import FaultKind, Operation
from checks.verdicts import Broken, Inconclusive, NotReached, Vulnerable

_HINT = (
    "Count every refund that has not failed for certain, pending and unknown ones too, against what"
    " was captured, and keep its amount held on the account until its outcome is known."
)

#: Seconds after which ``sync`` must have found out what the PSP tells again, and between two calls.
_SETTLED, _PAUSE = 20.0, 0.2

#: How often the service is made to ask in vain: a few times may be taken for a reason to give up.
_ASKED = 3

#: Where it is charged that an operation without an outcome is not left open.
_OPENNESS = "resilience/no_answer_is_neither_paid_nor_declined"

#: Where it is charged that known refunds are not added up.
_SERIAL = "money/refunds_in_parts_keep_to_the_capture"

#: What is refunded of a capture, in hundredths, so that little is left.
_MOST = 60

_TOO_LATE = "The service gave the PSP up before it was asked for more."

_OPEN = frozenset({"pending", "unknown"})

_KINDS: tuple[FaultKind, ...] = ("drop_after", "drop_before", "hold")


@dataclass(frozen=True, slots=True)
class _Silence:
    """Refunds that the PSP does not answer for, and how: in hundredths of the capture.

    ``beyond`` is refunded after them, which is more than is left. ``asked`` times the service is
    made to ask the PSP, in vain, before that.
    """

    what: str
    kind: FaultKind
    parts: tuple[int, ...]
    beyond: tuple[int, ...]
    asked: int = 0


_SILENCES = (
    _Silence("a refund that was carried out", "drop_after", (60,), (60, 41)),
    _Silence("a refund that never arrived", "drop_before", (60,), (60, 41)),
    _Silence("two refunds that were carried out", "drop_after", (40, 40), (40, 21)),
    _Silence("a refund that the PSP does not find", "drop_before", (70,), (31,), asked=_ASKED),
)


@check(
    "unknown-refund-not-reserved",
    needs=contract.refunds,
    competencies=("db.transactions", "resilience.outside-calls"),
)
async def a_refund_without_an_outcome_counts(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """What a refund may have given back already cannot be refunded again."""
    await _known_ones_count(alice)
    for silence in _SILENCES:
        card, captured = fresh.card(), fresh.money(10_000, 90_000)
        payment = await alice.pay(captured, await alice.funded(), card=card)
        title = f"{silence.what}, without a word of the PSP's, and others beyond what is left"
        with probe(title):
            silent, beyond, before = await _refund_in_silence(
                testbed, alice, payment, card, silence
            )
            # What one refund's own retries came to is another check's matter.
            most = max(before, len(silent))
            first = f"{silent[0]} to {silence.what}"
            await _not_beyond(testbed, payment, card, beyond, first=first, most=most)
    await _none_beside_one_under_way(alice, testbed, fresh)


async def _none_beside_one_under_way(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """A refund that the PSP is still at counts as well."""
    card, captured = fresh.card(), fresh.money(10_000, 90_000)
    payment = await alice.pay(captured, await alice.funded(), card=card)
    with probe("a refund that the PSP is at, and others beyond what is left"):
        async with _open(testbed, alice, payment, card, "hold") as asking:
            beyond = await _beyond(testbed, alice, payment, (41,))
            late = asking.done()
        await _until_known(alice, payment)
        first = "The PSP was at a refund"
        await _not_beyond(testbed, payment, card, beyond, first=first, most=1)
        if late:
            raise Inconclusive(_TOO_LATE)


async def _not_beyond(
    testbed: Testbed, payment: Payment, card: str, beyond: list[Answer], *, first: str, most: int
) -> None:
    """The PSP has not given back more than was captured by any of those ``beyond`` what is left.

    ``most`` is how many others it may have carried out; ``first`` says of these.
    """
    done = await _refunds(testbed, card)
    given = sum((Decimal(one.amount) for one in done), Decimal())
    captured = payment.captured.money
    if given > Decimal(captured.decimal) and len(done) > most:
        accepted = next((answer for answer in beyond if answer.ok), beyond[0])
        raise Vulnerable(
            f"{first} without a word, and {accepted} to one beyond what is left: the PSP has given"
            f" back {given} {captured.currency} of a capture of {captured} (refunds carried out:"
            f" {len(done)}).",
            _HINT,
        )


async def _refunds(testbed: Testbed, card: str) -> list[Effect]:
    """The refunds that the PSP has carried out on a card."""
    return [one for one in effects(await testbed.psp.journal(card)) if one.type == "refund"]


async def _known_ones_count(alice: Merchant) -> None:
    """Where refunds are not added up at all, it is not the unknown ones that are forgotten."""
    payment = await alice.pay(account=await alice.funded())
    captured = payment.captured.money
    await alice.refund(payment, _share(captured, 60))
    answer = await _ask(alice, payment, _share(captured, 41))
    if answer.ok:
        raise NotReached(f"{answer} to a refund beyond what is left; none was unknown.", _SERIAL)


async def _refund_in_silence(
    testbed: Testbed, alice: Merchant, payment: Payment, card: str, silence: _Silence
) -> tuple[list[Answer], list[Answer], int]:
    """Ask for the refunds, each replica for those beyond, and let the PSP speak again.

    Gives the answers to both, and how many the PSP had carried out before those beyond.
    """
    psp, captured = testbed.psp, payment.captured.money
    refund = await psp.fault(silence.kind, "refund", token=card)
    look_up = await psp.fault("not_found" if silence.asked else "drop_before", "lookup", token=card)
    silent = [await _ask(alice, payment, _share(captured, part)) for part in silence.parts]
    for answer in silent:
        _left_open(answer)
    for _ in range(silence.asked):
        await alice.sync(payment)
    before = len(await _refunds(testbed, card))
    beyond = await _beyond(testbed, alice, payment, silence.beyond)
    await psp.lift(refund)
    await psp.lift(look_up)
    await _until_known(alice, payment)
    return silent, beyond, before


async def _beyond(
    testbed: Testbed, alice: Merchant, payment: Payment, parts: tuple[int, ...]
) -> list[Answer]:
    """Ask each replica for each of these hundredths, which is more than is left."""
    return [
        await _ask(alice.on(replica), payment, _share(payment.captured.money, part))
        for part in parts
        for replica in testbed.replicas
    ]


@asynccontextmanager
async def _open(
    testbed: Testbed, alice: Merchant, payment: Payment, card: str, kind: FaultKind
) -> AsyncIterator[asyncio.Task[Answer]]:
    """A refund of most of a capture whose end is not known before the block ends.

    The PSP is still at it (``hold``), or has not answered, and was asked about it in vain.
    """
    under_way = kind == "hold"
    asked: tuple[Operation, ...] = ("refund",) if under_way else ("refund", "lookup")
    fault = await testbed.psp.fault(kind, *asked, token=card, effect=under_way)
    asking = asyncio.create_task(_ask(alice, payment, _share(payment.captured.money, _MOST)))
    try:
        if under_way:
            await heard(testbed.psp, card, "refund")
        else:
            _left_open(await asking)
            for _ in range(_ASKED):
                await alice.sync(payment)
        yield asking
    finally:
        await testbed.psp.lift(fault)
        await asyncio.gather(asking, return_exceptions=True)


def _left_open(answer: Answer) -> None:
    """The outcome of a refund that the PSP did not answer for is not said to be known."""
    if ambiguous(answer):
        return
    if answer.ok or answer.status == 402:
        raise NotReached(f"{answer} to a refund that the PSP did not answer for.", _OPENNESS)
    raise Broken(f"{answer} to a refund of what is left, which the PSP did not answer for.")


async def _ask(merchant: Merchant, payment: Payment, amount: Money) -> Answer:
    """Ask for a refund, under a key of its own."""
    body = {"amount": amount.json()}
    return await merchant.post(f"{payment.url}/refunds", body, key=merchant.fresh.key())


def _share(amount: Money, hundredths: int) -> Money:
    """So many hundredths of an amount, rounded up."""
    return Money(-(-amount.amount * hundredths // 100), amount.currency)


async def _until_known(alice: Merchant, payment: Payment) -> None:
    """Have the service ask the PSP until it knows of every refund, or the time is up.

    It may not be able to note what the PSP has done, where its books do not allow it any more.
    """
    deadline = asyncio.get_running_loop().time() + _SETTLED
    while asyncio.get_running_loop().time() < deadline:
        answer = await alice.post(f"{payment.url}/sync", {})
        if answer.ok and not any(one.status in _OPEN for one in answer.read(Payment).refunds):
            return
        await asyncio.sleep(_PAUSE)


@check(
    "unknown-refund-not-reserved",
    needs=(*contract.refunds, *contract.transfers),
    competencies=("db.transactions", "resilience.outside-calls"),
)
async def an_unknown_refund_keeps_its_hold(
    alice: Merchant, bob: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """What a refund without an outcome may have given back is not spent in the meantime."""
    for kind in _KINDS:
        card, account = fresh.card(), await alice.open_account()
        payment = await alice.pay(fresh.money(10_000, 90_000), account, card=card)
        part = _share(payment.captured.money, _MOST)
        with probe(f"a transfer of what is held for a refund of {part} ({kind})"):
            async with _open(testbed, alice, payment, card, kind) as asking:
                posted = (await alice.account(account)).balance.posted.money
                beyond = Money(posted.amount - part.amount + 1, posted.currency)
                body = transfer_body(account, await bob.open_account(), beyond)
                answer = await alice.post("/v1/transfers", body, key=fresh.key())
                late = kind == "hold" and asking.done()
            refunded = asking.result()
            if answer.ok:
                raise Vulnerable(
                    f"{refunded} to a refund of {part}, and {answer} to a transfer of {beyond},"
                    f" of {posted} posted: it is promised to the card, and spent.",
                    _HINT,
                )
            await _until_known(alice, payment)
            left = (await alice.account(account)).balance.available.money
            if left.amount < 0:
                raise Vulnerable(f"When the refund of {part} was known, {left} were left.", _HINT)
            expect_problem(answer, 422, code="insufficient_funds")
            if late:
                raise Inconclusive(_TOO_LATE)
