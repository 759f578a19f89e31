"""What is driven: the service's processes with their gates, and the requests on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import asyncpg

from checks.testbed.driving.schedule import Place
from checks.testbed.line import Line
from checks.testbed.sql.proxy import Endpoint


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the service, as it can be held: by its SQL and by its outside calls.

    ``pid`` gives the first process of its tree, where that is known; ``kill`` ends the tree, where
    that can be done.
    """

    endpoint: Endpoint
    lines: Sequence[Line] = ()
    pid: Callable[[], int | None] = lambda: None
    kill: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """Where runs are driven: a replica for each thread.

    ``idle`` processes are held all the time. ``watcher`` is a connection past the proxy that sees
    all backends of the database, ``began`` the loop's time that times count from.
    """

    replicas: Sequence[Process]
    watcher: asyncpg.Connection[Any]
    began: float
    idle: Sequence[Process] = ()


class Held(Protocol):
    """A step that waits to be taken."""

    @property
    def shape(self) -> str:
        """What it is recognised by."""
        ...

    def release(self) -> None:
        """Let it happen."""
        ...


class Gates:
    """The gates around one process; they hold nothing until they are closed."""

    def __init__(self, process: Process, changed: Callable[[], None]) -> None:
        self._process = process
        self.sql = process.endpoint.put_up_gate(changed, open_=True)
        self.calls = [line.put_up_gate(changed, open_=True) for line in process.lines]

    @property
    def quiet(self) -> bool:
        """Whether nothing of the process is under way."""
        return self._process.endpoint.quiet and not any(one.under_way for one in self.calls)

    @property
    def held(self) -> Held | None:
        """The step that waits longest."""
        waiting = self.waiting
        return waiting[0] if waiting else None

    @property
    def waiting(self) -> list[Held]:
        """The steps that are held."""
        waiting: list[Held] = [*self.sql.waiting]
        for gate in self.calls:
            waiting += gate.waiting
        return waiting

    @property
    def broken(self) -> str:
        """What happened because something was held."""
        said = (self.sql.broken, *(gate.broken for gate in self.calls))
        return next((one for one in said if one), "")

    def set_aside(self) -> None:
        """Wait no more for what is under way."""
        self._process.endpoint.set_aside()

    def close(self) -> None:
        """Hold everything from now on, and forget what has passed."""
        self.sql.passed.clear()
        self.sql.open = False
        for gate in self.calls:
            gate.passed.clear()
            gate.open = False

    def open(self) -> None:
        """Hold nothing any more, and go on looking."""
        self.sql.let_all_go()
        for gate in self.calls:
            gate.let_all_go()

    def forget(self) -> None:
        """Keep the values no longer that were seen: an endpoint remembers many executions."""
        for passed in self.sql.passed:
            passed.execution.values = None

    def remove(self) -> None:
        """Let everything through, unseen."""
        self._process.endpoint.take_down_gate()
        for line in self._process.lines:
            line.take_down_gate()


@dataclass(slots=True, eq=False)
class Thread:
    """A replica with one request under way.

    ``stuck`` says that it could not move when it was last looked at, ``yielded`` before which step
    it gave its turn away because it repeats itself.
    """

    number: int
    process: Process
    gates: Gates
    answered: bool = False
    stuck: bool = False
    yielded: Place | None = None
    taken: Counter[str] = field(default_factory=Counter)

    @property
    def ended(self) -> bool:
        """Whether its request is answered, and nothing of it is under way any more."""
        return self.answered and self.gates.quiet

    @property
    def held(self) -> Held | None:
        """The step that it would take next, if it has come to one."""
        return self.gates.held

    def place(self, held: Held) -> Place:
        """The step that it would take next."""
        occurrence = self.taken[held.shape] + 1
        return Place(thread=self.number, shape=held.shape, occurrence=occurrence)
