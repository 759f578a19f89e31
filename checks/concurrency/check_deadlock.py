"""transfer-deadlock: locks in the order of the request, and a deadlock for an answer (CWE-833)."""

from __future__ import annotations

from checks import contract
from checks.attachment import Testbed
from checks.concurrency.crossing import LIMIT, Crossing, Movement
from checks.concurrency.lost_races import (
    CONFLICT_CHARGED,
    SPENDING_CHARGED,
    FairLoss,
    given_up,
)
from checks.explorer import explore
from checks.fresh import Fresh
from checks.lining_up import line_up
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.tenants import Merchant

_HINT = (
    "Lock both accounts in one order that every movement keeps to, whichever way the money goes;"
    " or run the whole request again after a deadlock, in a new transaction; or answer 503 with"
    " Retry-After once all of it is rolled back."
)

_JUDGE = FairLoss(_HINT, own=given_up, others=(CONFLICT_CHARGED, SPENDING_CHARGED))

#: The contest for the table gate, where statements do not show all.
_OPPOSITE = "opposite transfer"

_THERE, _BACK = Movement(0, 1), Movement(1, 0)

#: Two at a time, or two at each replica: what could wait for each other in a circle. In the queue,
#: those that come second wait for an account that both who came first are to have.
_CONTESTS = {
    _OPPOSITE: (_THERE, _BACK),
    "opposite reversal": (Movement(0, 1, reversal=True), Movement(1, 0, reversal=True)),
    "transfer or opposite reversal": (_THERE, Movement(1, 0, reversal=True)),
    "transfer in a ring": (Movement(1, 2), _THERE, Movement(2, 0)),
    "transfer in a queue": (_THERE, Movement(2, 1), _BACK, Movement(1, 2)),
}


@check(
    "transfer-deadlock",
    needs=contract.transfers,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    limit=LIMIT,
    competencies=("db.locking", "db.transactions"),
)
async def opposite_transfers_all_end(
    alice: Merchant, bob: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Transfers and reversals that cross each other all succeed, and none is answered a failure."""
    crossing = await Crossing.open(alice, bob, fresh)
    for what, movements in _CONTESTS.items():
        prepare = crossing.contest(*movements)
        explored = await explore(testbed, prepare, what, _JUDGE)
        if explored.opaque and what == _OPPOSITE:
            await line_up(testbed, prepare, what, explored)
