"""Approving a payout by a second pair of eyes, with a code bound to amount and payee.

Strong customer authentication with dynamic linking: RTS under PSD2, articles 4 and 5.
"""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from payments.access.tokens import Caller
from payments.events.models import EventType
from payments.kit import clock
from payments.kit.ids import new_id
from payments.kit.problems import Problem, not_found
from payments.payouts import repository
from payments.payouts.announcements import announce
from payments.payouts.models import Approver, Challenge, Payout, PayoutStatus
from payments.payouts.repository import PayoutRepository

CODE_DIGITS = 8

MAX_FAILURES = 5
"""RTS article 4(3)(b): after at most five wrong codes in a row, no further one is looked at."""


class Codes:
    """Makes codes, and tells whether a code was made for a payout as it is now.

    The MAC covers amount and payee: a code is worth nothing for any others (RTS article 5).
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"payments codes", hashlib.sha256)

    def mac(self, code: str, challenge_id: str, payout: Payout) -> bytes:
        """What is stored of a code."""
        terms = [
            challenge_id,
            payout.id,
            payout.amount,
            payout.currency,
            payout.payee_name,
            payout.payee_bank_account,
            code,
        ]
        return hmac.digest(self._key, json.dumps(terms).encode(), hashlib.sha256)

    def fits(self, code: str, challenge: Challenge, payout: Payout) -> bool:
        """Whether it is this challenge's code, for this payout as it is now."""
        return hmac.compare_digest(challenge.code_mac, self.mac(code, challenge.id, payout))


@dataclass(frozen=True, slots=True)
class Sent:
    """A challenge with its code, which is to be sent, and what it is about."""

    challenge: Challenge
    code: str
    payout: Payout


async def challenge(
    session: AsyncSession, caller: Caller, payout_id: str, codes: Codes, seconds: float
) -> Sent:
    """A new challenge for an approver, which lives for so many seconds.

    Raises:
        Problem: 404; 403 ``self_approval``, ``approver_blocked``; 409 ``not_approvable``.
    """
    payout = await _approvable(session, caller, payout_id)
    now = await clock.now(session)
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    challenge_id = new_id("sca")
    made = Challenge(
        id=challenge_id,
        payout_id=payout.id,
        client_id=caller.client_id,
        code_mac=codes.mac(code, challenge_id, payout),
        created_at=now,
        expires_at=now + timedelta(seconds=seconds),
    )
    session.add(made)
    await session.flush()
    return Sent(made, code, payout)


async def approve(
    session: AsyncSession, caller: Caller, payout_id: str, code: str, codes: Codes
) -> Payout | Problem:
    """Approve a payout, or say that the code is wrong.

    A wrong code is returned, not raised, since the failure that it counts has to be committed.

    Raises:
        Problem: as ``challenge``.
    """
    payout = await _approvable(session, caller, payout_id)
    newest = await repository.newest_challenge(session, payout.id, caller.client_id)
    if newest is None or not codes.fits(code, newest, payout):
        await _count_failure(session, payout.id, caller.client_id)
        return Problem(422, "code_invalid", "The code is not one that was sent for this payout.")

    payout.status = PayoutStatus.APPROVED.value
    payout.approved_by = caller.client_id
    payout.due_at = await clock.now(session)
    await repository.void_challenges(session, payout.id)
    await session.flush()
    await announce(session, EventType.PAYOUT_APPROVED, payout)
    return payout


async def _approvable(session: AsyncSession, caller: Caller, payout_id: str) -> Payout:
    """A payout, locked, that the caller may approve."""
    payout = await PayoutRepository(session, caller.merchant_id).lock(payout_id)
    if payout is None:
        raise not_found()
    if await repository.is_or_was_made_by(session, caller.client_id, payout.makers):
        raise Problem(403, "self_approval", "Somebody else has to approve this payout.")
    if payout.status != PayoutStatus.AWAITING_APPROVAL:
        raise Problem(409, "not_approvable", "The payout awaits its approval no more.")
    approver = await session.get(Approver, (payout.id, caller.client_id))
    if approver is not None and approver.failures >= MAX_FAILURES:
        raise Problem(403, "approver_blocked", "Too many wrong codes: somebody else may approve.")
    return payout


async def _count_failure(session: AsyncSession, payout_id: str, client_id: str) -> None:
    counted = insert(Approver).values(payout_id=payout_id, client_id=client_id, failures=1)
    await session.execute(
        counted.on_conflict_do_update(
            index_elements=[Approver.payout_id, Approver.client_id],
            set_={"failures": Approver.failures + 1},
        )
    )
