"""How the losers of a race are followed up, as contract 1.16 to 1.18 has it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from checks.client import UNSET, Answer, Client
from checks.verdicts import Broken

#: Seconds after which all must be settled (contract 1.18), and the longest Retry-After (1.16).
SETTLED = 10.0
_LONGEST = 2.0

_PAUSE = 0.2

#: Answers of a 409 that are a business answer, and no request to come again.
_FINAL = {
    "already_reversed",
    "endpoint_disabled",
    "idempotency_key_reused",
    "not_approvable",
    "not_cancellable",
    "not_capturable",
    "not_changeable",
    "not_refundable",
    "not_reversible",
    "not_voidable",
    "quote_executed",
    "quote_expired",
    "too_many_endpoints",
    "too_many_refunds",
}


#: Codes of a 503 that tell of somebody else's failure.
_OUTSIDE = {"notifier_unavailable", "psp_unavailable", "rate_unavailable"}


def lost(answer: Answer) -> bool:
    """Whether an answer asks to come again: 409, 423, 429 or 503 that is no business answer."""
    if answer.status == 409:
        return answer.code not in _FINAL
    return answer.status in {423, 429, 503}


def busy(answer: Answer) -> bool:
    """Whether the service is too busy for anything just now: a 503 that says no more than that."""
    return answer.status == 503 and answer.code not in _OUTSIDE


async def carried_out(
    send: Callable[[], Awaitable[Answer]], put_off: Callable[[Answer], bool] = lost
) -> Answer:
    """Send a request, and again as ``Retry-After`` says while it is put off (contract 1.16, 1.17).

    For what is only to be done, whoever else is at it: a race may be lost to a stranger. The last
    answer stands once ``SETTLED`` seconds have passed; a failure is never sent again.
    """
    deadline = asyncio.get_running_loop().time() + SETTLED
    answer = await send()
    while put_off(answer) and answer.retry_after is not None:
        pause = min(max(answer.retry_after, _PAUSE), _LONGEST)
        if asyncio.get_running_loop().time() + pause > deadline:
            break
        await asyncio.sleep(pause)
        answer = await send()
    return answer


async def seen(client: Client, path: str, **options: Any) -> Answer:
    """What a GET shows, once the service is not too busy for it; it must be a 200."""
    return (await carried_out(partial(client.get, path, **options))).expect(200)


class PatientClient(Client):
    """A caller that comes again, as it is told, to a service that is too busy (``busy``)."""

    async def request(self, method: str, path: str, json: object = UNSET, **options: Any) -> Answer:
        """Send one request, as often as it takes; options as for ``Client.request``."""
        return await carried_out(partial(super().request, method, path, json, **options), busy)


async def follow_up(
    answers: Sequence[Answer], again: Sequence[Callable[[], Awaitable[Answer]]]
) -> tuple[Answer, ...]:
    """What ``sent_again`` gives; raises ``Broken`` where one is still put off by then."""
    final = await sent_again(answers, again)
    settled(final)
    return final


async def sent_again(
    answers: Sequence[Answer], again: Sequence[Callable[[], Awaitable[Answer]]]
) -> tuple[Answer, ...]:
    """Send each loser's request again, under its key, until it has its answer.

    The first time at once, since the race is over; then as ``Retry-After`` says. The last answers
    stand once ``SETTLED`` seconds have passed. A failure (5xx, no answer) is resolved with the same
    key, and then raised as ``Broken`` by ``unfailed``.
    """
    deadline = asyncio.get_running_loop().time() + SETTLED

    async def settle(answer: Answer, resend: Callable[[], Awaitable[Answer]]) -> Answer:
        pause = 0.0
        while lost(answer) or answer.failed:
            if asyncio.get_running_loop().time() + pause > deadline:
                break
            await asyncio.sleep(pause)
            answer = await resend()
            pause = min(answer.retry_after or _PAUSE, _LONGEST)
        return answer

    pairs = zip(answers, again, strict=True)
    return tuple(await asyncio.gather(*(settle(answer, resend) for answer, resend in pairs)))


def settled(final: Sequence[Answer]) -> None:
    """Nobody is put off for longer than ``SETTLED`` seconds (contract 1.18)."""
    for answer in final:
        if lost(answer):
            raise Broken(f"{answer}, {SETTLED:g} s after the race; by then all must be settled.")


def unfailed(answers: Sequence[Answer], unless: Sequence[str] = ()) -> None:
    """A lost race is never answered with a failure (contract 1.16).

    ``unless`` are checks that such a failure is charged to where one of them is run.
    """
    for answer in answers:
        if answer.failed and answer.status != 503:
            raise Broken(
                f"{answer} in a race; the loser of a race gets its business answer.", unless=unless
            )


def unfair(answer: Answer) -> str:
    """What is wrong with how the loser of a race was answered (contract 1.16), if anything is.

    A 503 says when to come again; whoever says so asks for two seconds at most.
    """
    if answer.status is None or (answer.failed and answer.status != 503):
        return f"{answer}; the loser of a race gets its business answer, or is told to come again"
    if answer.status == 503 and "Retry-After" not in answer.headers:
        return f"{answer} without Retry-After, so that nobody knows whether anything was done"
    if lost(answer) and answer.retry_after is not None and answer.retry_after > _LONGEST:
        return f"{answer} with Retry-After {answer.retry_after:g}; it is {_LONGEST:g} at most"
    return ""
