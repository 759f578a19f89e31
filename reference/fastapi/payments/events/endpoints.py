"""Events over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from payments.access.callers import Viewer
from payments.dependencies import ContextOf, Uow
from payments.events.repository import LAST_FIRST, NEWEST_FIRST, EventRepository
from payments.events.schemas import EventOut
from payments.kit.ids import IdReference, path_id
from payments.kit.pagination import DEFAULT_LIMIT, Cursor, Limit, ListOf, Page
from payments.kit.problems import LISTING, READING, not_found, refusals

router = APIRouter(prefix="/v1/events", tags=["events"])

EventId = Annotated[str, path_id("evt")]


@router.get("", responses=refusals(*LISTING))
async def list_events(
    caller: Viewer,
    context: ContextOf,
    uow: Uow,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    object_id: Annotated[IdReference | None, Query(alias="object")] = None,
) -> ListOf[EventOut]:
    """List what the merchant was told, of one object or of all, newest first."""
    order = NEWEST_FIRST if object_id is None else LAST_FIRST
    scope = (caller.merchant_id, "events", object_id or "")
    page = Page.of(context.cursors, order, scope, limit, cursor)
    async with uow:
        rows = await EventRepository(uow.session, caller.merchant_id).page(page, object_id)
    events, next_cursor = page.cut(rows)
    return ListOf(data=[EventOut.of(row) for row in events], next_cursor=next_cursor)


@router.get("/{event_id}", responses=refusals(*READING, 404))
async def get_event(caller: Viewer, event_id: EventId, uow: Uow) -> EventOut:
    """Show an event."""
    async with uow:
        event = await EventRepository(uow.session, caller.merchant_id).get(event_id)
    if event is None:
        raise not_found()
    return EventOut.of(event)
