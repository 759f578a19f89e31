"""Writing events down, in the transaction that makes the change they tell of."""

from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from payments.events.models import EventType
from payments.kit.ids import new_id

_RECORD = text("""
    WITH told AS (
        SELECT id, merchant_id
        FROM unnest(CAST(:ids AS text[]), CAST(:merchants AS text[])) AS told (id, merchant_id)
    ), numbered AS (
        INSERT INTO streams AS stream (merchant_id, object_id, sequence)
        SELECT merchant_id, :object, 1 FROM told ORDER BY merchant_id
        ON CONFLICT (merchant_id, object_id) DO UPDATE SET sequence = stream.sequence + 1
        RETURNING merchant_id, sequence
    )
    INSERT INTO events (merchant_id, object_id, sequence, id, type, data, created_at)
    SELECT merchant_id, :object, sequence, id, :type, CAST(:data AS jsonb), :at
    FROM told JOIN numbered USING (merchant_id)
""")


async def record(
    session: AsyncSession,
    kind: EventType,
    object_id: str,
    merchants: Iterable[str],
    shown: BaseModel,
) -> None:
    """Write that an object came to this, for each merchant that it concerns.

    It comes last in its transaction: the lock of the object's stream, which gives the events of
    simultaneous changes their order, is held until the end. Who changes several objects at once
    records them in the order of their ids, so that two of them never wait for each other.
    """
    concerned = sorted(set(merchants))
    await session.execute(
        _RECORD,
        {
            "ids": [new_id("evt") for _ in concerned],
            "merchants": concerned,
            "object": object_id,
            "type": kind.value,
            "data": shown.model_dump_json(by_alias=True),
            "at": datetime.now(UTC),
        },
    )
