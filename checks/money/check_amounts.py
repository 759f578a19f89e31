"""negative-amount: zero, negative, boolean, fractional amounts move money (CWE-1284)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from checks import contract
from checks.amounts import Money, money
from checks.attachment import Psp
from checks.books import Books
from checks.client import Answer, Client
from checks.fresh import Fresh
from checks.probes import probe
from checks.processor import effects
from checks.registry import check
from checks.tenants import FUNDS, Merchant, Platform, payment_body, transfer_body
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Give money a type of its own that takes integers from 1 to 10^12 and nothing else, use it"
    " for every amount that a request carries, and back it with a constraint in the database."
)

#: Amounts that contract 1.10 refuses, as JSON texts.
_REFUSED = (
    "0",
    "-0",
    "-1",
    "-500",
    "0.5",
    "1.5",
    "12.34",
    "1e-2",
    '"500"',
    '"1.00"',
    "true",
    "false",
    "null",
    "[]",
    "{}",
    "1000000000001",
    "9223372036854775808",
    "1" + "0" * 30,
    "1e400",
    "NaN",
    "Infinity",
    "-Infinity",
)

#: Those that are tried in other currencies too: one without minor units, and one with three digits.
_REFUSED_EVERYWHERE = ("0", "-1", "-500", "0.5", '"500"', "true")
_CURRENCIES = ("JPY", "KWD")

_PLACEHOLDER = "__amount__"


class _Attack:
    """Sends one body with every refused amount in it, and looks whether any is accepted."""

    def __init__(self, caller: Client, path: str, fresh: Fresh) -> None:
        self._caller = caller
        self._path = path
        self._fresh = fresh
        self.failure: Answer | None = None

    async def run(self, body: dict[str, Any], amounts: tuple[str, ...]) -> None:
        """``body`` holds its amount as ``_PLACEHOLDER``."""
        template = json.dumps(body)
        for amount in amounts:
            text = template.replace(f'"{_PLACEHOLDER}"', amount)
            answer = await self._caller.post(
                self._path, content=text.encode(), key=self._fresh.key()
            )
            if answer.ok:
                raise Vulnerable(f"{answer} for an amount of {amount}.", _HINT)
            if not answer.refused and self.failure is None:
                self.failure = answer


def _amount(currency: str = "GBP") -> dict[str, object]:
    return {"amount": _PLACEHOLDER, "currency": currency}


async def _attack(
    title: str,
    attack: _Attack,
    body: dict[str, Any],
    unchanged: Callable[[], Awaitable[None]],
    amounts: tuple[str, ...] = _REFUSED,
) -> None:
    """No refused amount is accepted, moves money, or makes the service fail."""
    with probe(title):
        await attack.run(body, amounts)
        await unchanged()
        if attack.failure is not None:
            raise Broken(f"{attack.failure} for an amount that is 422.", _HINT)


@check("negative-amount", needs=contract.transfers, competencies=("money.arithmetic",))
async def a_transfer_moves_a_positive_amount(
    alice: Merchant, bob: Merchant, platform: Platform, fresh: Fresh
) -> None:
    """Deposits and transfers take integers from 1 to 10^12, and nothing else moves money."""
    books = Books()
    source, theirs = books.open(alice, await alice.funded()), books.open(bob, await bob.funded())
    for account in (source, theirs):
        books.deposit(account, Money(FUNDS, "GBP"))
    await alice.transfer(source, theirs, money("0.01 GBP"))
    books.transfer(source, theirs, money("0.01 GBP"))

    async def unchanged() -> None:
        await books.agree(Vulnerable, _HINT)

    body = transfer_body(source, theirs, Money(1, "GBP")) | {"amount": _amount()}
    transfer = _Attack(alice.owner, "/v1/transfers", fresh)
    await _attack("transfers with amounts to be refused", transfer, body, unchanged)
    deposit = _Attack(platform.client, "/v1/deposits", fresh)
    body = {"account": source.id, "amount": _amount()}
    await _attack("deposits with amounts to be refused", deposit, body, unchanged)
    for currency in _CURRENCIES:
        funds = Money(FUNDS, currency)
        source = books.open(alice, await alice.funded(funds))
        target = books.open(bob, await bob.funded(funds))
        for account in (source, target):
            books.deposit(account, funds)
        body = transfer_body(source, target, funds) | {"amount": _amount(currency)}
        title = f"transfers with amounts to be refused, in {currency}"
        await _attack(title, transfer, body, unchanged, _REFUSED_EVERYWHERE)


@check("negative-amount", needs=contract.payments, competencies=("money.arithmetic",))
async def a_payment_takes_a_positive_amount(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """Payments and captures take integers from 1 to 10^12, and nothing else reaches a card."""
    books = Books()
    account, card = books.open(alice, await alice.funded()), fresh.card()
    books.deposit(account, Money(FUNDS, "GBP"))
    payment = await alice.pay(money("50.00 GBP"), account, capture=False, card=card)
    expected = effects(await psp.journal(card))

    async def unchanged() -> None:
        await books.agree(Vulnerable, _HINT)
        done = effects(await psp.journal(card))
        if done != expected:
            raise Vulnerable(f"The PSP was made to do {done[len(expected) :]}.", _HINT)
        now = await alice.payment(payment)
        if now.status != "authorised":
            raise Vulnerable(f"The payment became {now.status}.", _HINT)

    for capture in (True, False):
        body = payment_body(account, Money(1, "GBP"), card, capture=capture)
        attack = _Attack(alice.owner, "/v1/payments", fresh)
        title = "sales" if capture else "authorisations"
        await _attack(
            f"{title} with amounts to be refused",
            attack,
            body | {"amount": _amount()},
            unchanged,
        )
    attack = _Attack(alice.owner, f"{payment.url}/capture", fresh)
    await _attack("captures with amounts to be refused", attack, {"amount": _amount()}, unchanged)
    for currency in _CURRENCIES:
        other = books.open(alice, await alice.open_account(currency))
        body = payment_body(other, Money(1, currency), card) | {"amount": _amount(currency)}
        attack = _Attack(alice.owner, "/v1/payments", fresh)
        title = f"sales with amounts to be refused, in {currency}"
        await _attack(title, attack, body, unchanged, _REFUSED_EVERYWHERE)
    await alice.capture(payment)


@check("negative-amount", needs=contract.refunds, competencies=("money.arithmetic",))
async def a_refund_returns_a_positive_amount(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """Refunds take integers from 1 to 10^12, and nothing else moves money."""
    books = Books()
    account, card = books.open(alice, await alice.funded()), fresh.card()
    books.deposit(account, Money(FUNDS, "GBP"))
    amount = money("50.00 GBP")
    payment = await alice.pay(amount, account, card=card)
    books.capture(account, amount)
    await alice.refund(payment, money("1.00 GBP"))
    books.refund(account, money("1.00 GBP"))
    expected = effects(await psp.journal(card))

    async def unchanged() -> None:
        await books.agree(Vulnerable, _HINT)
        done = effects(await psp.journal(card))
        if done != expected:
            raise Vulnerable(f"The PSP was made to do {done[len(expected) :]}.", _HINT)

    attack = _Attack(alice.owner, f"{payment.url}/refunds", fresh)
    await _attack("refunds with amounts to be refused", attack, {"amount": _amount()}, unchanged)
