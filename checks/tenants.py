"""Tenants: merchants with their clients and accounts, and the platform that creates them.

The methods named after business acts (``pay``, ``transfer``, ``refund``...) are legitimate flows:
they ask for the contract's answer and raise ``Broken`` for any other. Attacks use ``get`` and
``post``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from checks.amounts import Money
from checks.client import UNSET, Answer, Client
from checks.connections import Connections
from checks.fresh import Fresh
from checks.lists import walk
from checks.losers import PatientClient, carried_out, seen
from checks.shapes import (
    Account,
    ClientAccount,
    Deposit,
    Entry,
    MerchantAccount,
    Payment,
    Quote,
    Refund,
    Token,
    Transfer,
)
from checks.verdicts import Broken

#: What a merchant's account holds unless a check says otherwise: 10,000.00.
FUNDS = 1_000_000


class Login:
    """A client's credentials, exchanged for a token when it is first needed."""

    def __init__(self, anonymous: Client, account: ClientAccount) -> None:
        self._anonymous = anonymous
        self.account = account
        self._token: str | None = None
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """The token; the same one each time."""
        async with self._lock:
            if self._token is None:
                body = {"client_id": self.account.id, "client_secret": self.account.secret}
                answer = await carried_out(partial(self._anonymous.post, "/v1/token", body))
                self._token = answer.expect(200).read(Token).access_token
            return self._token


class Platform:
    """The platform administrator: makes merchants and posts deposits.

    All callers are its ``anonymous`` one with other tokens: who is ``patient`` sees no 503 of a
    service that is only busy.
    """

    def __init__(
        self, connections: Connections, admin_token: str, fresh: Fresh, *, patient: bool = False
    ) -> None:
        self.fresh = fresh
        self.connections = connections
        self.anonymous = (PatientClient if patient else Client)("anonymous", connections)
        self.client = self.anonymous.carrying(admin_token, "administrator")

    async def create_merchant(self, name: str) -> MerchantAccount:
        """A new merchant, with its owner's secret."""
        answer = await carried_out(partial(self.client.post, "/v1/merchants", {"name": name}))
        return answer.expect(201).read(MerchantAccount)

    async def deposit(self, account: Account, amount: Money) -> Deposit:
        """Credit an account from the bank."""
        body = {"account": account.id, "amount": amount.json()}
        send = partial(self.client.post, "/v1/deposits", body, key=self.fresh.key())
        answer = await carried_out(send)
        return answer.expect(201).read(Deposit)


