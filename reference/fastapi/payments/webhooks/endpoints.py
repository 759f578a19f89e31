"""Notices over HTTP."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, SecretStr

from payments.bank.replies import BankPayment, Word
from payments.dependencies import ContextOf, Uow
from payments.kit.problems import refusals
from payments.kit.settings import Settings
from payments.operations import notices as operations
from payments.payouts import notices as payouts
from payments.psp.notices import PspNotice
from payments.webhooks import signatures

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])


class BankNotice(BaseModel):
    """News of a payment."""

    id: Word
    payment: BankPayment


_Signature = Annotated[str | None, Header(alias="Webhook-Signature")]


async def _signed_by_the_bank(
    request: Request, context: ContextOf, signature: _Signature = None
) -> None:
    await _verify(request, context.settings.bank_webhook_secret, signature, context.settings)


async def _signed_by_the_psp(
    request: Request, context: ContextOf, signature: _Signature = None
) -> None:
    await _verify(request, context.settings.psp_webhook_secret, signature, context.settings)


async def _verify(
    request: Request, secret: SecretStr, signature: str | None, settings: Settings
) -> None:
    signatures.verify(
        secret.get_secret_value(),
        signature,
        await request.body(),
        time.time(),
        settings.webhook_tolerance_seconds,
    )


@router.post(
    "/psp",
    status_code=204,
    responses=refusals(400, 401, 409, 413, 415, 422, 503),
    dependencies=[Depends(_signed_by_the_psp)],
)
async def take_psp_notice(notice: PspNotice, context: ContextOf, uow: Uow) -> Response:
    """Learn from the PSP how an operation ended."""
    async with uow:
        await operations.learn(uow.session, notice.operation, context.settings)
    return Response(status_code=204)


@router.post(
    "/bank",
    status_code=204,
    responses=refusals(400, 401, 413, 415, 422, 503),
    dependencies=[Depends(_signed_by_the_bank)],
)
async def take_bank_notice(notice: BankNotice, context: ContextOf, uow: Uow) -> Response:
    """Learn from the bank how far a payout is."""
    async with uow:
        await payouts.learn(uow.session, notice.payment)
    return Response(status_code=204)
