"""Claiming a key, and keeping the answer for repeats.

Work without an outside call claims, acts and answers in one transaction: a twin waits for the claim
at the primary key, and then reads the answer, or finds nothing if the first was rolled back. Work
with an outside call commits its claim together with its persisted attempt before the call.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import Response
from pydantic import BaseModel
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from payments.idempotency.models import IdempotencyKey
from payments.idempotency.requests import KeyedRequest
from payments.kit import problems
from payments.kit.database import BusyError
from payments.kit.http import REPLAYED_HEADER
from payments.kit.problems import Problem

# Every request that moves money executes these two: composed anew each time, they would cost more
# than to execute them does.
_CLAIM = text("""
    INSERT INTO idempotency_keys (scope, key, fingerprint, operation_id, created_at)
    VALUES (:scope, :key, :fingerprint, :operation_id, :created_at)
    ON CONFLICT DO NOTHING
    RETURNING key
""")
_KEEP = text("""
    UPDATE idempotency_keys SET status = :status, body = :body
    WHERE scope = :scope AND key = :key AND status IS NULL
    RETURNING key
""")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is kept: the status and the JSON text of the body."""

    status: int
    body: str

    def first(self) -> Response:
        """The answer, the first time."""
        media_type = (
            problems.MEDIA_TYPE if self.status >= HTTPStatus.BAD_REQUEST else "application/json"
        )
        return Response(self.body, self.status, media_type=media_type)

    def replay(self) -> Response:
        """The same answer again."""
        response = self.first()
        response.headers[REPLAYED_HEADER] = "true"
        return response


@dataclass(frozen=True, slots=True)
class Claim:
    """What claiming a key found.

    ``fresh``: the key is ours, and the work is to be done. Otherwise there is the ``answer`` of a
    request that ended, or the ``operation_id`` that one without an answer left behind.
    """

    fresh: bool
    answer: Answer | None = None
    operation_id: str | None = None


async def claim(
    session: AsyncSession, request: KeyedRequest, operation_id: str | None = None
) -> Claim:
    """Claim the request's key, or find what became of it.

    Of twins, the primary key lets one insert; the other waits for that one's transaction to end.

    Raises:
        Problem: 422 ``idempotency_key_reused``.
    """
    inserted = await session.execute(
        _CLAIM,
        {
            "scope": request.scope,
            "key": request.key,
            "fingerprint": request.fingerprint,
            "operation_id": operation_id,
            "created_at": datetime.now(UTC),
        },
    )
    if inserted.first() is not None:
        return Claim(fresh=True)

    return await _claimed_before(session, request)


async def _claimed_before(session: AsyncSession, request: KeyedRequest) -> Claim:
    known = await session.scalar(
        select(IdempotencyKey)
        .where(IdempotencyKey.scope == request.scope, IdempotencyKey.key == request.key)
        .execution_options(populate_existing=True)
    )
    if known is None:
        raise BusyError("the key went away between two statements")

    if known.fingerprint != request.fingerprint:
        raise Problem(422, "idempotency_key_reused", "The key was used for another request before.")

    if known.status is not None and known.body is not None:
        return Claim(fresh=False, answer=Answer(known.status, known.body))
    return Claim(fresh=False, operation_id=known.operation_id)


async def keep(session: AsyncSession, request: KeyedRequest, answer: Answer) -> Response:
    """Keep the answer for repeats, and give it; it is committed together with the effect.

    A key has one answer: if another request kept one before, that is given again.
    """
    kept = await session.execute(
        _KEEP,
        {
            "scope": request.scope,
            "key": request.key,
            "status": answer.status,
            "body": answer.body,
        },
    )
    if kept.first() is not None:
        return answer.first()

    before = (await _claimed_before(session, request)).answer
    return before.replay() if before is not None else answer.first()


async def answer(
    session: AsyncSession, request: KeyedRequest, status: int, body: BaseModel
) -> Response:
    """Answer with an object, and keep that."""
    return await keep(session, request, Answer(status, body.model_dump_json(by_alias=True)))


async def answer_kept(session: AsyncSession, request: KeyedRequest) -> Answer | None:
    """The answer that the key has by now, if it has one."""
    return (await _claimed_before(session, request)).answer


async def release(session: AsyncSession, request: KeyedRequest) -> None:
    """Give a claim up whose work was not done at all."""
    await session.execute(
        delete(IdempotencyKey)
        .where(IdempotencyKey.scope == request.scope, IdempotencyKey.key == request.key)
        .execution_options(synchronize_session=False)
    )
