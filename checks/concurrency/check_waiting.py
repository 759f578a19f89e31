"""global-lock: one lock for all, so that strangers wait for each other (CWE-667)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from checks import contract
from checks.amounts import money
from checks.attachment import Testbed
from checks.client import Answer
from checks.contest import posting
from checks.fresh import Fresh
from checks.interleaving import Send, interleave
from checks.lanes import brief, record
from checks.pinning import HOME, Wait, pinned
from checks.probes import current, probe
from checks.registry import check
from checks.schedules import Solo
from checks.settings import NO_WORKER
from checks.shapes import Account
from checks.tenants import Merchant, transfer_body
from checks.testbed.driving.schedule import Place, Schedule
from checks.verdicts import Inconclusive, Vulnerable

_HINT = (
    "Lock the rows of the accounts that move money, in one order, and nothing that all transfers"
    " share: no table, no counter's row, no single advisory lock, no mutex of the process."
)

#: Runs of a request alone, of which the last two must have taken the same steps.
_WARM_UP = 6

#: Locks are sometimes kept for groups of accounts. So often a request of another account's is held
#: at its last step, and so many transfers between strangers' accounts are tried meanwhile: among so
#: many accounts some are in its group.
_HELD, _STRANGERS = 6, 6

#: Seconds for which a request is held, unless there is somebody who waits for it: a service may end
#: what idles in a transaction, as it should. How often one is held anew that was ended so.
_HOLD, _TRIES = 3.0, 3

#: Seconds within which a replica that serves answers a look at an account.
_PROMPT = 8.0

#: Makes a request ready that was not sent before.
Prepare = Callable[[], Awaitable[Send]]


@dataclass(frozen=True, slots=True)
class _Trader:
    """A merchant with two accounts between which it moves money; made by ``open``."""

    merchant: Merchant
    source: Account
    target: Account
    fresh: Fresh

    @classmethod
    async def open(cls, merchant: Merchant, fresh: Fresh) -> _Trader:
        """The source funded."""
        return cls(merchant, await merchant.funded(), await merchant.open_account(), fresh)

    async def transfer(self) -> Send:
        """A transfer."""
        body = transfer_body(self.source, self.target, money("0.50 GBP"))
        return posting(self.merchant.owner, "/v1/transfers", body, self.fresh.key())

    async def reversal(self) -> Send:
        """A reversal of a transfer that was made for it."""
        made = await self.merchant.transfer(self.source, self.target, money("0.50 GBP"))
        return posting(self.merchant.owner, f"{made.url}/reversal", {}, self.fresh.key())


@check(
    "global-lock",
    needs=contract.transfers,
    exclusive=True,
    settings=NO_WORKER,
    competencies=("db.locking", "performance.throughput"),
)
async def transfers_of_strangers_do_not_wait(
    alice: Merchant, bob: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Wherever a transfer stands, one between other merchants' accounts comes to its end."""
    one, other = await _Trader.open(alice, fresh), await _Trader.open(bob, fresh)
    for held, what in ((one.transfer, "transfer"), (one.reversal, "reversal")):
        for place in await _steps(testbed, held, what):
            await _Held(testbed, held, what, place).beside(other, [other.transfer])
        await _Held(testbed, held, what, place).beside(other, [other.reversal], keep=True)
    place = (await _steps(testbed, one.transfer, "transfer"))[-1]
    for _ in range(_HELD):
        some = [_Trader.open(bob, fresh) for _ in range(_STRANGERS)]
        one, *others = await asyncio.gather(_Trader.open(alice, fresh), *some)
        stopped = _Held(testbed, one.transfer, "transfer", place)
        await stopped.beside(other, [trader.transfer for trader in others], replicas=(HOME,))


async def _steps(testbed: Testbed, prepare: Prepare, what: str) -> tuple[Place, ...]:
    """The steps of a request, when they are the same twice."""
    before: Solo | None = None
    with probe(f"a {what} alone") as attempt:
        for _ in range(_WARM_UP):
            run = await interleave(testbed, Schedule(), [await prepare()], replicas=[HOME])
            if run.course.stuck:
                raise Inconclusive(run.course.stuck)
            run.answers[0].expect(201)
            solo = Solo.of(run.course, 0)
            if solo == before:
                break
            before = solo
        record(run.course, attempt)
    if not solo.places:
        raise Inconclusive(f"A {what} on its own sent no statement at which it could be held.")
    return solo.places


@dataclass(frozen=True, slots=True)
class _Held:
    """A request that is to be held before one of its steps."""

    testbed: Testbed
    prepare: Prepare
    what: str
    place: Place

    async def beside(
        self,
        other: _Trader,
        others: Sequence[Prepare],
        *,
        replicas: Sequence[int] | None = None,
        keep: bool = False,
    ) -> None:
        """While it stands there, a stranger's requests come to their ends on these replicas.

        On all of them, the other ones first, if none are given.
        """
        places = replicas or tuple(reversed(self.testbed.replicas))
        left = [(replica, prepare) for replica in places for prepare in others]
        broken = 0
        while left:
            done, why = await self._some(other, left, 0.0 if broken else _HOLD, keep=keep)
            if not why:
                left = left[done:]
                continue
            broken += 1
            if broken == _TRIES:
                raise Inconclusive(f"A {self.what} could not be held: {why}.")

    async def _some(
        self,
        other: _Trader,
        left: Sequence[tuple[int, Prepare]],
        seconds: float,
        *,
        keep: bool,
    ) -> tuple[int, str]:
        """As many of these requests as fit into so many seconds, one at least.

        Gives how many, and what the service did because the held one was held, if anything.
        """
        requests = [(replica, await prepare()) for replica, prepare in left]
        held, done = await self.prepare(), 0
        title = f"a {self.what} held before {brief(self.place.shape)}, and strangers' transfers"
        with probe(title, keep=keep):
            async with pinned(self.testbed, held, self.place) as pin:
                deadline = asyncio.get_running_loop().time() + seconds
                for replica, request in requests:
                    self._judge(replica, *await pin.outlived_by(request, replica, _reading(other)))
                    done += 1
                    if asyncio.get_running_loop().time() > deadline:
                        break
        return done, pin.broken

    def _judge(self, replica: int, answer: Answer | None, wait: Wait | None) -> None:
        attempt = current()[1]
        if wait is not None:
            attempt.step("request 2", wait.how, wait.sql, moment=True)
            where = "the same replica" if replica == HOME else "another replica"
            raise Vulnerable(
                f"While a {self.what} stood before {brief(self.place.shape)!r}, a transfer between"
                f" another merchant's accounts, on {where}, {wait.how}.",
                _HINT,
            )
        if answer is None:
            attempt.note(f"replica {replica} answers one request at a time")
            return
        attempt.step("request 2", f"answered {answer.status} by replica {replica}")
        answer.expect(201)


def _reading(trader: _Trader) -> Callable[[int], Awaitable[Answer]]:
    """A look at an account through a replica, unrecorded."""

    async def read(replica: int) -> Answer:
        path = trader.source.url
        return await trader.merchant.get(path, replica=replica, record=False, patience=_PROMPT)

    return read
