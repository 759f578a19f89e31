"""What a notice of the PSP's does to operations and payments (contract 6.26, 6.27)."""

from sqlalchemy.ext.asyncio import AsyncSession

from payments.kit.problems import RETRY_SECONDS, Problem
from payments.kit.settings import Settings
from payments.operations import announcements, repository
from payments.operations.models import Operation
from payments.operations.settlement import settle
from payments.payments.models import PaymentStatus
from payments.psp.notices import EXPIRY, PspNews
from payments.psp.protocol import OperationType


async def learn(session: AsyncSession, news: PspNews, settings: Settings) -> None:
    """Do what a notice says; old news does nothing.

    Raises:
        Problem: 422 ``notice_mismatch``; 409 ``operation_pending``.
    """
    operation = await repository.lock(session, news.reference)
    if operation is None or not _of_its_authorisation(operation, news):
        raise _mismatch()
    if news.type == EXPIRY:
        await _expire(session, operation, news)
        return
    outcome = news.about(operation.instruction())
    if outcome is None:
        raise _mismatch()
    await settle(session, operation.id, outcome, settings)


async def _expire(session: AsyncSession, operation: Operation, news: PspNews) -> None:
    """The payment is captured no more, unless that was done or may have been; it is locked."""
    payment = operation.payment
    if operation.type != OperationType.AUTHORISATION or not news.ends(operation.instruction()):
        raise _mismatch()
    if payment.status not in (PaymentStatus.AUTHORISED, PaymentStatus.UNKNOWN):
        return
    if await repository.has_open(session, payment.id):
        raise Problem(
            409,
            "operation_pending",
            "Something is under way with the payment.",
            retry_after=RETRY_SECONDS,
        )
    payment.advance(PaymentStatus.EXPIRED)
    await session.flush()
    await announcements.of_the_payment(session, payment)


def _of_its_authorisation(operation: Operation, news: PspNews) -> bool:
    """Whether news names the payment's authorisation, as far as that is known."""
    return operation.payment.psp_authorisation in (None, news.authorisation)


def _mismatch() -> Problem:
    return Problem(422, "notice_mismatch", "The notice is about nothing that was asked for.")
