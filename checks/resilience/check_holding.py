"""transaction-across-psp: the database is held while the PSP thinks (CWE-400)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from checks import contract
from checks.attachment import Psp, Testbed
from checks.client import Answer
from checks.expectations import ambiguous
from checks.fresh import Fresh
from checks.holding import Holds, Lasting, lasting, now
from checks.meter import read
from checks.probes import Attempt, probe
from checks.registry import check
from checks.resilience.cases import KINDS, Till
from checks.tenants import Merchant
from checks.verdicts import Broken, Inconclusive, Vulnerable

_HINT = (
    "Work in three steps: persist the attempt and commit; ask the PSP with no transaction open and"
    " no connection taken; settle in a transaction of its own. Read before the call what it needs."
)

#: No lease runs out and no circuit opens while calls are held, and they are not given up soon.
_SETTINGS = {
    "BREAKER_FAILURES": "1000",
    "CLAIM_LEASE_SECONDS": "30",
    "PSP_DEADLINE_SECONDS": "20",
    "PSP_MAX_ATTEMPTS": "6",
}

#: Seconds within which the PSP must have been asked, and what is cheap be answered.
_PROMPT = 12.0

#: Seconds within which the worker, which has to be started, must have asked.
_WORKER = 40.0

#: Calls that wait at one replica: more than it has connections (contract 7.4).
_CALLS = 16

#: How often a hold may end together with its call before that is no coincidence any more.
_LOOKS = 3

_INTERVAL = 0.01

#: Sends what makes the service ask the PSP.
Send = Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the check works with."""

    till: Till
    testbed: Testbed

    @property
    def psp(self) -> Psp:
        """The PSP."""
        return self.till.psp

    async def cheap(self, replica: int | None = None) -> Answer:
        """A request that needs a connection, and no outside party."""
        merchant, account = self.till.merchant, self.till.account
        return await merchant.get(account.url, replica=replica, patience=_PROMPT)


@dataclass(frozen=True, slots=True)
class _Call:
    """Something that makes the service ask the PSP about a card.

    ``send`` is ``None`` where the service does so unasked; ``fault`` is in force until the PSP
    holds its answers.
    """

    desk: _Desk
    what: str
    card: str
    send: Send | None
    fault: str | None = None

    async def watched(self) -> Lasting | None:
        """Hold the PSP's answers, and look at the database meanwhile.

        Gives what ended together with a call. Raises ``Vulnerable`` for what lasted for sure.
        """
        desk = self.desk
        before = await now(desk.testbed)
        hold = await desk.psp.fault("hold", token=self.card, effect=True)
        if self.fault is not None:
            await desk.psp.lift(self.fault)
        figures = await read(desk.testbed)
        with probe(f"the PSP keeps its answer back: {self.what}") as attempt:
            sent = asyncio.create_task(self._sent())
            try:
                for look in ("when the PSP was asked", "after another request was answered"):
                    found = await self._look(before, sent)
                    if found.holds:
                        return found
                    attempt.note(f"{look}: no transaction is open")
                    (await desk.cheap()).expect(200)
            finally:
                await desk.psp.lift(hold)
                answer = await sent
            attempt.note(f"in all: {(await read(desk.testbed)).since(figures)}")
            if answer is not None and not answer.ok and not ambiguous(answer):
                raise Broken(f"{answer}, when the PSP took its time and answered in the end.")
        return None

    async def _look(self, before: Holds, sent: asyncio.Task[Answer | None]) -> Lasting:
        """What lasts while a call waits. A look at nothing counts only if the call waits still."""
        for _ in range(_LOOKS):
            await self._arrived(sent)
            found = await lasting(self.desk.testbed, before, self._under_way)
            if found.holds and found.certain:
                raise Vulnerable(
                    f"While the PSP was asked ({self.what}), the service kept {found}.", _HINT
                )
            if found.holds or await self._under_way():
                return found
        raise Inconclusive(f"Each call ended before it could be looked at ({self.what}).")

    async def _sent(self) -> Answer | None:
        return None if self.send is None else await self.send()

    async def _arrived(self, sent: asyncio.Task[Answer | None]) -> None:
        """Wait until a call waits for its answer. Raises ``Broken`` where none comes."""
        seconds = _PROMPT if self.send else _WORKER
        deadline = asyncio.get_running_loop().time() + seconds
        while not await self._under_way():
            if asyncio.get_running_loop().time() > deadline:
                raise Broken(f"The PSP was not asked within {seconds:g} s ({self.what}).")
            if self.send is not None and sent.done():
                raise Broken(f"{sent.result()}, and the PSP was not asked ({self.what}).")
            await asyncio.sleep(_INTERVAL)

    async def _under_way(self) -> bool:
        return await self.desk.psp.under_way(self.card) > 0


