"""Finding out what became of operations whose end is not known."""

import asyncio

from payments.dependencies import Context
from payments.kit.logging import logger
from payments.operations import repository
from payments.operations.claims import keep_claim
from payments.operations.settlement import settle
from payments.psp.protocol import Outcome

BATCH = 10


async def of_payment(context: Context, payment_id: str) -> None:
    """Ask about all open operations of a payment that nobody is at."""
    lease = context.settings.claim_lease_seconds
    uow = context.database.unit_of_work()
    async with uow:
        claimed = await repository.claim_of_payment(uow.session, payment_id, lease)
    for operation_id in claimed:
        await _reconcile(context, operation_id)


async def of_due(context: Context) -> int:
    """Ask about some operations that are due, those of other copies left out; how many it were."""
    lease = context.settings.claim_lease_seconds
    uow = context.database.unit_of_work()
    async with uow:
        claimed = await repository.claim_due(uow.session, lease, BATCH)
    results = await asyncio.gather(
        *map(context.telemetry.job("operation", _reconcile, context), claimed),
        return_exceptions=True,
    )
    for result in results:
        if isinstance(result, Exception):
            logger().error("reconciliation_failed", exc_info=result)
    return len(claimed)


async def _reconcile(context: Context, operation_id: str) -> None:
    """Ask about one claimed operation, and settle it if there is news.

    If the PSP does not know it, the same instruction is sent again under the same key: that is safe
    even if the PSP's look-up lags behind, and brings to an end what never arrived.
    """
    uow = context.database.unit_of_work()
    async with uow:
        operation = await repository.load(uow.session, operation_id)

    instruction = operation.instruction()
    async with keep_claim(context, operation):
        outcome: Outcome | None = await context.psp.look_up(instruction)
        if outcome is None:
            outcome = await context.psp.perform(instruction)

    async with uow:
        settled = await settle(uow.session, operation_id, outcome, context.settings)
    logger().info("reconciled", operation=operation_id, type=settled.type, status=settled.status)
