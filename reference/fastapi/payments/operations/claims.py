"""Keeping a claim on an operation for as long as its holder lives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import DBAPIError

from payments.dependencies import Context
from payments.kit.database import BusyError
from payments.kit.logging import logger
from payments.operations import repository
from payments.operations.models import Operation

RENEWALS_PER_LEASE = 3


@asynccontextmanager
async def keep_claim(context: Context, operation: Operation) -> AsyncIterator[None]:
    """Renew the claim while the block runs.

    An outside call may outlast the lease. The lease is short all the same, so that a retry need not
    wait long for a holder that died. A claim that is lost does no harm: whoever takes it asks the
    PSP under the same key, and settles once.
    """
    renewing = asyncio.create_task(_renew(context, operation.id, operation.claims))
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _renew(context: Context, operation_id: str, claims: int) -> None:
    lease = context.settings.claim_lease_seconds
    uow = context.database.unit_of_work()
    while True:
        await asyncio.sleep(lease / RENEWALS_PER_LEASE)
        try:
            async with uow:
                await repository.renew_claim(uow.session, operation_id, claims, lease)
        except (BusyError, DBAPIError):
            logger().warning("claim_not_renewed", operation=operation_id)
