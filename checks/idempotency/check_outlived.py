"""idempotency-claim-race: who finds a claim expired starts its work anew (CWE-362)."""

from __future__ import annotations

import asyncio
from functools import partial

from checks import contract
from checks.attachment import Psp, Testbed
from checks.client import Answer
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.idempotency.effects import taken_once, taken_twice
from checks.losers import follow_up, unfailed
from checks.operations import OPERATIONS, Case, Tenants
from checks.probes import probe
from checks.registry import check
from checks.settings import SHORT_CLAIMS
from checks.testbed.faults import Operation
from checks.verdicts import Broken, NotReached

_HINT = (
    "Renew the claim while its work goes on, or let whoever finds it expired resume the attempt"
    " that was persisted, under that attempt's key at the PSP; never start another."
)

#: The operations that wait for the PSP under a claim.
_OUTSIDE: tuple[Operation, ...] = ("sale", "authorisation", "capture", "refund")

#: Seconds after which a claim of ``SHORT_CLAIMS`` has expired unless its holder renewed it.
_EXPIRED = 1.3

#: Seconds within which a request has reached the PSP, on a busy machine too.
_ASKED = 10.0

#: Seconds within which a twin that starts anew has reached the PSP.
_REACHED = 0.6

#: Where a PSP that takes its time is charged, if it is taken for one that declines.
_SILENCE = "resilience/no_answer_is_neither_paid_nor_declined"


@check(
    "idempotency-claim-race",
    needs=(*contract.payments, *contract.refunds),
    exclusive=True,
    settings=SHORT_CLAIMS,
    competencies=("distributed.idempotency", "resilience.outside-calls"),
)
async def a_claim_outlived_by_its_work_is_not_begun_anew(
    tenants: Tenants, testbed: Testbed, psp: Psp, fresh: Fresh
) -> None:
    """A request whose twin still waits for the PSP takes no second effect, however long it is."""
    cases = [(name, await OPERATIONS[name](tenants)) for name in _OUTSIDE]
    pairs = [_Pair(testbed, psp, name, case, fresh.key()) for name, case in cases]
    await all_of(pair.attack() for pair in pairs)
    if not any(pair.driven for pair in pairs):
        raise NotReached("A PSP that takes its time is taken for one that declines.", _SILENCE)


class _Pair:
    """One operation held at the PSP until its claim is old, and a twin on the other replica.

    ``driven`` once it was carried out: a service that takes a slow PSP for one that declines has
    another flaw.
    """

    def __init__(self, testbed: Testbed, psp: Psp, name: Operation, case: Case, key: str) -> None:
        self.driven = False
        self._name, self._case, self._card, self._psp = name, case, str(case.card), psp
        self._send = [partial(case.send, key, replica=one) for one in (0, testbed.replicas[-1])]

    async def attack(self) -> None:
        """Send both, let the PSP answer, and see what came of it."""
        with probe(f"{self._name}: it waits for the PSP beyond its claim, and a twin comes"):
            answers = await self._sent()
            settled = await follow_up(answers, self._send)
            self.driven = all(answer.status != 402 for answer in (*answers, *settled))
            if self.driven or await taken_twice(self._case):
                await taken_once(self._name, self._case, settled, _HINT)
                unfailed((*answers, *settled))

    async def _sent(self) -> tuple[Answer, Answer]:
        before = len(await self._psp.journal(self._card))
        held = await self._psp.fault("hold", self._name, token=self._card)
        first = asyncio.create_task(self._send[0]())
        if len(await self._psp.wait(self._card, before + 1, _ASKED)) == before:
            await self._psp.lift(held)
            raise Broken(f"{await first}, and the PSP was not asked for the {self._name}.")
        await asyncio.sleep(_EXPIRED)
        asked = len(await self._psp.journal(self._card))
        twin = asyncio.create_task(self._send[1]())
        await self._psp.wait(self._card, asked + 1, _REACHED)
        await self._psp.lift(held)
        return await first, await twin
