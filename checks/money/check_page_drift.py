"""entries-page-drift: pages that skip or repeat rows while others arrive (CWE-682)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from checks import contract
from checks.amounts import money
from checks.fresh import Fresh
from checks.lists import of_list
from checks.losers import seen
from checks.payouts import make
from checks.probes import probe
from checks.registry import check
from checks.shapes import Account, Page, Payment
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Let a cursor name the last row that was shown, by all columns of the order and one that is"
    " unique, and begin the next page behind that row. A count of rows means others as soon as one"
    " is added; so does a column that several rows share."
)

#: Rows in a list, on a page, and that are added before each further page.
_ROWS, _ON_A_PAGE, _ADDED = 7, 3, 2

#: Pages after which a list counts as endless.
_PAGES = 60


@dataclass(frozen=True, slots=True)
class _Business:
    """What fills a merchant's lists; made by ``open``."""

    merchant: Merchant
    source: Account
    target: Account
    payee: Account
    refunded: Payment
    foreign: Account

    @classmethod
    async def open(cls, merchant: Merchant) -> _Business:
        """With accounts, and a payment that is refunded bit by bit."""
        source, target = await merchant.funded(), await merchant.open_account()
        payee = await merchant.open_account()
        refunded = await merchant.pay(money("500.00 GBP"), source)
        foreign = await merchant.open_account("USD")
        return cls(merchant, source, target, payee, refunded, foreign)

    async def add(self, rows: int) -> None:
        """Add so many rows to every list, one by one: those of an account would race."""
        for number in range(rows):
            await self._row(number)

    async def _row(self, number: int) -> None:
        at = self.merchant.on(number % len(self.merchant.platform.connections.replicas))
        await at.open_account()
        await at.transfer(self.source, self.target, money("0.01 GBP"))
        # All of one amount: sorted by it, they stand where the other columns put them.
        await at.authorise(money("10.00 GBP"), self.payee)
        await at.refund(self.refunded, money("0.10 GBP"))
        await at.quote(self.source, self.foreign, money("10.00 GBP"))
        await make(at, at.fresh, self.source, money("1.00 GBP"), at.fresh.payee())
        await at.create_client("viewer")

    def lists(self) -> dict[str, str]:
        """Where the lists are, by name."""
        return {
            "entries": f"{self.target.url}/entries",
            "transfers": "/v1/transfers",
            "accounts": "/v1/accounts",
            "payments": "/v1/payments",
            "payments, oldest first": "/v1/payments?sort=created_at",
            "payments by amount": "/v1/payments?sort=amount",
            "payments by amount, largest first": "/v1/payments?sort=-amount",
            "authorised payments": "/v1/payments?status=authorised",
            "refunds": f"{self.refunded.url}/refunds",
            "quotes": "/v1/quotes",
            "payouts": "/v1/payouts",
            "clients": "/v1/clients",
            "audit records": "/v1/audit",
            "events": "/v1/events",
            "events of one payment": f"/v1/events?object={self.refunded.id}",
        }


@dataclass(slots=True)
class _Reader:
    """Somebody who reads a list, a page at a time."""

    merchant: Merchant
    name: str
    path: str
    shown: list[str] = field(default_factory=list)
    _cursor: str | None = ""

    async def turn(self) -> bool:
        """Read the next page; whether there was one."""
        if self._cursor is None:
            return False
        cursor = {"cursor": self._cursor} if self._cursor else {}
        path = of_list(self.path, limit=_ON_A_PAGE, **cursor)
        answer = await seen(self.merchant.owner, path)
        page = answer.read(Page)
        self.shown += [str(row.get("id")) for row in page.data]
        self._cursor = page.next_cursor
        return True

    def judge(self, there: list[str]) -> None:
        """All that was there before was shown once, and nothing twice."""
        times = Counter(self.shown)
        twice = [row for row, shown in times.items() if shown > 1]
        missing = [row for row in there if row not in times]
        if not twice and not missing:
            return
        raise Vulnerable(
            f"GET {self.path} in pages of {_ON_A_PAGE}, while {_ADDED} rows were added before each:"
            f" of {len(there)} rows that were there from the beginning, {len(missing)} were left"
            f" out, and {len(twice)} rows were shown twice.",
            _HINT,
        )


@check(
    "entries-page-drift",
    needs=(
        *contract.lists,
        *contract.transfers,
        *contract.refunds,
        *contract.payments,
        *contract.quotes,
        *contract.payouts,
        *contract.events,
    ),
    competencies=("api.pagination", "db.queries"),
)
async def pages_neither_skip_nor_repeat_while_rows_arrive(alice: Merchant, fresh: Fresh) -> None:
    """Whoever reads a list page by page sees each row once, whatever arrives meanwhile."""
    business = await _Business.open(alice)
    await business.add(_ROWS)
    lists = business.lists()
    there = {
        name: [str(row["id"]) async for _, row in alice.walk(path)] for name, path in lists.items()
    }
    readers = [_Reader(alice, name, path) for name, path in lists.items()]
    reading, turns = list(readers), 0
    while reading:
        turns += 1
        with probe(f"page {turns} of every list that has as many"):
            reading = [reader for reader in reading if await reader.turn()]
        if turns > _PAGES:
            raise Broken(f"GET {reading[0].path} still had a next page after {_PAGES}.")
        if turns * _ON_A_PAGE < _ROWS:
            await business.add(_ADDED)
    for reader in readers:
        with probe(f"what was shown of the {reader.name}") as attempt:
            attempt.note(f"{len(reader.shown)} rows were shown.")
            reader.judge(there[reader.name])
