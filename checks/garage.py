"""Exclusive testbeds, from one check to the next.

A check has its testbed to itself. What it leaves sound, with no fault scripted any more, goes on to
the next check that wants the same settings; merchants of their own keep checks apart there, as on
the shared one, which is handed on likewise once nobody shares it any more. Anything else is ended,
and so is a testbed that no remaining check will want.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from checks.attachment import Testbed
from checks.registry import Declaration
from checks.testbed.control import Control
from checks.testbed.lease import REPLICAS, Lease
from checks.turns import Turns

#: Exclusive testbeds in use at a time; and checks of the same settings for each testbed of theirs,
#: of which one that is long counts for several.
AT_ONCE = 3
IN_A_ROW = 5
LONG = 3

#: So few checks that want what the shared testbed has wait for it rather than start another.
PATIENT = 2

_Kind = tuple[int, bool, tuple[tuple[str, str], ...]]


def _kind(declaration: Declaration) -> _Kind:
    settings = tuple(sorted(declaration.settings.items()))
    return declaration.replicas, declaration.worker, settings


@dataclass(slots=True)
class Borrowed:
    """A testbed in a check's hands; ``sound`` once it may be handed on."""

    testbed: Testbed
    sound: bool = False


@dataclass(frozen=True, slots=True)
class _Parked:
    """A sound testbed between two checks, and the replicas that the one before has killed."""

    lease: Lease
    killed: frozenset[int] = frozenset()


class Garage:
    """Lends exclusive testbeds to the checks of one session."""

    def __init__(
        self,
        control: Control,
        declarations: Iterable[Declaration],
        expected: Mapping[str, str] | None = None,
    ) -> None:
        """``expected`` are the settings of a shared testbed that ``hand_on`` will be told of."""
        self._control = control
        self._expected = expected
        exclusive = [one for one in declarations if one.exclusive]
        self._left = Counter(map(_kind, exclusive))
        self._waiting = {
            kind for kind, count in self._left.items() if self._awaits(kind) and count <= PATIENT
        }
        rows = Counter[_Kind]()
        for one in exclusive:
            rows[_kind(one)] += LONG if one.long else 1
        self._turns = Turns(
            AT_ONCE,
            {
                kind: 0 if kind in self._waiting else -(-rows[kind] // IN_A_ROW)
                for kind in self._left
            },
        )
        self._idle: dict[_Kind, list[_Parked]] = {kind: [] for kind in self._left}

    @asynccontextmanager
    async def testbed(self, declaration: Declaration) -> AsyncIterator[Borrowed]:
        """A testbed with the settings that a check asks for, and nobody else on it."""
        kind = _kind(declaration)
        async with self._turns.turn(kind, urgent=declaration.long):
            idle = self._idle[kind]
            parked = idle.pop() if idle else _Parked(await self._lease(declaration))
            testbed = Testbed(self._control, parked.lease)
            borrowed = Borrowed(testbed)
            try:
                for replica in parked.killed:
                    await testbed.start(replica)
                yield borrowed
            finally:
                await testbed.close()
                if borrowed.sound:
                    await testbed.lift()
                    idle.append(_Parked(parked.lease, frozenset(testbed.killed)))
                else:
                    await self._control.release(parked.lease)

    def hand_on(self, lease: Lease | None) -> None:
        """The shared testbed is nobody's any more; ``None`` if it is not fit for others."""
        for kind, left in self._left.items():
            if lease is not None and self._awaits(kind) and left:
                self._idle[kind].append(_Parked(lease))
                self._turns.more(kind)
            elif kind in self._waiting:
                self._turns.more(kind)

    def _awaits(self, kind: _Kind) -> bool:
        if self._expected is None:
            return False
        return kind == (REPLICAS, False, tuple(sorted(self._expected.items())))

    async def done(self, declaration: Declaration) -> None:
        """A check has its verdict; testbeds that no other will want are ended."""
        kind = _kind(declaration)
        self._left[kind] -= 1
        while self._idle[kind] and len(self._idle[kind]) > self._left[kind]:
            await self._control.release(self._idle[kind].pop().lease)

    async def close(self) -> None:
        """End what is left."""
        for idle in self._idle.values():
            while idle:
                await self._control.release(idle.pop().lease)

    async def _lease(self, declaration: Declaration) -> Lease:
        return await self._control.lease(
            "exclusive",
            worker=declaration.worker,
            settings=declaration.settings,
            replicas=declaration.replicas,
        )
