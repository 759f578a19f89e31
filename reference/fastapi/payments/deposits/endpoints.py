"""Deposits over HTTP."""

from fastapi import APIRouter, Response

from payments.access.callers import Admin
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
        return await idempotency.answer(uow.session, key, 201, DepositOut.of(deposit))
