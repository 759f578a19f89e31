"""A circuit breaker: after faults in a row, leave the other side alone for a while."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Call:
    """One call: it ended in a fault, in none, or (None) in a way that says nothing."""

    fault: bool | None = None


class Breaker:
    """Closed while all is well; open after ``failures`` faults in a row, for ``reset`` seconds.

    Then one call at a time is let through to try. One process, one breaker; not for threads.
    """

    def __init__(
        self, failures: int, reset: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures = failures
        self._reset = reset
        self._clock = clock
        self._faults = 0
        self._opened_at: float | None = None
        self._trying = False

    def wait(self) -> float | None:
        """None if a call may be made; otherwise in how many seconds to ask again."""
        if self._opened_at is None:
            return None
        left = self._opened_at + self._reset - self._clock()
        if left > 0:
            return left
        return self._reset if self._trying else None

    @contextmanager
    def call(self) -> Iterator[Call]:
        """Make a call; the block says how it ended."""
        call = Call()
        self._trying = True
        try:
            yield call
        finally:
            self._trying = False
            self._count(call.fault)

    def _count(self, fault: bool | None) -> None:
        if fault is None:
            return
        if not fault:
            self._faults = 0
            self._opened_at = None
            return
        self._faults += 1
        if self._faults >= self._failures:
            self._opened_at = self._clock()
