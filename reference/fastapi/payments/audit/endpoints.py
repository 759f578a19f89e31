"""The audit log over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from payments.access.callers import Owner
from payments.audit.repository import NEWEST_FIRST, AuditRepository
from payments.audit.schemas import AuditRecordOut
from payments.dependencies import ContextOf, Uow
from payments.kit.ids import IdReference
from payments.kit.pagination import DEFAULT_LIMIT, Cursor, Limit, ListOf, Page
from payments.kit.problems import LISTING, refusals

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@router.get("", responses=refusals(*LISTING))
async def list_audit_records(
    caller: Owner,
    context: ContextOf,
    uow: Uow,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    object_id: Annotated[IdReference | None, Query(alias="object")] = None,
) -> ListOf[AuditRecordOut]:
    """List who did what at the merchant, to one object or at all, newest first."""
    scope = (caller.merchant_id, "audit", object_id or "")
    page = Page.of(context.cursors, NEWEST_FIRST, scope, limit, cursor)
    async with uow:
        rows = await AuditRepository(uow.session, caller.merchant_id).page(page, object_id)
    records, next_cursor = page.cut(rows)
    return ListOf(data=[AuditRecordOut.of(row) for row in records], next_cursor=next_cursor)
