"""unbounded-page: a page holds as many rows as the caller asks for (CWE-770)."""

from __future__ import annotations

from collections.abc import Mapping

from checks import contract
from checks.amounts import Money, money
from checks.client import Answer
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.lists import of_list
from checks.probes import probe
from checks.registry import check
from checks.shapes import Page
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Give the length of a page a maximum in the one place that every list goes through, and refuse"
    " whatever is not a number from one to it."
)

#: Rows of the longest page there is (contract 1.13), and so many more in a list.
_LONGEST, _MORE = 100, 5

#: What a service may take for another word for "limit".
_SPELT = ("page_size", "per_page", "size", "count", "pageSize")


@check(
    "unbounded-page",
    needs=(*contract.lists, *contract.transfers, *contract.payments, *contract.events),
    competencies=("api.pagination", "performance.latency"),
)
async def a_page_is_not_as_long_as_the_caller_likes(alice: Merchant, fresh: Fresh) -> None:
    """Whatever limit is asked for, no page has more than a hundred rows."""
    lists = await _long_lists(alice, fresh)
    for name, path in lists.items():
        with probe(f"the list of {name}, which has more than {_LONGEST} rows"):
            first = _bounded(await alice.get(f"{path}?limit=1"), name).expect(200)
            cursor = first.read(Page).next_cursor
            _bounded(await alice.get(path), name)
            for limit in (str(_LONGEST + _MORE), "1000", str(2**31 - 1), "0", "-1", fresh.word(3)):
                _refused(await alice.get(f"{path}?limit={limit}"), name)
                _refused(await alice.get(of_list(path, limit=limit, cursor=cursor)), name)
            for spelt in _SPELT:
                _bounded(await alice.get(f"{path}?{spelt}=1000"), name)
            _bounded(await alice.get(f"{path}?limit=1&limit=1000"), name)
            _bounded(await alice.get(f"{path}?limit="), name)
    longest = (await alice.get(f"/v1/accounts?limit={_LONGEST}")).expect(200).read(Page)
    if len(longest.data) != _LONGEST:
        raise Broken(f"A page of {_LONGEST} accounts has {len(longest.data)}.")


async def _long_lists(merchant: Merchant, fresh: Fresh) -> Mapping[str, str]:
    """Lists of a merchant's with more rows than the longest page, by name."""
    rows = _LONGEST + _MORE
    source, target = await merchant.funded(), await merchant.open_account()
    payee = await merchant.open_account()

    async def transfers() -> None:
        # One by one, since those of an account would race.
        for number in range(rows):
            await merchant.on(number % 2).transfer(source, target, money("0.01 GBP"))

    async def row(number: int) -> None:
        at = merchant.on(number % 2)
        await at.open_account()
        await at.authorise(Money(1_000 + number, "GBP"), payee)

    await all_of([transfers(), *(row(number) for number in range(rows))], at_once=4)
    return {
        "accounts": "/v1/accounts",
        "entries": f"{target.url}/entries",
        "transfers": "/v1/transfers",
        "payments": "/v1/payments",
        "events": "/v1/events",
    }


def _bounded(answer: Answer, name: str) -> Answer:
    """No answer has more rows than the longest page."""
    rows = len(answer.read(Page).data) if answer.ok else 0
    if rows > _LONGEST:
        raise Vulnerable(f"{answer} with {rows} {name}; {_LONGEST} are the most.", _HINT)
    return answer


def _refused(answer: Answer, name: str) -> None:
    expect_problem(_bounded(answer, name), 422)
