"""A merchant with something of everything, and what only some roles may do with it.

premises = await Premises.open(alice, bob, testbed)
before = await premises.state()
for act in premises.acts():
    await act.by(viewer)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from checks.amounts import money
from checks.attachment import Testbed
from checks.client import UNSET, Answer, Client
from checks.fresh import Fresh
from checks.payouts import Desk, payout_body
from checks.processor import effects
from checks.shapes import Account, ClientAccount, Payment, Payout, Quote, Transfer
from checks.shops import ENDPOINTS, new_path, register
from checks.tenants import Merchant, payment_body, transfer_body

#: The least role that may do something (contract 2.3).
Needed = Literal["operator", "owner"]

_POUND = money("1.00 GBP")


@dataclass(frozen=True, slots=True)
class Act:
    """A request that changes something, or shows what only an owner may see.

    ``key`` is the idempotency key of one that takes one.
    """

    what: str
    needs: Needed
    method: str
    path: str
    body: object = UNSET
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    async def by(self, caller: Client, **hints: str) -> Answer:
        """Have a caller do it, with headers of its own besides."""
        headers = {**self.headers, **hints}
        return await caller.request(
            self.method, self.path, self.body, key=self.key, headers=headers
        )


@dataclass(frozen=True, slots=True)
class Premises:
    """What a merchant has; made by ``open``. Nothing of it changes of its own accord."""

    merchant: Merchant
    testbed: Testbed
    cards: tuple[str, ...]
    source: Account
    other: Account
    euros: Account
    open_payment: Payment
    captured: Payment
    received: Transfer
    quote: Quote
    payout: Payout
    client: ClientAccount
    endpoint: str
    hook: str

    @classmethod
    async def open(cls, merchant: Merchant, payer: Merchant, testbed: Testbed) -> Self:
        """Take one of everything; ``payer`` has made a transfer to the merchant."""
        fresh = merchant.fresh
        cards = (fresh.card(), fresh.card(), fresh.card())
        source, other = await merchant.funded(), await merchant.open_account()
        euros, hook = await merchant.open_account("EUR"), testbed.receiver.url(new_path(merchant))
        return cls(
            merchant,
            testbed,
            cards,
            source,
            other,
            euros,
            open_payment=await merchant.pay(None, source, capture=False, card=cards[0]),
            captured=await merchant.pay(None, source, card=cards[1]),
            received=await payer.transfer(await payer.funded(), source, money("2.00 GBP")),
            quote=await merchant.quote(source, euros, money("3.00 GBP")),
            payout=await (await Desk.open(merchant, testbed)).make(source, _POUND),
            client=await merchant.create_client("viewer"),
            # Told of nothing that happens here.
            endpoint=(await register(merchant, hook, ["payout.returned"])).url,
            hook=hook,
        )

    def acts(self) -> tuple[Act, ...]:
        """All that takes a role above viewer; what would spoil the others' objects comes last."""
        fresh = self.merchant.fresh
        return (*self._opened(fresh), *self._moved(fresh), *self._managed(fresh))

    def _opened(self, fresh: Fresh) -> tuple[Act, ...]:
        version = {"If-Match": f'"{self.source.version}"'}
        payee, payout = fresh.payee(), self.payout.url
        terms = transfer_body(self.source, self.euros, _POUND)
        return (
            Act("open an account", "operator", "POST", "/v1/accounts", _account(fresh)),
            Act(
                "rename an account",
                "operator",
                "PATCH",
                self.source.url,
                {"name": fresh.name()},
                headers=version,
            ),
            Act("have a conversion priced", "operator", "POST", "/v1/quotes", terms),
            Act(
                "make a payout",
                "operator",
                "POST",
                "/v1/payouts",
                payout_body(self.source, _POUND, payee),
                fresh.key(),
            ),
            Act("change a payout", "operator", "PATCH", payout, {"payee": payee.model_dump()}),
            Act("ask for a payout's code", "owner", "POST", f"{payout}/challenges", {}),
            Act("cancel a payout", "operator", "POST", f"{payout}/cancel", {}),
        )

    def _moved(self, fresh: Fresh) -> tuple[Act, ...]:
        def moving(what: str, path: str, body: object) -> Act:
            return Act(what, "operator", "POST", path, body, fresh.key())

        taken = payment_body(self.source, money("5.00 GBP"), self.cards[2])
        sent = transfer_body(self.source, self.other, _POUND)
        return (
            moving("transfer", "/v1/transfers", sent),
            moving("take a payment", "/v1/payments", taken),
            moving("give a transfer back", f"{self.received.url}/reversal", {}),
            moving("refund", f"{self.captured.url}/refunds", {"amount": _POUND.json()}),
            moving("execute a quote", f"{self.quote.url}/execute", {}),
            Act("ask about a payment", "operator", "POST", f"{self.captured.url}/sync", {}),
            moving("capture", f"{self.open_payment.url}/capture", {}),
            moving("void", f"{self.open_payment.url}/void", {}),
        )

    def _managed(self, fresh: Fresh) -> tuple[Act, ...]:
        def owners(what: str, method: str, path: str, body: object = UNSET) -> Act:
            return Act(what, "owner", method, path, body)

        return (
            owners("list clients", "GET", "/v1/clients"),
            owners("read the audit log", "GET", "/v1/audit"),
            owners("make an owner", "POST", "/v1/clients", _client(fresh, "owner")),
            owners("make a viewer", "POST", "/v1/clients", _client(fresh, "viewer")),
            owners("register an endpoint", "POST", ENDPOINTS, {"url": self.hook}),
            owners("disable an endpoint", "PATCH", self.endpoint, {"disabled": True}),
            owners("change an endpoint's secret", "POST", f"{self.endpoint}/rotate", {}),
            owners("delete an endpoint", "DELETE", self.endpoint),
            owners("delete a client", "DELETE", f"/v1/clients/{self.client.id}"),
        )

    async def state(self) -> dict[str, Any]:
        """All that the owner sees, and what the PSP has done, by where it is to be seen."""
        seen: dict[str, Any] = {}
        for path in (
            "/v1/accounts",
            "/v1/transfers",
            "/v1/payments",
            f"{self.captured.url}/refunds",
            self.quote.url,
            "/v1/payouts",
            "/v1/clients",
            ENDPOINTS,
        ):
            seen[path] = (await self.merchant.get(path)).expect(200).json
        for number, card in enumerate(self.cards, 1):
            done = effects(await self.testbed.psp.journal(card))
            seen[f"what the PSP did with card {number}"] = [(one.type, one.amount) for one in done]
        messages = await self.testbed.notifier.journal(self.payout.id)
        seen["the messages with a code"] = len(messages)
        return seen


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Where a state differs from an earlier one; empty if nowhere."""
    return ", ".join(where for where, was in before.items() if after[where] != was)


def _account(fresh: Fresh) -> dict[str, str]:
    return {"name": fresh.name(), "currency": "GBP"}


def _client(fresh: Fresh, role: str) -> dict[str, str]:
    return {"name": fresh.name(), "role": role}
