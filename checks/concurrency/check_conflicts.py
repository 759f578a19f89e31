"""serialization-500: a conflict that one could try again reaches the client (CWE-755)."""

from __future__ import annotations

from checks import contract
from checks.attachment import Testbed
from checks.concurrency.crossing import LIMIT, Crossing, Movement
from checks.concurrency.lost_races import NO_LOCK_CHARGED, FairLoss, conflicting
from checks.explorer import explore
from checks.fresh import Fresh
from checks.lining_up import line_up
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.tenants import Merchant

_HINT = (
    "After SQLSTATE 40001, which any statement and COMMIT can bring, run the whole request again in"
    " a new transaction, a few times at most; then answer 503 with Retry-After, when all of it is"
    " rolled back."
)

_JUDGE = FairLoss(_HINT, own=conflicting, others=(NO_LOCK_CHARGED,))

#: The contest for the table gate, where statements do not show all.
_OPPOSITE = "opposite transfer"

_THERE = Movement(0, 1)


@check(
    "serialization-500",
    needs=contract.transfers,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    limit=LIMIT,
    competencies=("db.transactions", "resilience.failures"),
)
async def a_lost_race_is_no_failure(
    alice: Merchant, bob: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Movements of one account that come at once all succeed, and none is answered a failure."""
    crossing = await Crossing.open(alice, bob, fresh)
    contests = {
        "transfer of one payer": crossing.contest(_THERE, Movement(0, 2)),
        "transfer to one payee": crossing.contest(Movement(0, 2), Movement(1, 2)),
        _OPPOSITE: crossing.contest(_THERE, Movement(1, 0)),
        "reversal or transfer": crossing.contest(Movement(1, 0, reversal=True), Movement(1, 2)),
        "deposit or transfer": crossing.with_a_deposit(),
    }
    for what, prepare in contests.items():
        explored = await explore(testbed, prepare, what, _JUDGE)
        if explored.opaque and what == _OPPOSITE:
            await line_up(testbed, prepare, what, explored)
