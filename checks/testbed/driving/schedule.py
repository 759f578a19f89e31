"""In what order concurrent requests are to take their steps, and in what order they took them."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict

from checks.testbed.calls import REPLY

#: The code of a failure; it has a digit, which no command's tag has.
_SQLSTATE = re.compile(r"(?=\D*\d)[0-9A-Z]{5}")


class Place(BaseModel):
    """A step of a thread's: the statement of that shape, for the nth time (from 1).

    Never a step's number: retries change how many there are.
    """

    model_config = ConfigDict(frozen=True)

    thread: int
    shape: str
    occurrence: int = 1

    @property
    def replies(self) -> bool:
        """Whether it is the step of an outside call at which the party says that it is done."""
        return self.shape.endswith(REPLY)


class Switch(BaseModel):
    """Before that step, it is another thread's turn."""

    model_config = ConfigDict(frozen=True)

    before: Place
    to: int


class Cut(BaseModel):
    """The power is cut at that step.

    ``before`` it is taken; or when it was taken, and its answer is ``unheard``; or ``after`` it was
    answered. A thread loses the connection that the step is on; where it ``kills``, the whole
    process ends. An outside call has two steps, each with nothing but a before.
    """

    model_config = ConfigDict(frozen=True)

    at: Place
    when: Literal["before", "unheard", "after"] = "before"
    kills: bool = False


class Schedule(BaseModel):
    """Which thread begins, and where the turn passes; else a thread keeps it while it can move.

    A thread is one replica with the request that was sent to it, or as many as ``requests`` says,
    which then begin together. ``usual`` says for each thread how often it takes a step when it is
    alone; one that repeats itself more than twice as often waits for another. With a ``cut``
    nothing else of the service is held, and the run ends with it.
    """

    model_config = ConfigDict(frozen=True)

    first: int = 0
    switches: tuple[Switch, ...] = ()
    usual: tuple[dict[str, int], ...] = ()
    cut: Cut | None = None
    requests: tuple[int, ...] = ()


class Step(BaseModel):
    """Something a thread did, at a time in seconds since the run began.

    ``statement`` and ``call`` (to an outside party) began at ``at`` and were answered at ``ended``;
    ``point`` says whether others can tell, ``commits`` whether it made lasting what it or those
    before it did. ``waits`` is for a lock of another thread's, ``idles`` for anything else.
    ``answered`` is the request's reply; ``turn`` and ``cut`` are the schedule's doing.
    """

    model_config = ConfigDict(frozen=True)

    at: float
    thread: int
    kind: Literal["statement", "call", "waits", "idles", "answered", "turn", "cut"]
    place: Place | None = None
    point: bool = False
    commits: bool = False
    text: str = ""
    given: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    came: str = ""
    session: int = 0
    ended: float | None = None


class Interleaving(BaseModel):
    """How a schedule went.

    ``driven`` says whether every switch, or the cut, was made and nobody noticed that he was held;
    ``why`` says what prevented it. ``stuck`` names what was waited for without end.
    """

    model_config = ConfigDict(frozen=True)

    schedule: Schedule
    steps: tuple[Step, ...]
    driven: bool
    why: str = ""
    stuck: str = ""

    def failures(self, thread: int) -> frozenset[str]:
        """The SQLSTATEs that a thread's statements failed with."""
        words = (one.came.partition(" ")[0] for one in self.steps if one.thread == thread)
        return frozenset(word for word in words if _SQLSTATE.fullmatch(word))

    @property
    def order(self) -> tuple[tuple[int, str], ...]:
        """The steps in which others can tell the order, as they were taken."""
        return tuple((one.thread, one.place.shape) for one in self.steps if one.point and one.place)
