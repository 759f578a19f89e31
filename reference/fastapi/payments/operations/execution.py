"""Running an operation for a client, in three steps.

1. In one transaction: claim the idempotency key, check, and persist the attempt.
2. With no transaction and no connection: ask the PSP.
3. In one transaction: settle, and keep the answer.

A process that dies between two steps leaves an attempt behind that a retry with the same key, or
the worker, takes up where it was left, under the same key at the PSP.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from payments.dependencies import Context
from payments.idempotency import service as idempotency
from payments.idempotency.requests import KeyedRequest
from payments.idempotency.service import Claim
from payments.kit.database import BusyError, UnitOfWork
from payments.kit.ids import new_id
from payments.kit.logging import logger
from payments.kit.problems import RETRY_SECONDS, Problem
from payments.operations import repository
from payments.operations.answers import answer_about
from payments.operations.claims import keep_claim
from payments.operations.models import Operation
from payments.operations.settlement import settle, withdraw
from payments.psp.client import unavailable
from payments.psp.protocol import NotDone, Outcome

SETTLEMENT_ATTEMPTS = 3

Start = Callable[[AsyncSession, str, float], Awaitable[Operation]]
"""Checks the request and persists the attempt, given its id and the lease in seconds."""


def ambiguous(shown: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The documentation of the answer to an operation whose end is not known yet."""
    return {202: {"model": shown, "description": "The card processor's answer is not known yet"}}


async def execute(
    context: Context, uow: UnitOfWork, request: KeyedRequest, start: Start
) -> Response:
    """Do what a request asks of the PSP, once, and answer it.

    Raises:
        Problem: what ``start`` raises; 409 ``idempotency_key_in_flight``; 422
            ``idempotency_key_reused``; 503 ``psp_unavailable``, and nothing was done; 504
            ``outcome_unknown``, which the same key resolves.
    """
    lease = context.settings.claim_lease_seconds
    attempt = new_id("op")

    async with uow:
        claim = await idempotency.claim(uow.session, request, attempt)
        if claim.answer is not None:
            return claim.answer.replay()

        if claim.fresh:
            context.psp.ensure_available()
            operation = await start(uow.session, attempt, lease)
        else:
            operation = await _take_up(uow.session, claim, lease)

            # The first request may have come to its end between two of our statements.
            answer = await idempotency.answer_kept(uow.session, request)
            if answer is not None:
                return answer.replay()

    outcome: Outcome | None = None
    if operation.is_open:
        async with keep_claim(context, operation):
            outcome = await context.psp.perform(operation.instruction())

    if isinstance(outcome, NotDone) and claim.fresh and await _undo(uow, request, operation):
        raise unavailable(outcome.retry_after)
    return await _conclude(context, uow, request, operation.id, outcome)


async def _take_up(session: AsyncSession, claim: Claim, lease: float) -> Operation:
    """Take up an attempt that was left without an answer, unless somebody is still at it."""
    if claim.operation_id is None:
        raise BusyError("the key is claimed by nothing that could be resumed")
    taken = await repository.claim_one(session, claim.operation_id, lease)
    operation = await repository.load(session, claim.operation_id)
    if operation.is_open and not taken:
        raise Problem(
            409,
            "idempotency_key_in_flight",
            "The first request with this key is under way.",
            retry_after=RETRY_SECONDS,
        )
    return operation


async def _undo(uow: UnitOfWork, request: KeyedRequest, operation: Operation) -> bool:
    """Leave nothing of an attempt that the PSP never heard of; whether that could be done."""
    try:
        async with uow:
            if not await withdraw(uow.session, operation.id):
                return False
            await idempotency.release(uow.session, request)
    except BusyError:
        return False
    return True


async def _conclude(
    context: Context,
    uow: UnitOfWork,
    request: KeyedRequest,
    operation_id: str,
    outcome: Outcome | None,
) -> Response:
    """Settle and answer; what the PSP has done is not lost to a busy database lightly."""
    for _ in range(SETTLEMENT_ATTEMPTS):
        try:
            async with uow:
                operation = (
                    await settle(uow.session, operation_id, outcome, context.settings)
                    if outcome is not None
                    else await repository.load(uow.session, operation_id)
                )
                return await idempotency.keep(uow.session, request, answer_about(operation))
        except BusyError:
            logger().warning("settlement_delayed", operation=operation_id)
            await asyncio.sleep(RETRY_SECONDS / 10)
    raise Problem(504, "outcome_unknown", "Ask again with the same key.")
