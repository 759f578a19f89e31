"""Merchants whose lists have rows in them, to measure what a page of them costs."""

from __future__ import annotations

from dataclasses import dataclass

from checks.amounts import Money, money
from checks.gathering import all_of
from checks.payouts import make
from checks.shapes import Account, Payment, Payout, Quote
from checks.tenants import Merchant


@dataclass(frozen=True, slots=True)
class Filled:
    """A merchant with so many rows in each of its lists; all its payments are in one status."""

    merchant: Merchant
    rows: int
    account: Account
    other: Account
    payment: Payment
    status: str
    euros: Account
    quote: Quote
    payout: Payout

    def lists(self) -> dict[str, str]:
        """Its lists by name."""
        return {
            "accounts": "/v1/accounts",
            "entries": f"{self.account.url}/entries",
            "transfers": "/v1/transfers",
            "payments": "/v1/payments",
            "payments by amount": "/v1/payments?sort=amount",
            "payments by falling amount": "/v1/payments?sort=-amount",
            "payments in order": "/v1/payments?sort=created_at",
            "payments by status": f"/v1/payments?status={self.status}",
            "refunds": f"{self.payment.url}/refunds",
            "clients": "/v1/clients",
            "quotes": "/v1/quotes",
            "payouts": "/v1/payouts",
            "events": "/v1/events",
            "events of one payment": f"/v1/events?object={self.payment.id}",
        }


async def fill(merchant: Merchant, rows: int) -> Filled:
    """Fill every list with so many rows; every payment has a refund, half of the transfers have a
    reversal. All through the first replica, so that the other one has seen nothing of it.
    """
    merchant = merchant.on(0)
    account = await merchant.funded()
    other, euros = await merchant.open_account(), await merchant.open_account("EUR")
    payment = await merchant.pay(money("90.00 GBP"), account)

    quotes: list[Quote] = []
    payouts: list[Payout] = []

    async def row(index: int) -> None:
        if index > 2:
            await merchant.open_account()
        quotes.append(await merchant.quote(account, euros, money("1.00 GBP")))
        payee = merchant.fresh.payee()
        payouts.append(await make(merchant, merchant.fresh, account, money("0.10 GBP"), payee))
        if index > 0:
            await merchant.create_client("viewer")
        taken = payment if index == 0 else await merchant.pay(Money(1000 + index, "GBP"), account)
        await merchant.refund(payment, money("0.10 GBP"))
        if index > 0:
            await merchant.refund(taken, money("0.10 GBP"))
        if index % 2:
            made = await merchant.transfer(account, other, money("0.10 GBP"))
            await merchant.reverse(made)

    await all_of([row(index) for index in range(rows)], at_once=4)
    status = (await merchant.payment(payment)).status
    return Filled(merchant, rows, account, other, payment, status, euros, quotes[0], payouts[0])
