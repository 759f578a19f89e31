"""n-plus-one: statements, or rows read, grow with the rows of a page (CWE-1050)."""

from __future__ import annotations

from checks import contract
from checks.amounts import Money
from checks.attachment import Testbed
from checks.gathering import all_of
from checks.lists import of_list
from checks.load.filling import Filled, fill
from checks.load.scans import Scans, watched
from checks.probes import probe
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.shapes import Page
from checks.tenants import Merchant
from checks.testbed.control import SqlCount
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Read what the rows of a page need in one statement, or in one for all of them (a join, or"
    " IN with all their ids), not in a loop; and let the database cut the page, before it joins."
)

#: Rows of the two pages that are compared.
_FEW, _MANY = 2, 10

#: More rows than the longest page, and so many more.
_LONGEST, _MORE = 104, 16

#: The replica that pages are measured on; the lists are filled through another.
_MEASURED = 1

#: Statements by which two pages may differ all the same, such as one that only many rows need; and
#: rows read, such as the one that tells if another page follows, with what belongs to it.
_SLACK = 4


@check(
    "n-plus-one",
    needs=(
        *contract.lists,
        *contract.transfers,
        *contract.payments,
        *contract.refunds,
        *contract.quotes,
        *contract.payouts,
        *contract.events,
    ),
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("db.queries", "performance.latency"),
)
async def a_page_costs_the_same_for_many_rows(
    alice: Merchant, bob: Merchant, carol: Merchant, testbed: Testbed
) -> None:
    """A list sends as many statements for many rows as for few, and reads only its page."""
    few, many = await fill(alice, _FEW), await fill(bob, _MANY)
    await _statements_of_pages(few, many, testbed)
    await _rows_of_pages(carol.on(0), testbed)
    await _inside_the_database(few, many, testbed)


async def _statements_of_pages(few: Filled, many: Filled, testbed: Testbed) -> None:
    for name in few.lists():
        with probe(f"the list of {name}, {_FEW} rows and {_MANY} rows") as attempt:
            costs = [
                (
                    await _cost(one.merchant, one.lists()[name], testbed, limit=100, rows=one.rows)
                ).statements
                for one in (few, many)
            ]
            attempt.note(f"statements: {costs[0]} for the short page, {costs[1]} for the long one")
            if costs[1] - costs[0] > _SLACK:
                raise Vulnerable(
                    f"The list of {name} sends {costs[0]} statements for {_FEW} rows and {costs[1]}"
                    f" for {_MANY}.",
                    _HINT,
                )


async def _rows_of_pages(merchant: Merchant, testbed: Testbed) -> None:
    """A page that is cut in the service has been read whole.

    Measured beyond the longest page there is (contract 1.13), since a service may read that much
    of any list and still be bounded.
    """
    account = await merchant.open_account()

    async def longer(rows: int) -> None:
        amounts = [Money(1000 + index, "GBP") for index in range(rows)]
        await all_of([merchant.authorise(amount, account) for amount in amounts], at_once=8)

    await longer(_LONGEST)
    paths = ("/v1/payments", "/v1/payments?sort=amount", "/v1/payments?status=authorised")
    before = [await _cost(merchant, path, testbed, limit=2) for path in paths]
    await longer(_MORE)
    for path, cost in zip(paths, before, strict=True):
        with probe(f"two of {path}, out of {_LONGEST} and of {_LONGEST + _MORE}") as attempt:
            now = await _cost(merchant, path, testbed, limit=2)
            attempt.note(f"rows read: {cost.rows} from the shorter list, {now.rows} later")
            if now.rows - cost.rows > _SLACK:
                raise Vulnerable(
                    f"For a page of two, {path} reads {cost.rows} rows where there are {_LONGEST}"
                    f" and {now.rows} where there are {_LONGEST + _MORE}.",
                    _HINT,
                )


async def _cost(
    merchant: Merchant, path: str, testbed: Testbed, *, limit: int, rows: int = 2
) -> SqlCount:
    """What one page costs on a replica that was not asked to fill the list of so many rows."""
    await merchant.get("/v1/accounts/acc_none", replica=_MEASURED, record=False)
    before = await testbed.count(_MEASURED)
    answer = (await merchant.get(of_list(path, limit=limit), replica=_MEASURED)).expect(200)
    after = await testbed.count(_MEASURED)
    given = len(answer.read(Page).data)
    if given < min(rows, limit):
        raise Broken(f"{answer} with {given} rows of {rows}; asked for {limit}.")
    return after.since(before)


async def _inside_the_database(few: Filled, many: Filled, testbed: Testbed) -> None:
    """The same of loops in functions of the database, which send no statements of their own."""

    async def read(filled: Filled) -> None:
        for path in filled.lists().values():
            answer = await filled.merchant.get(of_list(path, limit=100))
            if answer.failed:  # a connection that was ended beneath it
                answer = await filled.merchant.get(of_list(path, limit=100))
            answer.expect(200)

    async with watched(testbed) as database:
        if database is None:
            return
        with probe("all lists, by what the database's functions do") as attempt:
            short: Scans = await database.during(lambda: read(few))
            long: Scans = await database.during(lambda: read(many))
            attempt.note(f"calls and look-ups: {short} for short pages, {long} for long ones")
            for table, more in long.more_than(short).items():
                if more >= _MANY - _FEW:
                    raise Vulnerable(
                        f"With {_MANY} rows instead of {_FEW}, {table} is looked up {more} times"
                        " more"
                        f" from inside the database's functions ({', '.join(long.functions)}).",
                        _HINT,
                    )
