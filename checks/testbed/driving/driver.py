"""Takes concurrent requests through their steps in the order of a schedule.

Each thread is a replica with one request. Its statements stop at its endpoint's gate, its outside
calls at the simulator; the driver lets one go at a time, always of the thread whose turn it is. A
thread that cannot go on hands its turn over: because a lock of another's stops it, by the word of
``pg_blocking_pids``; or because it waits for something inside itself, by the word of the kernel; or
because it asks the same again and again. A request has ended when it is answered and its replica's
sessions are idle: a service may answer before it commits.

The design follows PostgreSQL's own isolationtester (``src/test/isolation``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Self

from checks.testbed.driving.activity import asleep
from checks.testbed.driving.cutting import cut_off
from checks.testbed.driving.record import recorded
from checks.testbed.driving.schedule import Interleaving, Place, Schedule, Step, Switch
from checks.testbed.driving.threads import Field, Gates, Held, Thread

#: Seconds without any progress, with nothing held, after which a run is given up.
STUCK = 5.0

#: Seconds within which the service comes to rest before a run.
_REST = 1.0

#: Seconds that the threads are left alone before the processes that are held idle are let go.
_LONELY = 0.25

#: Seconds that a whole run may take.
LIMIT = 20.0

#: Seconds within which every request must have come to its first step, or to its answer.
_ASSEMBLE = 5.0

#: Seconds to wait for an event before the lock manager and the kernel are asked.
_PATIENCE, _MOST_PATIENCE = 0.002, 0.03

#: Seconds that a thread whose processes are unknown has to move before it counts as waiting.
UNKNOWN = 0.25

#: How often a thread may repeat a step, as a multiple of what it does alone.
_REPEATS = 2

_BLOCKERS = "SELECT pid, pg_blocking_pids(pid) AS blockers FROM unnest($1::int[]) AS pid"


class Driver:
    """One run, made by ``begin``: send the requests, tell of each that is ``answered``, ``drive``.

    Times are the loop's, from ``began`` on.
    """

    def __init__(self, field: Field, schedule: Schedule, changed: asyncio.Event) -> None:
        self._field = field
        self._schedule = schedule
        self._changed = changed
        self._left: list[Switch] = list(schedule.switches)
        self._notes: list[Step] = []
        self._stuck = ""
        self._why = ""
        self._cut = False
        self._gates = [Gates(one, changed.set) for one in (*field.replicas, *field.idle)]
        self.threads = [
            Thread(number, process, self._gates[number])
            for number, process in enumerate(field.replicas)
        ]
        self._turn = self.threads[schedule.first]

    @classmethod
    async def begin(cls, field: Field, schedule: Schedule) -> Self:
        """Close the gates, once nothing is under way.

        A session that keeps a transaction open all the time is no request's: it is set aside.
        """
        driver = cls(field, schedule, asyncio.Event())
        try:
            async with asyncio.timeout(_REST):
                while not all(one.quiet for one in driver._gates):
                    await driver._event(None)
        except TimeoutError:
            for gates in driver._gates:
                gates.set_aside()
        except BaseException:
            driver.leave()
            raise
        for gates in driver._gates:
            gates.close()
        return driver

    def answered(self, thread: int, said: str) -> None:
        """A thread's request has its answer, in a few words."""
        self.threads[thread].answered = True
        self._note(self.threads[thread], "answered", came=said)
        self._changed.set()

    async def drive(self) -> Interleaving:
        """Take all requests to their ends; the gates are gone afterwards."""
        try:
            async with asyncio.timeout(LIMIT):
                await self._assemble()
                while not (self._stuck or self._cut or all(one.ended for one in self.threads)):
                    await self._go_on()
                    await asyncio.sleep(0)
        except TimeoutError:
            self._stuck = f"The requests did not end within {LIMIT:g} s."
        finally:
            self.leave()
        course = self._interleaving()
        for gates in self._gates:
            gates.forget()
        return course

    def leave(self) -> None:
        """Let everything through, now and from now on."""
        for gates in self._gates:
            gates.remove()

    # --- the turn ---

    async def _assemble(self) -> None:
        """Wait until each request has come to its first step, or to its answer."""
        try:
            async with asyncio.timeout(_ASSEMBLE):
                while not all(one.held or one.answered for one in self.threads):
                    await self._event(None)
                for thread, requests in zip(self.threads, self._schedule.requests, strict=False):
                    await self._gather(thread, requests)
        except TimeoutError:
            self._stuck = "Not every request came to a statement or an answer."

    async def _gather(self, thread: Thread, requests: int) -> None:
        """Wait until so many requests of a thread have come to a step, unless they wait inside."""
        waited = 0.0
        while len(thread.gates.waiting) < requests and not thread.answered:
            if await self._event(_MOST_PATIENCE):
                waited = 0.0
                continue
            waited += _MOST_PATIENCE
            if waited >= _LONELY and await self._idles(thread, waited):
                return

    async def _go_on(self) -> None:
        thread = self._turn
        if thread.ended:
            await self._hand_over()
        elif (held := thread.held) is not None:
            place = thread.place(held)
            if self._switches(place) or await self._cuts(thread, held, place):
                return
            if self._repeats(thread, place) and place != thread.yielded:
                thread.yielded = place
                await self._hand_over()
                return
            thread.taken[place.shape] += 1
            for one in self.threads:
                one.stuck = False
            held.release()
        elif not await self._moves(thread):
            thread.stuck = True
            await self._hand_over()

    async def _cuts(self, thread: Thread, held: Held, place: Place) -> bool:
        """Make the cut that the schedule has here, if it has one."""
        cut = self._schedule.cut
        if cut is None or cut.at != place:
            return False
        self._cut = await cut_off(
            thread,
            held,
            cut,
            changed=partial(self._event, None),
            watcher=self._field.watcher,
            tell=partial(self._note, thread, "cut"),
        )
        if not self._cut:
            self._stuck = "There was nothing that could be cut."
        return True

    def _switches(self, place: Place) -> bool:
        """Make the switch that the schedule has here, if it has one."""
        for switch in self._left:
            if switch.before == place:
                self._left.remove(switch)
                other = self.threads[switch.to]
                if other.ended:
                    self._why = "the other request had ended before the switch"
                    return False
                self._note(other, "turn")
                self._turn = other
                return True
        return False

    def _repeats(self, thread: Thread, place: Place) -> bool:
        """Whether a thread asks the same more often than it does when it is alone."""
        if thread.number >= len(self._schedule.usual):
            return False
        usual = self._schedule.usual[thread.number].get(place.shape, 1)
        return place.occurrence > _REPEATS * usual

    def _other(self) -> Thread | None:
        """The next thread that may be able to move."""
        at = self._turn.number
        following = self.threads[at + 1 :] + self.threads[:at]
        return next((one for one in following if not one.ended and not one.stuck), None)

    async def _hand_over(self) -> None:
        """Give the turn to another; where none can move, wait until one can."""
        other = self._other()
        if other is not None:
            self._turn = other
            return
        if not await self._any_moves(_LONELY):
            # They may wait for what the worker is to do.
            for gates in self._gates[len(self.threads) :]:
                gates.open()
            if not await self._any_moves(STUCK):
                waiting = ", ".join(str(one.number + 1) for one in self._under_way())
                self._stuck = f"Nothing moved for {STUCK:g} s; still under way: request {waiting}."
                return
        for one in self.threads:
            one.stuck = False
        self._turn = next((one for one in self._under_way() if one.held), self._turn)

    async def _any_moves(self, seconds: float) -> bool:
        """Wait until any thread has come to a step, or has ended; whether one has in that time."""
        before = len(self._under_way())
        try:
            async with asyncio.timeout(seconds):
                while (left := self._under_way()) and len(left) == before:
                    if any(one.held for one in left):
                        break
                    await self._event(None)
        except TimeoutError:
            return False
        return True

    def _under_way(self) -> list[Thread]:
        return [one for one in self.threads if not one.ended]

    # --- waiting ---

    async def _event(self, seconds: float | None) -> bool:
        """Wait for something to change; whether anything did within that time."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    async def _moves(self, thread: Thread) -> bool:
        """Wait for a thread's next step or its end; false where it cannot get there by itself."""
        waited, patience = 0.0, _PATIENCE
        while not (thread.held or thread.ended):
            if await self._event(patience):
                waited, patience = 0.0, _PATIENCE
                continue
            waited += patience
            # To ask costs time too, which a busy machine has not.
            patience = min(2 * patience, _MOST_PATIENCE)
            executing = thread.process.endpoint.executing
            if executing:
                if await self._blocked(executing):
                    self._note(thread, "waits")
                    return False
            elif await self._idles(thread, waited):
                self._note(thread, "idles")
                return False
        return True

    async def _blocked(self, pids: Sequence[int]) -> bool:
        """Whether a thread's backends all wait for locks of another thread's."""
        rows = await self._field.watcher.fetch(_BLOCKERS, list(pids))
        return bool(rows) and all(row["blockers"] for row in rows)

    async def _idles(self, thread: Thread, waited: float) -> bool:
        pid = thread.process.pid()
        if pid is None:
            return waited >= UNKNOWN
        return await asleep(pid, lambda: not self._changed.is_set())

    # --- the record ---

    def _note(self, thread: Thread, kind: Any, came: str = "") -> None:
        at = asyncio.get_running_loop().time() - self._field.began
        self._notes.append(Step(at=at, thread=thread.number, kind=kind, came=came))

    def _interleaving(self) -> Interleaving:
        why = "" if self._cut else self._amiss()
        return Interleaving(
            schedule=self._schedule,
            steps=recorded(self.threads, self._notes, self._field.began),
            driven=not (why or self._stuck),
            why=why,
            stuck=self._stuck,
        )

    def _amiss(self) -> str:
        """What kept the schedule from being driven, if anything did."""
        broken = next((one.gates.broken for one in self.threads if one.gates.broken), "")
        missed = "a step at which to switch did not come" if self._left else ""
        uncut = "the step at which to cut did not come" if self._schedule.cut else ""
        return broken or self._why or missed or uncut
