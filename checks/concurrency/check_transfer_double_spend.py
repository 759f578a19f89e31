"""transfer-double-spend: a balance that was enough, and a debit that came too late (CWE-362)."""

from __future__ import annotations

from checks import contract
from checks.attachment import Testbed
from checks.concurrency.lost_races import CHARGED
from checks.concurrency.spending import HINT, Spending
from checks.fresh import Fresh
from checks.judging import Judge
from checks.lining_up import contend
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.tenants import Merchant


@check(
    "transfer-double-spend",
    needs=contract.transfers,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    long=True,
    competencies=("db.locking", "db.transactions"),
)
async def transfers_never_overdraw(
    alice: Merchant, bob: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Transfers that come at once spend an account's money once."""
    spending = await Spending.open(alice, bob, fresh)
    for prepare, what in ((spending.transfers, "transfer"), (spending.with_a_reversal, "debit")):
        await contend(testbed, prepare, what, Judge(HINT, CHARGED))
