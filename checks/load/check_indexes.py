"""missing-index: rows read grow with the rows of merchants who do not matter (CWE-1067)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from checks import contract
from checks.amounts import Money, money
from checks.attachment import Testbed
from checks.client import Answer
from checks.gathering import all_of
from checks.lists import of_list
from checks.load.filling import Filled, fill
from checks.load.sessions import reconnect
from checks.load.tuples import Reader, RowsRead, reading
from checks.payouts import make, payout_body
from checks.probes import probe
from checks.registry import check
from checks.settings import NO_WORKER
from checks.shapes import Page
from checks.tenants import Merchant, Platform, payment_body, transfer_body
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Give each list an index that begins with what it is filtered by and goes on with what it is"
    " sorted by, each foreign key that is looked up by one of its own, and compare columns as they"
    " are indexed, without a function or a cast around them."
)

#: Rows in each list of the merchants whose requests are measured: fewer than a page asks for, so
#: that no way of reading ends early.
_OWN = 4

#: Rows of a stranger's in each table, and so many more rows read than before, by all requests
#: together, that they are the stranger's: a request that finds no index reads all of them, or half
#: where an order is of use.
_STRANGERS = 120
_GROWTH = _STRANGERS // 4

#: Rows that are made at once, through as many replicas.
_AT_ONCE = 4

#: The replica that is measured; what it lists was made through the other.
_MEASURED = 1

#: Sends one request.
Send = Callable[[], Awaitable[Answer]]


@check(
    "missing-index",
    needs=(
        *contract.lists,
        *contract.transfers,
        *contract.payments,
        *contract.refunds,
        *contract.quotes,
        *contract.payouts,
    ),
    exclusive=True,
    settings=NO_WORKER,
    competencies=("db.queries", "performance.latency"),
)
async def the_rows_of_strangers_are_not_read(
    alice: Merchant, bob: Merchant, carol: Merchant, platform: Platform, testbed: Testbed
) -> None:
    """What a request reads does not grow with another merchant's rows."""
    async with reading(testbed, _MEASURED) as reader:
        await reconnect(testbed, testbed.replicas)
        early = _Measured(platform, await fill(alice, _OWN))
        looks, acts = await _costs(reader, early, "before")
        await reconnect(testbed, testbed.replicas)
        await _crowd(bob, _STRANGERS)
        late = _Measured(platform, await fill(carol, _OWN))
        later_looks, later_acts = await _costs(reader, late, "after")
        for what, less, more in (
            ("lists and look-ups", looks, later_looks),
            ("what moves money", acts, later_acts),
        ):
            if more.rows - less.rows > _GROWTH:
                raise Vulnerable(
                    f"A stranger has got {_STRANGERS} rows in each list. Since then {what} of a"
                    f" merchant with {_OWN} read {more.rows} rows instead of {less.rows}"
                    f" ({more.since(less)}).",
                    _HINT,
                )


async def _costs(reader: Reader, measured: _Measured, when: str) -> tuple[RowsRead, RowsRead]:
    """What is read for each list and look-up once, and then for what moves money once."""
    found = []
    for what, requests in (("reads", await measured.looks()), ("writes", measured.acts())):
        with probe(f"{what} of a merchant with {_OWN} rows, {when} a stranger's came") as attempt:

            async def all_requests(requests: Mapping[str, Send] = requests) -> None:
                for send in requests.values():
                    await send()

            await reader.tidy()
            found.append(await reader.during(all_requests))
            attempt.note(f"{len(requests)} requests read {found[-1].rows} rows: {found[-1]}")
    return found[0], found[1]


