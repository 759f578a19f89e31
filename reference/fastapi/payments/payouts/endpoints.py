"""Payouts over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Response

from payments.access.callers import Operator, Owner, Viewer
from payments.audit import log as audit
from payments.audit.models import Action
from payments.dependencies import ContextOf, Uow
from payments.idempotency import service as idempotency
from payments.idempotency.requests import MerchantKey
from payments.kit.ids import path_id
from payments.kit.pagination import DEFAULT_LIMIT, Cursor, Limit, ListOf, Page
from payments.kit.problems import (
    LISTING,
    MOVING,
    READING,
    WRITING,
    Problem,
    not_found,
    refusals,
)
from payments.payouts import approval, repository, service, submission
from payments.payouts.repository import NEWEST_FIRST, PayoutRepository
from payments.payouts.schemas import (
    ChallengeCreate,
    ChallengeOut,
    PayoutApprove,
    PayoutCancel,
    PayoutChange,
    PayoutCreate,
    PayoutOut,
    PayoutSync,
)

router = APIRouter(prefix="/v1/payouts", tags=["payouts"])

PayoutId = Annotated[str, path_id("po")]


@router.post("", status_code=201, response_model=PayoutOut, responses=refusals(*MOVING))
async def create_payout(
    caller: Operator, body: PayoutCreate, key: MerchantKey, context: ContextOf, uow: Uow
) -> Response:
    """Make a payout, which awaits its approval."""
    async with uow:
        claim = await idempotency.claim(uow.session, key)
        if claim.answer is not None:
            return claim.answer.replay()

        payout = await service.make(uow.session, caller, body, context.settings)
        await audit.note(
            uow.session, caller, Action.PAYOUT_CREATED, payout.id, **body.model_dump(mode="json")
        )
        return await idempotency.answer(uow.session, key, 201, PayoutOut.of(payout))


@router.get("", responses=refusals(*LISTING))
async def list_payouts(
    caller: Viewer,
    context: ContextOf,
    uow: Uow,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> ListOf[PayoutOut]:
    """List the merchant's payouts, newest first."""
    page = Page.of(context.cursors, NEWEST_FIRST, (caller.merchant_id, "payouts"), limit, cursor)
    async with uow:
        rows = await PayoutRepository(uow.session, caller.merchant_id).page(page)
    payouts, next_cursor = page.cut(rows)
    return ListOf(data=[PayoutOut.of(row) for row in payouts], next_cursor=next_cursor)


@router.get("/{payout_id}", responses=refusals(*READING, 404))
async def get_payout(caller: Viewer, payout_id: PayoutId, uow: Uow) -> PayoutOut:
    """Show a payout."""
    async with uow:
        payout = await PayoutRepository(uow.session, caller.merchant_id).get(payout_id)
    if payout is None:
        raise not_found()
    return PayoutOut.of(payout)


@router.patch("/{payout_id}", responses=refusals(*WRITING, 404, 409))
async def change_payout(
    caller: Operator, payout_id: PayoutId, body: PayoutChange, context: ContextOf, uow: Uow
) -> PayoutOut:
    """Change a payout before its approval."""
    async with uow:
        payout = await service.change(uow.session, caller, payout_id, body, context.settings)
        changed = body.model_dump(mode="json", exclude_none=True)
        await audit.note(uow.session, caller, Action.PAYOUT_CHANGED, payout_id, **changed)
    return PayoutOut.of(payout)


@router.post("/{payout_id}/cancel", responses=refusals(*WRITING, 404, 409))
async def cancel_payout(
    caller: Operator, payout_id: PayoutId, uow: Uow, body: PayoutCancel | None = None
) -> PayoutOut:
    """Cancel a payout before its approval."""
    async with uow:
        payout = await service.cancel(uow.session, caller, payout_id)
        await audit.note(uow.session, caller, Action.PAYOUT_CANCELLED, payout_id)
    return PayoutOut.of(payout)


@router.post("/{payout_id}/challenges", status_code=201, responses=refusals(*WRITING, 404, 409))
async def challenge_approver(
    caller: Owner,
    payout_id: PayoutId,
    context: ContextOf,
    uow: Uow,
    body: ChallengeCreate | None = None,
) -> ChallengeOut:
    """Have a code sent that approves the payout as it is now."""
    seconds = context.settings.sca_code_seconds
    async with uow:
        sent = await approval.challenge(uow.session, caller, payout_id, context.codes, seconds)
        await audit.note(uow.session, caller, Action.PAYOUT_CODE_REQUESTED, payout_id)

    payout = sent.payout
    try:
        await context.notifier.send_code(
            caller.client_id, sent.code, payout.id, payout.amount, payout.currency, payout.payee
        )
    except Problem:
        async with uow:
            await repository.void_challenge(uow.session, sent.challenge.id)
        raise
    return ChallengeOut.of(sent.challenge)


@router.post("/{payout_id}/approve", response_model=PayoutOut, responses=refusals(*MOVING))
async def approve_payout(
    caller: Owner,
    payout_id: PayoutId,
    body: PayoutApprove,
    key: MerchantKey,
    context: ContextOf,
    uow: Uow,
) -> Response:
    """Approve a payout with the code that was sent for it."""
    async with uow:
        claim = await idempotency.claim(uow.session, key)
        if claim.answer is not None:
            return claim.answer.replay()

        approved = await approval.approve(uow.session, caller, payout_id, body.code, context.codes)
        refused = isinstance(approved, Problem)
        action = Action.PAYOUT_CODE_REFUSED if refused else Action.PAYOUT_APPROVED
        await audit.note(uow.session, caller, action, payout_id)
        if not isinstance(approved, Problem):
            return await idempotency.answer(uow.session, key, 200, PayoutOut.of(approved))
        await idempotency.release(uow.session, key)
    raise approved


@router.post("/{payout_id}/sync", responses=refusals(*WRITING, 404))
async def sync_payout(
    caller: Operator,
    payout_id: PayoutId,
    context: ContextOf,
    uow: Uow,
    body: PayoutSync | None = None,
) -> PayoutOut:
    """Ask the bank what became of a payout."""
    async with uow:
        if await PayoutRepository(uow.session, caller.merchant_id).get(payout_id) is None:
            raise not_found()
    await submission.of_one(context, payout_id)
    return await get_payout(caller, payout_id, uow)
