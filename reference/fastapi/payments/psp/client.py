"""Talking to the PSP: time-outs, a deadline, bounded retries under one key, a circuit breaker."""

import asyncio
import random
from math import ceil

import httpx

from payments.kit.logging import logger
from payments.kit.outbound import Reply, Watch, ask, open_client, retry_after, unwatched, whole
from payments.kit.problems import Problem
from payments.kit.settings import Settings
from payments.psp import replies
from payments.psp.breaker import Breaker
from payments.psp.protocol import Ambiguous, Instruction, NotDone, Outcome

FIRST_BACKOFF_SECONDS = 0.1
MAX_RETRY_AFTER_SECONDS = 2


class PspClient:
    """The PSP, as this process reaches it."""

    def __init__(self, settings: Settings, watch: Watch = unwatched) -> None:
        self._deadline_seconds = settings.psp_deadline_seconds
        self._max_attempts = settings.psp_max_attempts
        self._breaker = Breaker(settings.breaker_failures, settings.breaker_reset_seconds)
        self._http = open_client(settings.psp_url, settings.psp_api_key, watch)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def ensure_available(self) -> None:
        """Refuse work that would need the PSP while it is left alone.

        Raises:
            Problem: 503 ``psp_unavailable``.
        """
        wait = self._breaker.wait()
        if wait is not None:
            raise unavailable(wait)

    async def perform(self, instruction: Instruction) -> Outcome:
        """Have an operation done, or find out that it was.

        Each attempt carries the same key, so that the PSP does it once. ``NotDone`` only if no
        attempt can have had an effect.
        """
        deadline = self._deadline()
        last: Outcome = NotDone(replies.DEFAULT_RETRY_SECONDS)
        for attempt in range(self._max_attempts):
            wait = self._breaker.wait()
            if wait is not None:
                return last if attempt else NotDone(wait)

            outcome = await self._attempt(instruction, deadline)
            if not isinstance(outcome, NotDone | Ambiguous):
                return outcome
            logger().warning("psp_attempt_failed", operation=instruction.key, outcome=str(outcome))

            # Once it may have been done, a later "not now" does not undo that.
            last = last if isinstance(last, Ambiguous) else outcome
            if not await self._pause(attempt, outcome.retry_after, deadline):
                break
        return last

    async def look_up(self, instruction: Instruction) -> Outcome | None:
        """Ask once what became of an operation; None if the PSP does not know it (yet)."""
        wait = self._breaker.wait()
        if wait is not None:
            return NotDone(wait)
        with self._breaker.call() as call:
            reply = await self._exchange(
                "GET", f"/v1/operations/{instruction.key}", self._deadline()
            )
            outcome = replies.of_look_up(instruction, reply) if isinstance(reply, Reply) else reply
            call.fault = _is_fault(outcome)
        return outcome

    async def download(self, path: str, *, seconds: float, limit: int) -> Reply:
        """A file of at most so many bytes; the breaker does not hear of it.

        How a file is served says nothing about whether payments can be taken.

        Raises:
            UnansweredError: no whole reply came in time.
        """
        return await ask(self._http, "GET", path, seconds=seconds, limit=limit)

    async def _attempt(self, instruction: Instruction, deadline: float) -> Outcome:
        with self._breaker.call() as call:
            reply = await self._exchange(
                "POST", instruction.path, deadline, key=instruction.key, body=instruction.body()
            )
            outcome = replies.of_post(instruction, reply) if isinstance(reply, Reply) else reply
            call.fault = _is_fault(outcome)
        return outcome

    async def _exchange(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        key: str | None = None,
        body: dict[str, object] | None = None,
    ) -> Reply | Ambiguous:
        """One request and its whole reply."""
        headers = {"Idempotency-Key": key} if key is not None else {}
        try:
            async with (
                asyncio.timeout_at(deadline),
                self._http.stream(method, path, headers=headers, json=body) as response,
            ):
                return Reply(response.status_code, await whole(response), retry_after(response))

        except (httpx.HTTPError, httpx.StreamError, TimeoutError, OSError) as error:
            return _unanswered(error)

    async def _pause(self, attempt: int, retry_after: float | None, deadline: float) -> bool:
        """Wait before the next attempt; False if there is none before the deadline.

        Full jitter, so that those who failed together do not come back together.
        """
        if attempt + 1 >= self._max_attempts:
            return False
        jitter = random.uniform(0, FIRST_BACKOFF_SECONDS * 2**attempt)  # noqa: S311
        seconds = (retry_after or 0) + jitter
        if asyncio.get_running_loop().time() + seconds >= deadline:
            return False
        await asyncio.sleep(seconds)
        return True

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._deadline_seconds


def unavailable(retry_after: float) -> Problem:
    """The PSP is not to be had now, and nothing was done; ``retry_after`` is in seconds."""
    whole = min(max(ceil(retry_after), 1), MAX_RETRY_AFTER_SECONDS)
    return Problem(
        503, "psp_unavailable", "The card processor is not available.", retry_after=whole
    )


def _unanswered(error: Exception) -> Ambiguous:
    """No reply is no answer: the request may have arrived."""
    return Ambiguous(type(error).__name__)


def _is_fault(outcome: Outcome | None) -> bool | None:
    """Whether an exchange speaks against the PSP's health; a 429 says nothing about it."""
    if isinstance(outcome, NotDone):
        return None
    return isinstance(outcome, Ambiguous)
