"""The audit log in the database."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from payments.audit.models import AuditRecord
from payments.kit.pagination import Order, Page

NEWEST_FIRST = Order((AuditRecord.number,), descending=True)


class AuditRepository:
    """What concerns one merchant."""

    def __init__(self, session: AsyncSession, merchant_id: str) -> None:
        self._session = session
        self._visible = select(AuditRecord).where(AuditRecord.merchant_id == merchant_id)

    async def page(self, page: Page, object_id: str | None) -> Sequence[AuditRecord]:
        """The records of a page, of one object if it is named, and one more if another follows."""
        rows = self._visible
        if object_id is not None:
            rows = rows.where(AuditRecord.object_id == object_id)
        return (await self._session.scalars(page.of_rows(rows))).all()
