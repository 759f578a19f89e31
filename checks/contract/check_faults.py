"""A replica dies; the PSP leaves a payment open (contract 6.20, 7.5)."""

from __future__ import annotations

import asyncio

from checks import contract
from checks.amounts import Money, money
from checks.attachment import Psp, Testbed
from checks.books import Books
from checks.expectations import ambiguous
from checks.fresh import Fresh
from checks.probes import probe
from checks.processor import effects
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.shapes import Payment
from checks.tenants import FUNDS, Merchant, payment_body
from checks.verdicts import Broken

#: Seconds for the worker to settle what it finds; it looks every second.
_RECONCILED = 15.0


@check(
    needs=(*contract.transfers, *contract.payments, *contract.refunds),
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("resilience.failures",),
)
async def the_other_replica_carries_on(
    alice: Merchant, bob: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """When one replica is killed, the other goes on with everything that was acknowledged."""
    books = Books()
    first, last = alice.on(0), alice.on(testbed.replicas[-1])
    account = books.open(last, await first.funded())
    theirs = books.open(bob.on(testbed.replicas[-1]), await bob.open_account())
    books.deposit(account, Money(FUNDS, "GBP"))
    amount, moved = fresh.money(1000, 9000), fresh.money(100, 900)
    open_payment = await first.authorise(amount, account)
    taken = await first.pay(amount, account)
    await first.transfer(account, theirs, moved)
    books.capture(account, amount)
    books.transfer(account, theirs, moved)
    await testbed.kill(0)
    with probe("everything goes on through the other replica"):
        await last.capture(open_payment)
        books.capture(account, amount)
        await last.refund(taken, money("1.00 GBP"))
        books.refund(account, money("1.00 GBP"))
        await last.transfer(account, theirs, moved)
        books.transfer(account, theirs, moved)
        await last.open_account()
        await books.agree()


@check(
    needs=(*contract.payments, *contract.refunds),
    competencies=("resilience.failures", "distributed.retries"),
)
async def the_worker_settles_what_was_left_open(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """The worker asks the PSP about payments whose outcome is open, and settles them."""
    books = Books()
    account, card = books.open(alice, await alice.open_account()), fresh.card()
    amount = fresh.money(1000, 90_000)
    fault = await psp.fault("drop_after", token=card)
    body = payment_body(account, amount, card)
    with probe("a sale that the PSP carries out without answering") as attempt:
        answer = await alice.post("/v1/payments", body, key=fresh.key())
        payment = await _on(alice, account.id)
        if not ambiguous(answer) or payment is None or payment.status != "unknown":
            attempt.note("The payment was not left open: another check's matter.")
            return
        await psp.lift(fault)
        deadline = asyncio.get_running_loop().time() + _RECONCILED
        while payment.status == "unknown":
            if asyncio.get_running_loop().time() > deadline:
                raise Broken(
                    f"{answer}; the PSP answers again, and after {_RECONCILED:g} s the worker has"
                    " not"
                    " settled the payment."
                )
            await asyncio.sleep(0.2)
            payment = await alice.payment(payment)
        # How often a card is charged by retries is another check's matter.
        charged = {effect.type for effect in effects(await psp.journal(card))}
        if payment.status != "captured" or charged != {"sale"}:
            raise Broken(f"The payment became {payment.status}; the PSP did {charged}.")
        books.capture(account, amount)
        await books.agree()


async def _on(merchant: Merchant, account: str) -> Payment | None:
    async for answer, item in merchant.walk("/v1/payments"):
        if item.get("account") == account:
            return answer.read_value(item, Payment)
    return None
