from __future__ import annotations

from typing import Any, cast

import pytest

from checks.amounts import Money, money
from checks.books import Books
from checks.shapes import Account, Entry
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable


def _account(name: str, posted: int = 0, held: int = 0) -> Account:
    def amount(minor: int) -> dict[str, Any]:
        return {"amount": minor, "currency": "GBP"}

    return Account.model_validate(
        {
            "id": f"acc_{name}",
            "name": name,
            "currency": "GBP",
            "balance": {
                "posted": amount(posted),
                "held": amount(held),
                "available": amount(posted - held),
            },
            "version": 1,
            "created_at": "2026-01-01T00:00:00Z",
        }
    )


class Owner:
    """A merchant whose accounts show what the test says."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.shown: dict[str, list[tuple[str, str, int]]] = {}

    def shows(self, name: str, *entries: tuple[str, str, int], held: int = 0) -> None:
        self.shown[f"acc_{name}"] = list(entries)
        self.held[f"acc_{name}"] = held

    async def account(self, account: Account) -> Account:
        posted = sum(amount for *_, amount in self.shown[account.id])
        return _account(account.name, posted, self.held[account.id])

    async def entries(self, account: Account) -> tuple[Entry, ...]:
        return tuple(
            Entry.model_validate(
                {
                    "id": f"ent_{number}",
                    "transaction": f"txn_{transaction}",
                    "account": account.id,
                    "amount": {"amount": amount, "currency": "GBP"},
                    "kind": kind,
                    "reference": "r",
                    "created_at": "2026-01-01T00:00:00Z",
                }
            )
            for number, (transaction, kind, amount) in enumerate(self.shown[account.id])
        )


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def books(owner: Owner) -> Books:
    kept = Books()
    for name in ("one", "two"):
        kept.open(cast(Merchant, owner), _account(name))
        owner.shows(name)
    return kept


async def test_everything_that_happened_agrees(owner: Owner, books: Books) -> None:
    one, two = _account("one"), _account("two")
    books.deposit(one, money("10.00 GBP"))
    books.capture(one, money("100.00 GBP"))
    books.refund(one, money("5.00 GBP"))
    books.transfer(one, two, money("3.00 GBP"))
    books.transfer(two, one, money("3.00 GBP"), reversal=True)
    books.hold(one, money("2.00 GBP"))
    owner.shows(
        "one",
        ("a", "deposit", 1000),
        ("b", "capture", 9850),
        ("c", "refund", -500),
        ("d", "transfer", -300),
        ("e", "transfer_reversal", 300),
        held=200,
    )
    owner.shows("two", ("d", "transfer", 300), ("e", "transfer_reversal", -300))
    await books.agree()
    books.release(one, money("2.00 GBP"))
    with pytest.raises(Broken, match="held"):
        await books.agree()


async def test_money_from_nowhere_is_the_verdict_asked_for(owner: Owner, books: Books) -> None:
    owner.shows("one", ("a", "deposit", 1))
    with pytest.raises(Vulnerable, match=r"posted, held, available = \(1, 0, 1\)"):
        await books.agree(Vulnerable)


async def test_two_wrongs_that_cancel_are_found(owner: Owner, books: Books) -> None:
    owner.shows("one", ("a", "deposit", 100), ("b", "refund", -100))
    with pytest.raises(Broken, match="beyond what was accepted"):
        await books.agree()


async def test_a_missing_entry_is_named(owner: Owner, books: Books) -> None:
    books.deposit(_account("one"), Money(100, "GBP"))
    with pytest.raises(Broken, match="lacks the entries deposit 100"):
        await books.agree_entries()


async def test_the_legs_of_a_transfer_sum_to_zero(owner: Owner, books: Books) -> None:
    one, two = _account("one"), _account("two")
    books.transfer(one, two, Money(100, "GBP"))
    books.transfer(one, two, Money(300, "GBP"))
    owner.shows("one", ("a", "transfer", -100), ("b", "transfer", -300))
    owner.shows("two", ("a", "transfer", 300), ("b", "transfer", 100))
    with pytest.raises(Broken, match="not to zero"):
        await books.agree()


async def test_what_is_not_in_the_books_is_let_be(owner: Owner, books: Books) -> None:
    books.transfer(_account("one"), _account("elsewhere"), Money(100, "GBP"))
    owner.shows("one", ("a", "transfer", -100))
    await books.agree()