class Merchant:
    """A merchant; acts as its owner unless told otherwise. Opened before the check begins."""

    def __init__(self, actor: str, platform: Platform, fresh: Fresh) -> None:
        self.actor = actor
        self.platform = platform
        self.fresh = fresh
        self._clients: dict[str, Client] = {}
        self._lock = asyncio.Lock()
        self._facts: MerchantAccount | None = None

    def on(self, replica: int) -> Merchant:
        """The same merchant, its owner pinned to a replica."""
        pinned = Merchant(self.actor, self.platform, self.fresh)
        pinned._facts = self.facts
        pinned._clients["owner"] = self.owner.on(replica)
        return pinned

    async def open(self) -> None:
        """Create it at the service."""
        self._facts = await self.platform.create_merchant(self.fresh.name())
        owner = self._facts.owner
        if not owner.secret:
            raise Broken("POST /v1/merchants answered an owner without its secret.")
        self._clients["owner"] = self.logged_in(owner)

    @property
    def id(self) -> str:
        """Its id."""
        return self.facts.id

    @property
    def facts(self) -> MerchantAccount:
        """What the service said when it was created."""
        if self._facts is None:
            raise RuntimeError(f"{self.actor} is not open")
        return self._facts

    @property
    def owner(self) -> Client:
        """Its owner's client."""
        return self._clients["owner"]

    def logged_in(self, account: ClientAccount) -> Client:
        """A caller with a client's credentials."""
        login = Login(self.platform.anonymous, account)
        return self.platform.anonymous.acting(f"{self.actor} ({account.role})", login.token)

    async def client(self, role: str) -> Client:
        """A caller of this role; made at the service when first asked for."""
        async with self._lock:
            if role not in self._clients:
                self._clients[role] = self.logged_in(await self.create_client(role))
            return self._clients[role]

    async def create_client(self, role: str, creator: Client | None = None) -> ClientAccount:
        """A new API client; created by the first owner unless another is given."""
        body = {"name": self.fresh.name(), "role": role}
        answer = await carried_out(partial((creator or self.owner).post, "/v1/clients", body))
        account = answer.expect(201).read(ClientAccount)
        if not account.secret:
            raise Broken(f"{answer}, but without the client's secret.")
        return account

    # As the owner -----------------------------------------------------------------------------

    async def request(self, method: str, path: str, json: object = UNSET, **rest: Any) -> Answer:
        """Any request; options as for ``Client.request``."""
        return await self.owner.request(method, path, json, **rest)

    async def get(self, path: str, **options: Any) -> Answer:
        """GET; options as for ``Client.request``."""
        return await self.owner.get(path, **options)

    async def post(self, path: str, json: object = UNSET, **options: Any) -> Answer:
        """POST; options as for ``Client.request``."""
        return await self.owner.post(path, json, **options)

    async def _act(self, path: str, body: object) -> Answer:
        """POST under a key of its own what moves money."""
        return await carried_out(partial(self.post, path, body, key=self.fresh.key()))

    # Accounts -----------------------------------------------------------------------------------

    async def open_account(self, currency: str = "GBP", name: str | None = None) -> Account:
        """A new account, empty."""
        body = {"name": name or self.fresh.name(), "currency": currency}
        answer = await carried_out(partial(self.post, "/v1/accounts", body))
        return answer.expect(201).read(Account)

    async def funded(self, amount: Money | None = None) -> Account:
        """A new account with a deposit on it, as it was before the deposit."""
        funds = Money(FUNDS, "GBP") if amount is None else amount
        account = await self.open_account(funds.currency)
        await self.platform.deposit(account, funds)
        return account

    async def account(self, account: Account) -> Account:
        """An account as it is now."""
        return (await seen(self.owner, account.url)).read(Account)

    async def entries(self, account: Account) -> tuple[Entry, ...]:
        """All entries of an account, newest first."""
        return tuple([_entry async for _entry in self._entries(account)])

    async def _entries(self, account: Account) -> AsyncIterator[Entry]:
        path = f"{account.url}/entries"
        async for answer, item in self.walk(path):
            yield answer.read_value(item, Entry)

    def walk(self, path: str, **options: Any) -> AsyncIterator[tuple[Answer, dict[str, object]]]:
        """All items of a list (``checks.lists.walk``)."""
        return walk(self.owner, path, **options)

    # Transfers ----------------------------------------------------------------------------------

    async def transfer(self, source: Account, target: Account, amount: Money) -> Transfer:
        """Move money between two accounts."""
        body = transfer_body(source, target, amount)
        answer = await self._act("/v1/transfers", body)
        return answer.expect(201).read(Transfer)

    async def reverse(self, transfer: Transfer) -> Transfer:
        """Give a received transfer back."""
        answer = await self._act(f"{transfer.url}/reversal", {})
        return answer.expect(201).read(Transfer)

    # Quotes -------------------------------------------------------------------------------------

    async def quote(self, source: Account, target: Account, amount: Money) -> Quote:
        """Have a conversion priced."""
        send = partial(self.post, "/v1/quotes", transfer_body(source, target, amount))
        return (await carried_out(send)).expect(201).read(Quote)

    # Payments -----------------------------------------------------------------------------------

    async def pay(
        self,
        amount: Money | None = None,
        account: Account | None = None,
        *,
        capture: bool = True,
        card: str | None = None,
    ) -> Payment:
        """Take a card payment; on a new account unless one is given."""
        total = self.fresh.money(1000, 90_000) if amount is None else amount
        account = await self.open_account(total.currency) if account is None else account
        body = payment_body(account, total, card or self.fresh.card(), capture=capture)
        answer = await self._act("/v1/payments", body)
        payment = answer.expect(201).read(Payment)
        wanted = "captured" if capture else "authorised"
        if payment.status != wanted:
            raise Broken(f"{answer} with status {payment.status} instead of {wanted}.")
        return payment

    async def authorise(
        self, amount: Money | None = None, account: Account | None = None
    ) -> Payment:
        """Take a payment without capturing it."""
        return await self.pay(amount, account, capture=False)

    async def capture(self, payment: Payment, amount: Money | None = None) -> Payment:
        """Capture an authorised payment, all of it unless an amount is given."""
        body = {} if amount is None else {"amount": amount.json()}
        answer = await self._act(f"{payment.url}/capture", body)
        return answer.expect(200).read(Payment)

    async def void(self, payment: Payment) -> Payment:
        """Void an authorised payment."""
        answer = await self._act(f"{payment.url}/void", {})
        return answer.expect(200).read(Payment)

    async def refund(self, payment: Payment, amount: Money) -> Refund:
        """Refund a captured payment."""
        body = {"amount": amount.json()}
        answer = await self._act(f"{payment.url}/refunds", body)
        return answer.expect(201).read(Refund)

    async def sync(self, payment: Payment) -> Payment:
        """Have the service ask the PSP about a payment."""
        answer = await carried_out(partial(self.post, f"{payment.url}/sync", {}))
        return answer.expect(200).read(Payment)

    async def payment(self, payment: Payment) -> Payment:
        """A payment as it is now."""
        return (await seen(self.owner, payment.url)).read(Payment)


def transfer_body(source: Account, target: Account, amount: Money) -> dict[str, Any]:
    """The body of ``POST /v1/transfers``."""
    return {"from": source.id, "to": target.id, "amount": amount.json()}


def payment_body(
    account: Account, amount: Money, card: str, *, capture: bool = True
) -> dict[str, Any]:
    """The body of ``POST /v1/payments``."""
    return {
        "account": account.id,
        "amount": amount.json(),
        "payment_method": card,
        "capture": capture,
    }
