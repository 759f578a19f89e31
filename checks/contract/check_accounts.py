"""Accounts, deposits, entries and lists (contract 1.13, 3)."""

from __future__ import annotations

import asyncio

from checks import contract
from checks.amounts import Money
from checks.books import Books
from checks.expectations import expect_absent, expect_problem
from checks.fresh import Fresh
from checks.registry import check
from checks.shapes import Account, Deposit
from checks.tenants import Merchant, Platform
from checks.verdicts import Broken


@check(needs=contract.merchants, competencies=("api.contract",))
async def an_account_is_opened_and_read_back(alice: Merchant, fresh: Fresh) -> None:
    """An account is opened empty, shown, and listed, by every replica."""
    name = fresh.name()
    for currency in ("GBP", "JPY", "KWD"):
        opened = await alice.post("/v1/accounts", {"name": name, "currency": currency})
        account = opened.expect(201).read(Account)
        balance = account.balance
        amounts = {balance.posted.money, balance.held.money, balance.available.money}
        if (account.name, account.currency, amounts) != (name, currency, {Money(0, currency)}):
            raise Broken(f"{opened} with {account} for an empty account {name!r} in {currency}.")
        for replica in range(len(alice.platform.connections.replicas)):
            shown = (await alice.get(account.url, replica=replica)).expect(200).read(Account)
            if shown != account:
                raise Broken(f"Replica {replica} shows {shown} instead of {account}.")
        listed = [item["id"] async for _, item in alice.walk("/v1/accounts")]
        if listed.count(account.id) != 1:
            raise Broken(f"GET /v1/accounts does not list {account.id} once.")


@check(needs=contract.accounts, competencies=("security.authorisation",))
async def an_account_is_its_merchants_own(alice: Merchant, bob: Merchant, fresh: Fresh) -> None:
    """What belongs to another merchant does not exist for a caller: accounts and their entries."""
    account = await alice.funded()
    secrets = (account.name,)
    expect_absent(await bob.get(account.url), secrets)
    expect_absent(await bob.get(f"{account.url}/entries"), secrets)
    rename = await bob.owner.patch(
        account.url, {"name": fresh.name()}, headers={"If-Match": f'"{account.version}"'}
    )
    expect_absent(rename, secrets)
    listed = [item["id"] async for _, item in bob.walk("/v1/accounts")]
    if account.id in listed or (await alice.account(account)).name != account.name:
        raise Broken("Another merchant's account was listed or renamed.")


@check(needs=contract.accounts, competencies=("db.locking", "api.contract"))
async def a_rename_needs_the_current_version(alice: Merchant, fresh: Fresh) -> None:
    """Renaming asks for the version that was read; a stale one changes nothing."""
    account = await alice.open_account()
    etag = (await alice.get(account.url)).expect(200).headers.get("ETag", "")
    if etag != f'"{account.version}"':
        raise Broken(f"GET {account.url} carries ETag {etag!r}; its version is {account.version}.")
    name = fresh.name()
    without = await alice.owner.patch(account.url, {"name": fresh.name()})
    expect_problem(without, 428, code="precondition_required")
    renamed = (
        await alice.owner.patch(account.url, {"name": name}, headers={"If-Match": etag})
    ).expect(200)
    changed = renamed.read(Account)
    if changed.name != name or changed.version == account.version:
        raise Broken(f"{renamed} with name {changed.name!r} and version {changed.version}.")
    if renamed.headers.get("ETag") != f'"{changed.version}"':
        raise Broken(f"{renamed} with ETag {renamed.headers.get('ETag')!r}.")
    stale = await alice.owner.patch(account.url, {"name": fresh.name()}, headers={"If-Match": etag})
    expect_problem(stale, 412, code="precondition_failed")
    if (await alice.account(account)).name != name:
        raise Broken("A refused rename changed the name.")


@check(needs=contract.accounts, competencies=("money.ledger",))
async def a_deposit_credits_an_account(alice: Merchant, platform: Platform, fresh: Fresh) -> None:
    """A deposit credits the account once, and shows as an entry."""
    books = Books()
    account = books.open(alice, await alice.open_account())
    amount, reference = fresh.money(100, 50_000), fresh.reference()
    body = {"account": account.id, "amount": amount.json(), "reference": reference}
    answer = await platform.client.post("/v1/deposits", body, key=fresh.key())
    deposit = answer.expect(201).read(Deposit)
    if (deposit.account, deposit.amount.money, deposit.reference) != (
        account.id,
        amount,
        reference,
    ):
        raise Broken(f"{answer} with {deposit}.")
    books.deposit(account, amount)
    await books.agree()
    entry = (await alice.entries(account))[0]
    if entry.reference != deposit.id or entry.account != account.id:
        raise Broken(f"The deposit {deposit.id} shows as {entry}.")


@check(needs=contract.deposits, competencies=("money.ledger", "api.validation"))
async def a_deposit_that_cannot_be_is_refused(
    alice: Merchant, platform: Platform, fresh: Fresh
) -> None:
    """A deposit to an unknown account is refused without effect."""
    books = Books()
    books.open(alice, await alice.open_account())
    amount = fresh.money(100, 50_000)
    nowhere = {"account": f"acc_{fresh.word(26)}", "amount": amount.json()}
    refused = await platform.client.post("/v1/deposits", nowhere, key=fresh.key())
    expect_problem(refused, 404, code="account_not_found")
    await books.agree()


@check(needs=contract.deposits, competencies=("api.pagination",))
async def a_list_is_paged(alice: Merchant, platform: Platform, fresh: Fresh) -> None:
    """A list comes newest first, page by page, each row once."""
    account = await alice.open_account()
    amounts = [fresh.number(1, 99_999) for _ in range(7)]
    for amount in amounts:
        await platform.deposit(account, Money(amount, "GBP"))
    shown = [_amount(row) async for _, row in alice.walk(f"{account.url}/entries", limit=3)]
    if shown != amounts[::-1]:
        raise Broken(
            f"Paging through 7 deposits showed {shown}; newest first they are {amounts[::-1]}."
        )


@check(needs=contract.lists, competencies=("api.pagination", "api.validation"))
async def a_list_refuses_what_it_does_not_know(alice: Merchant, fresh: Fresh) -> None:
    """What is no cursor of its own is refused."""
    account = await alice.funded()
    for path in ("/v1/accounts", f"{account.url}/entries"):
        expect_problem(await alice.get(f"{path}?cursor={fresh.word(24)}"), 422)


def _amount(row: dict[str, object]) -> object:
    amount = row.get("amount")
    return amount.get("amount") if isinstance(amount, dict) else None


@check(needs=contract.accounts, competencies=("api.contract",))
async def many_callers_are_served_at_once(alice: Merchant, bob: Merchant) -> None:
    """Requests that come together are all answered."""
    accounts = await asyncio.gather(
        *(merchant.open_account() for merchant in (alice, bob) for _ in range(6))
    )
    if len({account.id for account in accounts}) != len(accounts):
        raise Broken("Two accounts opened at the same time have one id.")
