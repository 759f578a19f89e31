"""account-lost-update: of renames that were based on one version, the last one wins (CWE-362)."""

from __future__ import annotations

from checks import contract
from checks.attachment import Testbed
from checks.concurrency.renaming import HINT, Renaming
from checks.fresh import Fresh
from checks.judging import Judge
from checks.lining_up import contend
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.tenants import Merchant


@check(
    "account-lost-update",
    needs=contract.transfers,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    competencies=("db.locking", "db.transactions"),
)
async def no_rename_is_lost(alice: Merchant, bob: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """Of renames that name one version of an account one succeeds, and money moves beside it."""
    renaming = await Renaming.open(alice, bob, fresh)
    for prepare, what in (
        (renaming.renames, "rename"),
        (renaming.with_the_old_name, "same-name rename"),
        (renaming.with_a_transfer, "payer update"),
        (renaming.with_a_deposit, "payee update"),
    ):
        await contend(testbed, prepare, what, Judge(HINT))
