"""Webhook endpoints and deliveries over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from payments.access.callers import Owner, Viewer
from payments.audit import log as audit
from payments.audit.models import Action
from payments.dependencies import ContextOf, Uow
from payments.kit.ids import path_id
from payments.kit.pagination import DEFAULT_LIMIT, Cursor, Limit, ListOf, Page
from payments.kit.problems import LISTING, READING, WRITING, Problem, not_found, refusals
from payments.kit.targets import ForbiddenTargetError, Target
from payments.webhook_endpoints import service
from payments.webhook_endpoints.models import DeliveryStatus
from payments.webhook_endpoints.repository import NEWEST_FIRST, EndpointRepository
from payments.webhook_endpoints.schemas import (
    DeliveryOut,
    EndpointChange,
    EndpointCreate,
    EndpointOut,
    EndpointWithSecret,
    Redelivery,
    SecretRotate,
)
from payments.webhook_endpoints.sender import Sender

router = APIRouter(tags=["webhook endpoints"])

EndpointId = Annotated[str, path_id("we")]
DeliveryId = Annotated[str, path_id("dlv")]

_ENDPOINTS = "/v1/webhook-endpoints"


async def _ensure_allowed(sender: Sender, url: str | None) -> None:
    """See that an address may be called, as far as one can know today; no connection is held."""
    try:
        if url is not None:
            await sender.ensure_allowed(url)
    except ForbiddenTargetError as error:
        raise Problem(422, "url_not_allowed", f"The URL is not allowed: {error}.") from None


def _told(body: EndpointCreate | EndpointChange) -> dict[str, object]:
    """What was said of an endpoint; of its URL the host, since the rest may hold a secret."""
    told = body.model_dump(mode="json", exclude_unset=True, exclude={"url"})
    return told if body.url is None else told | {"host": Target.of(body.url).host}


@router.post(_ENDPOINTS, status_code=201, responses=refusals(*WRITING, 409))
async def create_webhook_endpoint(
    caller: Owner, body: EndpointCreate, context: ContextOf, uow: Uow
) -> EndpointWithSecret:
    """Register a server that is told of events; its secret is shown this once."""
    await _ensure_allowed(context.sender, body.url)
    async with uow:
        endpoint, secret = await service.register(uow.session, caller, body, context.seal)
        await audit.note(
            uow.session, caller, Action.ENDPOINT_REGISTERED, endpoint.id, **_told(body)
        )
    return EndpointWithSecret.revealing(endpoint, secret)


@router.get(_ENDPOINTS, responses=refusals(*LISTING))
async def list_webhook_endpoints(caller: Viewer, uow: Uow) -> ListOf[EndpointOut]:
    """List the merchant's endpoints, oldest first, all on one page."""
    async with uow:
        endpoints = await EndpointRepository(uow.session, caller.merchant_id).all()
    return ListOf(data=[EndpointOut.of(one) for one in endpoints], next_cursor=None)


@router.get(f"{_ENDPOINTS}/{{endpoint_id}}", responses=refusals(*READING, 404))
async def get_webhook_endpoint(caller: Viewer, endpoint_id: EndpointId, uow: Uow) -> EndpointOut:
    """Show an endpoint."""
    async with uow:
        endpoint = await EndpointRepository(uow.session, caller.merchant_id).get(endpoint_id)
    if endpoint is None:
        raise not_found()
    return EndpointOut.of(endpoint)


@router.patch(f"{_ENDPOINTS}/{{endpoint_id}}", responses=refusals(*WRITING, 404))
async def change_webhook_endpoint(
    caller: Owner, endpoint_id: EndpointId, body: EndpointChange, context: ContextOf, uow: Uow
) -> EndpointOut:
    """Change where an endpoint is, what it is told, and whether it is told at all."""
    await _ensure_allowed(context.sender, body.url)
    async with uow:
        endpoint = await service.change(uow.session, caller, endpoint_id, body)
        await audit.note(uow.session, caller, Action.ENDPOINT_CHANGED, endpoint_id, **_told(body))
    return EndpointOut.of(endpoint)


@router.delete(f"{_ENDPOINTS}/{{endpoint_id}}", status_code=204, responses=refusals(*READING, 404))
async def delete_webhook_endpoint(caller: Owner, endpoint_id: EndpointId, uow: Uow) -> Response:
    """Tell an endpoint nothing any more, and forget what it was told."""
    async with uow:
        await service.remove(uow.session, caller, endpoint_id)
        await audit.note(uow.session, caller, Action.ENDPOINT_DELETED, endpoint_id)
    return Response(status_code=204)


@router.post(f"{_ENDPOINTS}/{{endpoint_id}}/rotate", responses=refusals(*WRITING, 404))
async def rotate_webhook_secret(
    caller: Owner,
    endpoint_id: EndpointId,
    context: ContextOf,
    uow: Uow,
    body: SecretRotate | None = None,
) -> EndpointWithSecret:
    """Replace an endpoint's secret; the old one is signed with for another day."""
    async with uow:
        endpoint, secret = await service.rotate(uow.session, caller, endpoint_id, context.seal)
        await audit.note(uow.session, caller, Action.ENDPOINT_SECRET_ROTATED, endpoint_id)
    return EndpointWithSecret.revealing(endpoint, secret)


@router.get(f"{_ENDPOINTS}/{{endpoint_id}}/deliveries", responses=refusals(*LISTING, 404))
async def list_deliveries(
    caller: Viewer,
    endpoint_id: EndpointId,
    context: ContextOf,
    uow: Uow,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    status: Annotated[DeliveryStatus | None, Query()] = None,
) -> ListOf[DeliveryOut]:
    """List what an endpoint was told, or was to be, newest first."""
    scope = (caller.merchant_id, "deliveries", endpoint_id, status or "")
    page = Page.of(context.cursors, NEWEST_FIRST, scope, limit, cursor)
    async with uow:
        endpoints = EndpointRepository(uow.session, caller.merchant_id)
        if await endpoints.get(endpoint_id) is None:
            raise not_found()
        rows = await endpoints.page(page, endpoint_id, status)
    deliveries, next_cursor = page.cut(rows)
    return ListOf(data=[DeliveryOut.of(row) for row in deliveries], next_cursor=next_cursor)


@router.post("/v1/deliveries/{delivery_id}/redeliver", responses=refusals(*WRITING, 404, 409))
async def redeliver(
    caller: Owner, delivery_id: DeliveryId, uow: Uow, body: Redelivery | None = None
) -> DeliveryOut:
    """Make a delivery again."""
    async with uow:
        delivery = await service.redeliver(uow.session, caller, delivery_id)
        await audit.note(uow.session, caller, Action.DELIVERY_REPEATED, delivery_id)
    return DeliveryOut.of(delivery)
