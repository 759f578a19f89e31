"""Accounts over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from payments.access.callers import Operator, Viewer
from payments.accounts import service
from payments.accounts.repository import NEWEST_FIRST, AccountRepository
from payments.accounts.schemas import AccountCreate, AccountOut, AccountRename
from payments.audit import log as audit
from payments.audit.models import Action
from payments.dependencies import ContextOf, Uow
from payments.kit.ids import path_id
from payments.kit.pagination import DEFAULT_LIMIT, Cursor, Limit, ListOf, Page
from payments.kit.problems import LISTING, READING, WRITING, not_found, refusals
from payments.ledger.repository import NEWEST_ENTRY_FIRST, EntryRepository
from payments.ledger.schemas import EntryOut

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])

AccountId = Annotated[str, path_id("acc")]
IfMatch = Annotated[str | None, Header()]


@router.post("", status_code=201, responses=refusals(*WRITING))
async def open_account(caller: Operator, body: AccountCreate, uow: Uow) -> AccountOut:
    """Open an account."""
    async with uow:
        account = await service.open_account(uow.session, caller, body)
    return AccountOut.of(account)


@router.get("", responses=refusals(*LISTING))
async def list_accounts(
    caller: Viewer,
    context: ContextOf,
    uow: Uow,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> ListOf[AccountOut]:
    """List the merchant's accounts, newest first."""
    scope = (caller.merchant_id, "accounts")
    page = Page.of(context.cursors, NEWEST_FIRST, scope, limit, cursor)
    async with uow:
        rows = await AccountRepository(uow.session, caller.merchant_id).page(page)
    accounts, next_cursor = page.cut(rows)
    return ListOf(data=[AccountOut.of(account) for account in accounts], next_cursor=next_cursor)


@router.get("/{account_id}", responses=refusals(*READING, 404))
async def get_account(
    caller: Viewer, account_id: AccountId, uow: Uow, response: Response
) -> AccountOut:
    """Show an account, with the version that a rename has to name."""
    async with uow:
        account = await AccountRepository(uow.session, caller.merchant_id).get(account_id)
    if account is None:
        raise not_found()
    response.headers["ETag"] = f'"{account.version}"'
    return AccountOut.of(account)


@router.patch("/{account_id}", responses=refusals(*WRITING, 404, 412, 428))
async def rename_account(
    caller: Operator,
    account_id: AccountId,
    body: AccountRename,
    uow: Uow,
    response: Response,
    if_match: IfMatch = None,
) -> AccountOut:
    """Rename an account."""
    async with uow:
        account = await service.rename(uow.session, caller, account_id, body.name, if_match)
        await audit.note(uow.session, caller, Action.ACCOUNT_RENAMED, account_id, name=account.name)
    response.headers["ETag"] = f'"{account.version}"'
    return AccountOut.of(account)


@router.get("/{account_id}/entries", responses=refusals(*LISTING, 404))
async def list_entries(
    caller: Viewer,
    account_id: AccountId,
    context: ContextOf,
    uow: Uow,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> ListOf[EntryOut]:
    """List an account's entries, newest first."""
    scope = (caller.merchant_id, "entries", account_id)
    page = Page.of(context.cursors, NEWEST_ENTRY_FIRST, scope, limit, cursor)
    async with uow:
        if await AccountRepository(uow.session, caller.merchant_id).get(account_id) is None:
            raise not_found()
        rows = await EntryRepository(uow.session, account_id).page(page)
    entries, next_cursor = page.cut(rows)
    return ListOf(data=[EntryOut.of(entry) for entry in entries], next_cursor=next_cursor)
