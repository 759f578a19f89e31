"""Writing down who did what, in the transaction that does it."""

from typing import Any

from sqlalchemy import ScalarSelect, insert
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import get_contextvars

from payments.access.tokens import Caller
from payments.audit.models import Action, AuditRecord
from payments.kit.ids import new_id

ADMINISTRATOR = "administrator"


async def note(
    session: AsyncSession, caller: Caller, action: Action, object_id: str, **details: Any
) -> None:
    """Write that a client did something; ``details`` are what it changed, as JSON."""
    await _write(session, caller.merchant_id, caller.client_id, action, object_id, details)


async def note_administrator(
    session: AsyncSession,
    merchant_id: str | ScalarSelect[str],
    action: Action,
    object_id: str,
    **details: Any,
) -> None:
    """Write that the administrator did something which concerns a merchant."""
    await _write(session, merchant_id, ADMINISTRATOR, action, object_id, details)


async def _write(
    session: AsyncSession,
    merchant_id: str | ScalarSelect[str],
    actor: str,
    action: Action,
    object_id: str,
    details: dict[str, Any],
) -> None:
    await session.execute(
        insert(AuditRecord).values(
            id=new_id("aud"),
            merchant_id=merchant_id,
            actor=actor,
            action=action.value,
            object_id=object_id,
            request_id=get_contextvars().get("request_id"),
            details=details,
        )
    )
