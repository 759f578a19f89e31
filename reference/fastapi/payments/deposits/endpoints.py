"""Deposits over HTTP."""

from fastapi import APIRouter, Response
from sqlalchemy import select

from payments.access.callers import Admin
from payments.accounts.models import Account
from payments.audit.log import note_administrator
from payments.audit.models import Action
from payments.dependencies import Uow
from payments.deposits import service
from payments.deposits.schemas import DepositCreate, DepositOut
from payments.idempotency import service as idempotency
from payments.idempotency.requests import AdminKey
from payments.kit.problems import MOVING, refusals

router = APIRouter(prefix="/v1/deposits", tags=["deposits"])


@router.post("", status_code=201, response_model=DepositOut, responses=refusals(*MOVING))
async def create_deposit(_: Admin, body: DepositCreate, key: AdminKey, uow: Uow) -> Response:
    """Credit a merchant's account."""
    async with uow:
        claim = await idempotency.claim(uow.session, key)
        if claim.answer is not None:
            return claim.answer.replay()
        deposit = await service.deposit(uow.session, body)
        shown = DepositOut.of(deposit)
        owner = select(Account.merchant_id).where(Account.id == deposit.account_id)
        await note_administrator(
            uow.session,
            owner.scalar_subquery(),
            Action.DEPOSIT_CREATED,
            deposit.id,
            account=shown.account,
            amount=shown.amount.model_dump(),
        )
        return await idempotency.answer(uow.session, key, 201, shown)
