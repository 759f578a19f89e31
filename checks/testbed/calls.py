"""The call gate: stops what a replica asks an outside party, until each step of it is let go.

A call has two steps: before the party does what it is asked, and before it says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

#: What the shape of a call's second step ends with.
REPLY = " reply"


@dataclass(eq=False, slots=True)
class HeldCall:
    """A step of a call that waits, among others: ``shape`` is what it is recognised by."""

    shape: str
    _among: list[HeldCall]
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let this step happen; it waits no more from now on."""
        if self in self._among:
            self._among.remove(self)
        self._gone.set()

    async def released(self) -> None:
        """Wait until it may happen."""
        await self._gone.wait()


@dataclass(slots=True)
class Call:
    """A call that was taken, at times of the monotonic clock in seconds.

    ``done`` is when the party did what was asked, ``ended`` when it had said so; ``said`` is its
    answer in a few words.
    """

    shape: str
    at: float
    text: str
    done: float | None = None
    ended: float | None = None
    said: str = ""


@dataclass(slots=True)
class CallGate:
    """One replica's. ``changed`` is called whenever anything here changes.

    ``waiting`` are the steps that are held, first come first; while ``open``, none is. ``passed``
    are the calls since the gate was put up, ``under_way`` how many of them have no answer yet.
    ``broken`` names what the service did because it was held, if it did anything.
    """

    changed: Callable[[], None]
    open: bool = False
    waiting: list[HeldCall] = field(default_factory=list)
    passed: list[Call] = field(default_factory=list)
    under_way: int = 0
    broken: str = ""

    @contextmanager
    def call(self, call: Call) -> Iterator[None]:
        """A call from its arrival to its answer."""
        self.passed.append(call)
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self.changed()

    async def step(self, shape: str) -> None:
        """Wait until a step may happen."""
        if self.open:
            return
        held = HeldCall(shape, self.waiting)
        self.waiting.append(held)
        self.changed()
        try:
            await held.released()
        except asyncio.CancelledError:
            self.broken = "the service gave up a call that was held"
            raise
        finally:
            held.release()

    def let_all_go(self) -> None:
        """Hold nothing any more."""
        self.open = True
        for held in tuple(self.waiting):
            held.release()
