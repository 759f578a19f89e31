"""quote-executed-twice: executions of one quote that come together (CWE-837)."""

from __future__ import annotations

from checks import contract
from checks.amounts import Money
from checks.attachment import Testbed
from checks.concurrency.lost_races import CHARGED
from checks.concurrency.only_once import OnlyOnce
from checks.contest import Contest, callers_of
from checks.fresh import Fresh
from checks.judging import Judge
from checks.lining_up import RACERS, contend
from checks.losers import seen
from checks.registry import check
from checks.settings import LASTING_QUOTES
from checks.shapes import Quote
from checks.tenants import Merchant

_HINT = (
    "Let the database admit one execution of a quote: an UPDATE on condition that it is open, a"
    " unique ledger reference that names the quote, or its row lock, taken before it is looked at."
)


@check(
    "quote-executed-twice",
    needs=(*contract.quotes, "contract/a_quote_converts_once"),
    exclusive=True,
    settings=LASTING_QUOTES,
    competencies=("db.locking", "db.transactions"),
)
async def a_quote_is_executed_once(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """Executions that come at once convert at a quote's price once."""
    callers = await callers_of(alice)
    base, other = fresh.pair()
    sold = fresh.money(10_000, 80_000, base)
    # More of them could be paid than one.
    funds = Money(sold.amount * (RACERS + 1), base)

    async def prepare(count: int) -> Contest:
        source = await alice.funded(funds)
        target = await alice.open_account(other)
        quote = await alice.quote(source, target, sold)

        async def state() -> object:
            return (await seen(alice.owner, quote.url)).read(Quote).status

        executing = OnlyOnce(
            what=f"The execution of a quote that sells {sold}",
            path=f"{quote.url}/execute",
            owner=alice,
            callers=callers,
            state=state,
            moved=[(source, -sold.amount), (target, quote.buy.amount)],
            hint=_HINT,
        )
        return executing.contest(count, fresh)

    await contend(testbed, prepare, "execution", Judge(_HINT, CHARGED))
