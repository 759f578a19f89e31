"""The PSP's settlement files, held against the books (contract 18).

Days that all share hold what other checks moved, and had told falsely: each looks at its own
references there. What spoils a whole file is done to days that are nobody else's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from checks import contract
from checks.amounts import Money, exponent
from checks.attachment import Psp, Testbed
from checks.books import Books
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.lists import walk
from checks.losers import carried_out
from checks.notices import bring, left_open, psp_notice
from checks.probes import probe
from checks.registry import check
from checks.settlements import (
    Settlement,
    differences,
    expect_differences,
    expect_refused,
    expect_sides,
    expect_whole,
    fetch,
    fetch_closed,
)
from checks.tenants import Merchant, Platform, payment_body
from checks.testbed.faults import SettlementFaultKind
from checks.verdicts import Broken

_NEEDS = (*contract.payments, *contract.voids, *contract.refunds)
_ROW_FAULTS: tuple[SettlementFaultKind, ...] = (
    "missing",
    "duplicate",
    "amount",
    "currency",
    "day",
)
_SPOILT: tuple[SettlementFaultKind, ...] = ("truncated", "total", "count", "nonsense")
_SKILLS = ("money.ledger", "resilience.outside-calls")


@check(needs=_NEEDS, competencies=_SKILLS)
async def a_clean_day_has_no_differences(
    alice: Merchant, platform: Platform, psp: Psp, fresh: Fresh
) -> None:
    """What the PSP moved as the books have it is no difference, in several currencies."""
    books, cards = Books(), [fresh.card() for _ in range(4)]
    part = fresh.money(100, 5_000)
    for card, currency in zip(cards, ("GBP", *fresh.pair()), strict=False):
        account = books.open(alice, await alice.open_account(currency))
        whole = fresh.money(10_000, 90_000, currency)
        sold = await alice.pay(whole, account, card=card)
        books.capture(account, whole)
        back = fresh.money(100, 5_000, currency)
        await alice.refund(sold, back)
        books.refund(account, back)
    account = books.open(alice, await alice.open_account())
    authorised = await alice.pay(part + part, account, card=cards[-1], capture=False)
    await alice.capture(authorised, part)
    books.capture(account, part)
    await alice.void(await alice.pay(part, account, card=cards[-1], capture=False))
    rows = [row for card in cards for row in await psp.moved(card)]
    if len(rows) != 7:
        raise Broken(f"Four payments captured and three refunds moved money {len(rows)} times.")
    days = await fetch_closed(platform, psp, rows)
    await expect_differences(platform, days, rows, {})
    await books.agree()


@check(needs=_NEEDS, competencies=_SKILLS)
async def each_way_in_which_a_file_is_wrong_is_listed_once(
    alice: Merchant, platform: Platform, psp: Psp, fresh: Fresh
) -> None:
    """What a file lacks, adds or tells otherwise is listed once, and moves no money."""
    books, rows, faults = Books(), [], []
    wanted: dict[str, str] = {}
    accounts = [await alice.open_account(one) for one in ("GBP", *fresh.pair())]
    for account in accounts:
        books.open(alice, account)
    for number, kind in enumerate((*_ROW_FAULTS, None)):
        card, account = fresh.card(), accounts[number % len(accounts)]
        amount = _misread(fresh, account.currency)
        await alice.pay(amount, account, card=card)
        books.capture(account, amount)
        (row,) = await psp.moved(card)
        rows.append(row)
        if kind is not None:
            faults.append(await psp.settlement_fault(kind, reference=row.reference))
            wanted[row.reference] = kind
    stranger = f"op_{fresh.word(24)}"
    faults.append(
        await psp.settlement_fault(
            "additional", date=rows[0].day, reference=stranger, amount="9.99"
        )
    )
    wanted[stranger] = "unexpected"
    with probe("a file that is whole, and wrong in six ways"):
        days = await fetch_closed(platform, psp, rows)
        found = await expect_differences(platform, days, rows, wanted)
        expect_sides(rows, found)
    with probe("the same file again"):
        await fetch_closed(platform, psp, rows)
        again = await expect_differences(platform, days, rows, wanted)
        if {one.id for one in again} != {one.id for one in found}:
            raise Broken("A second look at the same file made other differences of the first's.")
        await books.agree()
    for fault in faults:
        await psp.lift(fault)
    with probe("the true file"):
        await fetch_closed(platform, psp, rows)
        await expect_differences(platform, days, rows, {}, also=wanted)
        await expect_differences(platform, days, rows, wanted, status="resolved")
        await books.agree()


@check(needs=contract.payments, competencies=("money.arithmetic", "resilience.outside-calls"))
async def a_file_that_is_not_whole_is_not_believed(
    platform: Platform, psp: Psp, fresh: Fresh
) -> None:
    """Nothing of a file is believed whose trailer does not agree; a whole one is, to the penny."""
    day = _own_day(fresh, 2001)
    told = [_misread(fresh, one) for one in ("GBP", *fresh.pair(), "GBP")]
    strangers = {f"op_{fresh.word(24)}": amount for amount in told}
    for reference, amount in strangers.items():
        await psp.settlement_fault(
            "additional",
            date=day,
            reference=reference,
            amount=amount.decimal,
            currency=amount.currency,
        )
    for kind in _SPOILT:
        with probe(f"a file that is not whole: {kind}"):
            fault = await psp.settlement_fault(kind, date=day, lines=fresh.number(2, 4))
            expect_refused(await fetch(platform, day), "malformed", 0)
            if await differences(platform, [day], strangers):
                raise Broken("Differences are listed that only a malformed file tells.")
            await psp.lift(fault)
    with probe("the whole file"):
        expect_whole(await fetch(platform, day), told)
        wanted = dict.fromkeys(strangers, "unexpected")
        found = await expect_differences(platform, [day], [], wanted)
        for one in found:
            if one.theirs is None or one.theirs.amount.money != strangers[one.reference]:
                raise Broken(f"The PSP told {strangers[one.reference]}; listed is {one}.")
    with probe("a file that is not whole after one that was"):
        fault = await psp.settlement_fault("truncated", date=day, lines=2)
        expect_refused(await fetch(platform, day), "compared", len(told))
        await expect_differences(platform, [day], [], wanted)
        await psp.lift(fault)


@check(needs=contract.payments, competencies=("resilience.outside-calls",))
async def a_day_that_is_not_closed_is_awaited(platform: Platform, psp: Psp, fresh: Fresh) -> None:
    """A file that is late is awaited, and compared when it is there."""
    day = _own_day(fresh, 2007)
    for status in (404, 409):
        fault = await psp.settlement_fault("late", date=day, status=status)
        expect_refused(await fetch(platform, day), "awaited", 0, at_a_line=False)
        await psp.lift(fault)
    expect_whole(await fetch(platform, day), [])
    shown = (await platform.client.get(f"/v1/settlements/{day}")).expect(200).read(Settlement)
    listed = [
        answer.read_value(item, Settlement)
        async for answer, item in walk(platform.client, "/v1/settlements")
    ]
    if shown not in listed or shown.status != "compared":
        raise Broken(f"GET {shown.url} shows {shown}, which is not in the list.")
    dates = [one.date for one in listed]
    if dates != sorted(set(dates), reverse=True):
        raise Broken(f"GET /v1/settlements lists the days {dates}; the last comes first.")


@check(needs=contract.payments, competencies=_SKILLS)
async def what_is_settled_after_its_file_is_resolved(
    alice: Merchant, platform: Platform, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """A movement whose end is not known here is a difference until it is settled."""
    books = Books()
    account = books.open(alice, await alice.open_account())
    card, amount = fresh.card(), fresh.money(1_000, 90_000)
    fault = await psp.fault("drop_after", "sale", "lookup", token=card)
    unknown = await left_open(alice, payment_body(account, amount, card))
    with probe("the PSP's file tells of a sale that is not settled") as attempt:
        rows = await psp.moved(card)
        if unknown is None or len(rows) != 1:
            attempt.note("There was no such sale: another check's matter.")
            return
        days = await fetch_closed(platform, psp, rows)
        wanted = {rows[0].reference: "unsettled"}
        await expect_differences(platform, days, rows, wanted)
        await books.agree()
    with probe("the PSP's notice settles the payment") as attempt:
        (operation,) = await psp.told(card)
        notice = psp_notice(operation, fresh)
        await carried_out(partial(bring, "psp", notice, testbed, platform))
        if (await alice.payment(unknown)).status != "captured":
            attempt.note("The payment was not settled: another check's matter.")
            return
        books.capture(account, amount)
        await fetch_closed(platform, psp, rows)
        await expect_differences(platform, days, rows, {})
        await expect_differences(platform, days, rows, wanted, status="resolved")
        await books.agree()
    await psp.lift(fault)


@check(needs=contract.merchants, competencies=("security.authorisation",))
async def settlements_are_the_administrators(
    alice: Merchant, platform: Platform, psp: Psp, fresh: Fresh
) -> None:
    """Settlements are for the administrator alone, of days that there are."""
    day = _own_day(fresh, 2013)
    await fetch(platform, day)
    seen = len(await psp.journal(day))
    for client, statuses in ((alice.owner, (403, 404)), (platform.anonymous, (401,))):
        for path in ("", f"/{day}", f"/{day}/differences"):
            expect_problem(await client.get(f"/v1/settlements{path}"), *statuses)
        expect_problem(await client.post(f"/v1/settlements/{day}/fetch", {}), *statuses)
    if len(await psp.journal(day)) != seen:
        raise Broken("The PSP was asked for a file for somebody who is not the administrator.")
    admin = platform.client
    for wrong in (_own_day(fresh, 2018), "2026-02-30", "1999-12-31", fresh.word(10)):
        for path in ("", "/differences"):
            expect_problem(await admin.get(f"/v1/settlements/{wrong}{path}"), 404)
    to_come = str((datetime.now(UTC) + timedelta(days=2)).date())
    answer = await admin.post(f"/v1/settlements/{to_come}/fetch", {})
    expect_problem(answer, 422, code="future_date")


def _own_day(fresh: Fresh, year: int) -> str:
    """A day of a few years from one on, that is one check's alone."""
    first = datetime(year, 1, 1, tzinfo=UTC)
    return str((first + timedelta(days=fresh.number(0, 5 * 365))).date())


def _misread(fresh: Fresh, currency: str) -> Money:
    """An amount whose decimal string is another one if it is read as a binary fraction."""
    while True:
        amount = fresh.money(10_000, 900_000, currency)
        if int(float(amount.decimal) * 10 ** exponent(currency)) != amount.amount:
            return amount