@check(
    "transaction-across-psp",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    exclusive=True,
    settings=_SETTINGS,
    competencies=("db.transactions", "resilience.outside-calls"),
)
async def nothing_is_held_during_an_outside_call(
    alice: Merchant, psp: Psp, testbed: Testbed, fresh: Fresh
) -> None:
    """While the PSP is asked, no transaction is open and no connection is taken."""
    till = await Till.open(alice, psp, fresh)
    desk = _Desk(till, testbed)
    for kind in KINDS:
        await _not_held(desk, kind, _operation)
    await _not_held(desk, "sync", _sync)
    await _more_than_there_are_connections(desk)
    await testbed.control.worker_start(testbed.lease)
    await _not_held(desk, "the worker", _left_open)


async def _not_held(
    desk: _Desk, what: str, prepare: Callable[[_Desk, str], Awaitable[_Call]]
) -> None:
    """What ends together with its call each time was held for its sake."""
    for _ in range(_LOOKS):
        call = await prepare(desk, what)
        found = await call.watched()
        if found is None:
            return
    raise Vulnerable(f"Each time that the PSP was asked ({what}), the service kept {found}.", _HINT)


async def _operation(desk: _Desk, kind: str) -> _Call:
    """An operation of a kind."""
    (asked,) = await desk.till.ask([kind])
    return _Call(desk, kind, asked.card, asked.send)


async def _sync(desk: _Desk, what: str) -> _Call:
    """A sale that was left open, about which the service is told to ask."""
    (asked,) = await desk.till.ask(["sale"])
    fault = await desk.psp.fault("drop_before", token=asked.card)
    answer = await asked.send()
    await desk.psp.lift(fault)
    if not ambiguous(answer):
        raise Broken(f"{answer} to a sale that the PSP left without an answer.")
    payment = await asked.found()
    if payment is None:
        raise Broken(f"{answer} to a sale, which then is not among the payments.")

    async def send() -> Answer:
        return await desk.till.merchant.post(f"{payment.url}/sync", {})

    return _Call(desk, what, asked.card, send)


async def _left_open(desk: _Desk, what: str) -> _Call:
    """The same, about which the worker asks unasked."""
    (asked,) = await desk.till.ask(["sale"])
    fault = await desk.psp.fault("drop_before", token=asked.card)
    await asked.send()
    return _Call(desk, what, asked.card, None, fault)


async def _more_than_there_are_connections(desk: _Desk) -> None:
    """While many calls wait, another request finds a connection.

    They come one after another, so that a pool which grows has no reason to: each has done its
    first part when the next one comes.
    """
    testbed, replica = desk.testbed, 0
    asked = await desk.till.ask(["sale"] * _CALLS)
    holds = [await desk.psp.fault("hold", token=one.card, effect=True) for one in asked]
    with probe(f"another request while {_CALLS} calls wait at one replica") as attempt:
        sessions = len(await testbed.sessions(replica))
        sent: list[asyncio.Task[Answer]] = []
        try:
            for one in asked:
                request = one.till.merchant.post(one.path, one.body, key=one.key, replica=replica)
                sent.append(asyncio.create_task(request))
                if not await _waits(desk, one.card, sent[-1]):
                    break
            else:
                opened = len(await testbed.sessions(replica)) - sessions
                attempt.note(f"{len(sent)} calls wait; {opened} connections were opened meanwhile")
                if opened >= _CALLS - 1:
                    raise Vulnerable(
                        f"With each call that waited, one more connection was opened: {opened} for"
                        f" {_CALLS} calls.",
                        _HINT,
                    )
            await _answers(desk, replica, len(sent), attempt)
        finally:
            for hold in holds:
                await desk.psp.lift(hold)
            await asyncio.gather(*sent)


async def _waits(desk: _Desk, card: str, sent: asyncio.Task[Answer]) -> bool:
    """Wait until a payment's call has come; false where it is answered first, or nothing comes."""
    arriving = asyncio.create_task(desk.psp.wait(card, 1, _PROMPT))
    await asyncio.wait([arriving, sent], return_when=asyncio.FIRST_COMPLETED)
    arriving.cancel()
    return await desk.psp.under_way(card) > 0


async def _answers(desk: _Desk, replica: int, waiting: int, attempt: Attempt) -> None:
    """A replica that serves (contract 7.1) answers what is cheap, too."""
    answer = await desk.cheap(replica)
    if answer.status == 200:
        return
    anonymous = desk.till.merchant.platform.anonymous
    alive = await anonymous.get("/healthz", replica=replica, patience=_PROMPT)
    if alive.status != 200:
        # Out of threads, say: that says nothing of connections.
        attempt.note(f"{answer} and {alive}: the replica serves nobody, whatever he needs")
        return
    raise Vulnerable(
        f"{answer}, while {waiting} payments waited for the PSP; {alive}: the replica serves, and"
        " has no connection left.",
        _HINT,
    )
