"""refund-of-declined: money is given back that was never taken (CWE-841)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from checks import contract
from checks.attachment import Psp, Testbed
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.losers import carried_out
from checks.notices import bring, psp_notice
from checks.probes import probe
from checks.processor import effects
from checks.registry import check
from checks.shapes import Account, Payment
from checks.tenants import Merchant, Platform, payment_body
from checks.testbed.faults import FaultKind, Operation
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Refund what was captured and nothing else: list the statuses that allow it, or compare with"
    " the captured amount, which is nought until the PSP has taken the money, before it is asked."
)

#: How a refund of nothing may be refused: by the payment's status, or by what is left of it.
_CODES = ("not_refundable", "operation_pending", "refund_exceeds_capture")

#: How a capture ends by which nothing is taken, or nothing that anybody knows of.
_CAPTURES: tuple[tuple[str, FaultKind, tuple[Operation, ...]], ...] = (
    ("was declined", "decline", ("capture",)),
    ("the PSP did not answer", "drop_before", ("capture", "lookup")),
)


@dataclass(frozen=True, slots=True)
class _Shop:
    """A merchant with money on its account, and payments of which it has got none."""

    merchant: Merchant
    account: Account
    platform: Platform
    testbed: Testbed
    fresh: Fresh

    @property
    def _psp(self) -> Psp:
        return self.testbed.psp

    async def untaken(self) -> AsyncIterator[tuple[str, Payment, str]]:
        """A payment of each kind that was not captured: what it is, itself, and its card."""
        card = self.fresh.card()
        yield "is authorised only", await self.authorised(card), card
        card = self.fresh.card()
        yield "was voided", await self.merchant.void(await self.authorised(card)), card
        card = self.fresh.card()
        yield "has run out", await self._run_out(card), card
        card = self.fresh.card()
        yield "was declined", await self._declined(card), card

    async def authorised(self, card: str) -> Payment:
        amount = self.fresh.money(20_000, 90_000)
        return await self.merchant.pay(amount, self.account, capture=False, card=card)

    async def _run_out(self, card: str) -> Payment:
        payment = await self.authorised(card)
        (told,) = await self._psp.told(card)
        notice = psp_notice(
            told | {"id": f"op_{self.fresh.word(24)}", "type": "expiry"}, self.fresh
        )
        (await carried_out(partial(bring, "psp", notice, self.testbed, self.platform))).expect(204)
        return await self.merchant.payment(payment)

    async def _declined(self, card: str) -> Payment:
        body = payment_body(self.account, self.fresh.money(20_000, 90_000), card)
        fault = await self._psp.fault("decline", "sale", token=card)
        answer = await self.merchant.post("/v1/payments", body, key=self.fresh.key())
        await self._psp.lift(fault)
        answer.expect(402)
        async for listed, row in self.merchant.walk("/v1/payments", status="declined"):
            return listed.read_value(row, Payment)
        raise Broken(f"{answer}, and GET /v1/payments?status=declined lists no payment.")


@check(
    "refund-of-declined",
    needs=(
        *contract.refunds,
        *contract.voids,
        *contract.declines,
        "contract/an_authorisation_that_has_run_out_is_not_captured",
    ),
    competencies=("money.ledger", "api.validation"),
)
async def only_what_was_captured_is_given_back(
    alice: Merchant, platform: Platform, testbed: Testbed, fresh: Fresh
) -> None:
    """A payment of which nothing was captured is not refunded."""
    shop = _Shop(alice, await alice.funded(), platform, testbed, fresh)
    async for what, payment, card in shop.untaken():
        with probe(f"a refund of a payment that {what}"):
            await _refuses(shop, what, payment, card)


@check(
    "refund-of-declined",
    needs=(*contract.refunds, *contract.declines),
    competencies=("money.ledger", "resilience.outside-calls"),
)
async def what_may_not_have_been_taken_is_not_given_back(
    alice: Merchant, platform: Platform, testbed: Testbed, fresh: Fresh
) -> None:
    """A capture that was declined, or whose outcome nobody knows, leaves nothing to refund."""
    shop, psp = _Shop(alice, await alice.funded(), platform, testbed, fresh), testbed.psp
    for what, kind, operations in _CAPTURES:
        card = fresh.card()
        payment = await shop.authorised(card)
        fault = await psp.fault(kind, *operations, token=card)
        with probe(f"a refund of a payment whose capture {what}"):
            await alice.post(f"{payment.url}/capture", {}, key=fresh.key())
            await _refuses(shop, f"is authorised, and whose capture {what}", payment, card)
        await psp.lift(fault)


async def _refuses(shop: _Shop, what: str, payment: Payment, card: str) -> None:
    """A refund is refused, and neither the PSP nor the ledger has heard of it."""
    part, before = shop.fresh.money(1_000, 9_000), await shop.merchant.account(shop.account)
    body = {"amount": part.json()}
    answer = await shop.merchant.post(f"{payment.url}/refunds", body, key=shop.fresh.key())
    done = [one for one in effects(await shop.testbed.psp.journal(card)) if one.type == "refund"]
    if done:
        raise Vulnerable(
            f"{answer}: the PSP gave {part} back of a payment that {what}, and of which nothing was"
            " captured.",
            _HINT,
        )
    now = await shop.merchant.account(shop.account)
    if now.balance != before.balance:
        was, is_ = before.balance.available.money, now.balance.available.money
        raise Vulnerable(
            f"{answer}: by a refund of a payment that {what} the account has {is_} available, and"
            f" not {was} any more.",
            _HINT,
        )
    expect_problem(answer, 409, 422, code=_CODES)
