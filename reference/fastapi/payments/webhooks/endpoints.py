"""Notices over HTTP."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel

from payments.bank.replies import BankPayment, Word
from payments.dependencies import ContextOf, Uow
from payments.kit.problems import Problem, refusals
from payments.payouts import repository as payouts
from payments.payouts.models import PayoutStatus
from payments.payouts.settlement import learn
from payments.webhooks import signatures

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

NEVER_SUBMITTED = (PayoutStatus.AWAITING_APPROVAL.value, PayoutStatus.CANCELLED.value)


class BankNotice(BaseModel):
    """News of a payment."""

    id: Word
    payment: BankPayment


async def _signed_by_the_bank(
    request: Request,
    context: ContextOf,
    header: Annotated[str | None, Header(alias="Webhook-Signature")] = None,
) -> None:
    settings = context.settings
    secret = settings.bank_webhook_secret.get_secret_value()
    tolerance = settings.webhook_tolerance_seconds
    signatures.verify(secret, header, await request.body(), time.time(), tolerance)


@router.post(
    "/bank",
    status_code=204,
    responses=refusals(400, 401, 413, 415, 422, 503),
    dependencies=[Depends(_signed_by_the_bank)],
)
async def take_bank_notice(notice: BankNotice, context: ContextOf, uow: Uow) -> Response:
    """Learn from the bank how far a payout is."""
    async with uow:
        payout = await payouts.lock(uow.session, notice.payment.reference)
        if payout is None or payout.status in NEVER_SUBMITTED:
            raise _mismatch()
        news = notice.payment.about(payout.order())
        if news is None:
            raise _mismatch()
        await learn(uow.session, payout, news, context.settings)
    return Response(status_code=204)


def _mismatch() -> Problem:
    return Problem(422, "notice_mismatch", "The notice is about no payment that was ordered.")