async def _crowd(stranger: Merchant, rows: int) -> None:
    """So many rows in each of a stranger's lists, half with smaller amounts than anybody's."""
    other, euros = await stranger.open_account(), await stranger.open_account("EUR")

    async def share(first: int) -> None:
        # Those that come at once are on accounts of their own: nobody is to wait, or to lose.
        account = await stranger.funded(Money(10**8, "GBP"))
        merchant = stranger.on(first % 2)
        for index in range(first, rows, _AT_ONCE):
            await merchant.open_account()
            await merchant.create_client("viewer")
            await merchant.transfer(account, other, money("0.10 GBP"))
            await merchant.quote(account, euros, money("1.00 GBP"))
            payee = merchant.fresh.payee()
            await make(merchant, merchant.fresh, account, money("0.10 GBP"), payee)
            amount = Money(index + (200 if index % 2 else 10_000), "GBP")
            await merchant.refund(await merchant.pay(amount, account), money("0.10 GBP"))

    await all_of(share(first) for first in range(_AT_ONCE))


@dataclass(frozen=True, slots=True)
class _Measured:
    """A merchant whose requests are measured, each sent once; what is asked for must be there."""

    platform: Platform
    filled: Filled

    @property
    def merchant(self) -> Merchant:
        """The merchant, at the replica that is measured."""
        return self.filled.merchant.on(_MEASURED)

    async def looks(self) -> dict[str, Send]:
        """Every list in every documented order, and a look-up of each kind."""
        merchant, filled = self.filled.merchant, self.filled
        found = {name: self._page(path) for name, path in filled.lists().items()}
        for sort in ("created_at", "amount", "-amount"):
            path = f"/v1/payments?status={filled.status}&sort={sort}"
            found[f"payments by status and {sort}"] = self._page(path)
        refund = await merchant.refund(filled.payment, money("0.10 GBP"))
        transfers = (await merchant.get("/v1/transfers?limit=1")).expect(200).read(Page)
        for path in (
            filled.account.url,
            filled.payment.url,
            f"{filled.payment.url}/refunds/{refund.id}",
            f"/v1/transfers/{transfers.data[0]['id']}",
            filled.quote.url,
            filled.payout.url,
        ):
            found[path] = self._sent("GET", path, 200)
        return found

    def acts(self) -> dict[str, Send]:
        """What looks something up before it writes: accounts, payments, keys, clients."""
        account, fresh = self.filled.account, self.merchant.fresh
        transfer = transfer_body(account, self.filled.other, money("0.10 GBP"))
        key = fresh.key()
        payment = payment_body(account, money("5.00 GBP"), fresh.card())
        owner = self.merchant.facts.owner
        login = {"client_id": owner.id, "client_secret": owner.secret}
        refunds = f"{self.filled.payment.url}/refunds"
        part = {"amount": money("0.10 GBP").json()}
        conversion = transfer_body(account, self.filled.euros, money("1.00 GBP"))
        payout = payout_body(account, money("0.10 GBP"), fresh.payee())
        execution = f"{self.filled.quote.url}/execute"
        return {
            "a transfer": self._sent("POST", "/v1/transfers", 201, transfer, key=key),
            "its repeat": self._sent("POST", "/v1/transfers", 201, transfer, key=key),
            "a payment": self._sent("POST", "/v1/payments", 201, payment, key=fresh.key()),
            "a refund": self._sent("POST", refunds, 201, part, key=fresh.key()),
            "a quote": self._sent("POST", "/v1/quotes", 201, conversion),
            "a payout": self._sent("POST", "/v1/payouts", 201, payout, key=fresh.key()),
            "a conversion": self._sent("POST", execution, 200, {}, key=fresh.key()),
            "sync": self._sent("POST", f"{self.filled.payment.url}/sync", 200, {}),
            "a token": self._sent("POST", "/v1/token", 200, login),
        }

    def _page(self, path: str) -> Send:
        async def send() -> Answer:
            answer = (await self.merchant.get(of_list(path, limit=100))).expect(200)
            if len(answer.read(Page).data) < _OWN // 2:
                raise Broken(f"{answer} without the rows that were made.")
            return answer

        return send

    def _sent(self, method: str, path: str, status: int, *body: object, **options: str) -> Send:
        async def send() -> Answer:
            answer = await self.merchant.request(method, path, *body, **options)
            return answer.expect(status)

        return send
