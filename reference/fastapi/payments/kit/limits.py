"""How many requests a second one caller may make of this process."""

import time
from collections.abc import Callable
from math import ceil

from payments.kit.problems import Problem

MOST_CALLERS = 10_000
"""Callers that are told apart at one time; the rest are taken for one, so that memory is bounded
whoever comes."""

OTHERS = "others"


class Limiter:
    """A token bucket for each caller: ``burst`` at once, ``per_second`` in the long run; 0 is no
    limit.

    A bucket is the moment at which it will be full again, as the generic cell rate algorithm has
    it. Each replica has its own: what they let through together is as many times more. To share
    buckets would cost each request a statement, which is what a limit is there to save.
    """

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pause = 1 / per_second if per_second else 0.0
        self._room = self._pause * (burst - 1)
        self._clock = clock
        self._full_at: dict[str, float] = {}

    def ensure(self, caller: str) -> None:
        """Let a request of a caller's through.

        Raises:
            Problem: 429 ``rate_limited``, and it does not count.
        """
        if not self._pause:
            return
        now = self._clock()
        caller = self._known(caller, now)
        full_at = max(self._full_at.pop(caller, now), now)
        wait = full_at - self._room - now
        refused = wait > 0
        self._full_at[caller] = full_at if refused else full_at + self._pause
        if refused:
            raise Problem(
                429, "rate_limited", "Too many requests a second.", retry_after=ceil(wait)
            )

    def _known(self, caller: str, now: float) -> str:
        """The caller, unless there are too many; those whose buckets are full are forgotten.

        The buckets are in the order of their last use.
        """
        if caller in self._full_at or len(self._full_at) < MOST_CALLERS:
            return caller
        idlest = next(iter(self._full_at))
        if self._full_at[idlest] > now:
            return OTHERS
        self._full_at = {one: full for one, full in self._full_at.items() if full > now}
        return caller
