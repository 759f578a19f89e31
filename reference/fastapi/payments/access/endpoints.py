"""Merchants, clients and tokens over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from payments.access import service
from payments.access.callers import Admin, Owner
from payments.access.repository import NEWEST_FIRST, ClientRepository
from payments.access.schemas import (
    ClientCreate,
    ClientOut,
    ClientWithSecret,
    MerchantCreate,
    MerchantOut,
    PublicKey,
    PublicKeys,
    TokenOut,
    TokenRequest,
)
from payments.audit import log as audit
from payments.audit.models import Action
from payments.dependencies import ContextOf, Uow
from payments.kit.ids import path_id
from payments.kit.pagination import DEFAULT_LIMIT, Cursor, Limit, ListOf, Page
from payments.kit.problems import LISTING, READING, WRITING, Problem, refusals

router = APIRouter(tags=["access"])

ClientId = Annotated[str, path_id("cli")]


@router.post("/v1/merchants", status_code=201, responses=refusals(*WRITING))
async def create_merchant(_: Admin, body: MerchantCreate, uow: Uow) -> MerchantOut:
    """Create a merchant with its first owner."""
    async with uow:
        merchant, owner, secret = await service.create_merchant(uow.session, body.name)
        await audit.note_administrator(
            uow.session, merchant.id, Action.MERCHANT_CREATED, merchant.id, owner=owner.id
        )
    return MerchantOut.of(merchant, ClientWithSecret.revealing(owner, secret))


@router.post("/v1/token", responses=refusals(400, 401, 413, 415, 422, 429, 503))
async def issue_token(
    request: Request, body: TokenRequest, context: ContextOf, uow: Uow
) -> TokenOut:
    """Exchange a client's secret for an access token."""
    context.limits.ensure(request.client.host if request.client is not None else "")
    async with uow:
        caller = await service.authenticate(
            uow.session, context.settings, body.client_id, body.client_secret
        )
    if isinstance(caller, Problem):
        raise caller
    return TokenOut(
        access_token=context.tokens.issue(caller), expires_in=context.tokens.lifetime_seconds
    )


@router.get("/.well-known/jwks.json")
async def public_keys(context: ContextOf) -> PublicKeys:
    """The keys that access tokens are signed with."""
    return PublicKeys(keys=[PublicKey.model_validate(context.tokens.public_jwk())])


@router.post("/v1/clients", status_code=201, responses=refusals(*WRITING))
async def create_client(caller: Owner, body: ClientCreate, uow: Uow) -> ClientWithSecret:
    """Create a client of the caller's merchant."""
    async with uow:
        client, secret = await service.create_client(
            uow.session, caller.merchant_id, body.name, body.role, created_by=caller.client_id
        )
        await audit.note(uow.session, caller, Action.CLIENT_CREATED, client.id, role=client.role)
    return ClientWithSecret.revealing(client, secret)


@router.get("/v1/clients", responses=refusals(*LISTING))
async def list_clients(
    caller: Owner,
    context: ContextOf,
    uow: Uow,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> ListOf[ClientOut]:
    """List the merchant's clients, newest first."""
    scope = (caller.merchant_id, "clients")
    page = Page.of(context.cursors, NEWEST_FIRST, scope, limit, cursor)
    async with uow:
        rows = await ClientRepository(uow.session, caller.merchant_id).page(page)
    clients, next_cursor = page.cut(rows)
    return ListOf(data=[ClientOut.of(client) for client in clients], next_cursor=next_cursor)


@router.delete("/v1/clients/{client_id}", status_code=204, responses=refusals(*READING, 404, 409))
async def delete_client(caller: Owner, client_id: ClientId, uow: Uow) -> Response:
    """Delete a client."""
    async with uow:
        await service.delete_client(uow.session, caller, client_id)
        await audit.note(uow.session, caller, Action.CLIENT_DELETED, client_id)
    return Response(status_code=204)
