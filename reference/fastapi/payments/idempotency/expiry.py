"""Forgetting keys that have lived their time (rule 5.10)."""

from datetime import timedelta

from sqlalchemy import delete, func, select, tuple_

from payments.dependencies import Context
from payments.idempotency.models import IdempotencyKey

LIFETIME = timedelta(hours=24)
BATCH = 500


async def forget_expired(context: Context) -> None:
    """Delete some keys older than 24 hours; those that another copy is deleting are left to it."""
    uow = context.database.unit_of_work()
    primary_key = (IdempotencyKey.scope, IdempotencyKey.key)
    expired = (
        select(*primary_key)
        .where(IdempotencyKey.created_at < func.now() - LIFETIME)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    async with uow:
        await uow.session.execute(
            delete(IdempotencyKey)
            .where(tuple_(*primary_key).in_(expired))
            .execution_options(synchronize_session=False)
        )
