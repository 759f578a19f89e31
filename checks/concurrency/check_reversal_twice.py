"""reversal-twice: reversals of one transfer that come together (CWE-837)."""

from __future__ import annotations

from checks import contract
from checks.amounts import Money
from checks.attachment import Testbed
from checks.books import Books
from checks.concurrency.lost_races import CHARGED
from checks.concurrency.only_once import OnlyOnce
from checks.contest import Contest, callers_of
from checks.fresh import Fresh
from checks.judging import Judge
from checks.lining_up import RACERS, contend
from checks.losers import seen
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.shapes import Transfer
from checks.tenants import Merchant

_HINT = (
    "Let the database admit one reversal of a transfer: a unique column of the reversal that names"
    " what it reverses, an UPDATE of the transfer on condition that it is not reversed, or its row"
    " lock, taken before it is looked at."
)


@check(
    "reversal-twice",
    needs=(*contract.transfers, "contract/a_transfer_is_reversed_once"),
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("db.locking", "db.transactions"),
)
async def a_transfer_is_given_back_once(
    alice: Merchant, bob: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Reversals that come at once give a transfer back once."""
    callers = await callers_of(alice)
    amount = fresh.money(1_000, 9_000)
    # More of them could be paid than one.
    rest = Money(amount.amount * RACERS, amount.currency)

    async def prepare(count: int) -> Contest:
        # Contests are prepared at once: each has a payer of its own, or these would race.
        books, payer = Books(), await bob.funded(rest)
        account = books.open(alice, await alice.funded(rest))
        books.deposit(account, rest)
        paid = await bob.transfer(payer, account, amount)
        books.transfer(payer, account, amount)

        async def state() -> object:
            return (await seen(alice.owner, paid.url)).read(Transfer).reversed_by

        reversing = OnlyOnce(
            what=f"The reversal of a transfer of {amount}",
            path=f"{paid.url}/reversal",
            owner=alice,
            callers=callers,
            state=state,
            moved=[(account, -amount.amount)],
            hint=_HINT,
            books=books,
            book=lambda: books.transfer(account, payer, amount, reversal=True),
        )
        return reversing.contest(count, fresh)

    await contend(testbed, prepare, "reversal", Judge(_HINT, CHARGED))
