"""The audit log, as spoken."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel

from payments.audit.models import Action, AuditRecord


class AuditRecordOut(BaseModel):
    """Who did what; ``actor`` is a client's id, or ``administrator``."""

    id: str
    actor: str
    action: Action
    object: str
    request_id: str | None
    details: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, record: AuditRecord) -> Self:
        """Show a record."""
        return cls(
            id=record.id,
            actor=record.actor,
            action=Action(record.action),
            object=record.object_id,
            request_id=record.request_id,
            details=record.details,
            created_at=record.created_at,
        )
