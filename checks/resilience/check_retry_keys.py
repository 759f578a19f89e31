"""psp-retry-new-key: who asks the PSP again does so under another key (CWE-837)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from checks import contract
from checks.attachment import Psp, Testbed
from checks.client import Answer
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.probes import probe
from checks.processor import effects
from checks.registry import check
from checks.resilience.cases import KINDS, Asked, Till
from checks.shapes import Payment
from checks.tenants import Merchant
from checks.testbed.faults import FaultKind, Operation
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Let the key derive from the attempt that is stored, and from nothing else: not from the try,"
    " the time, the process or what came of the try before. Then the PSP does it once, however"
    " often it is asked."
)

#: Seconds within which the worker may have asked once more, and sync must have settled what is
#: known (contract 6.20).
_WORKER, _SETTLING = 4.0, 10.0

#: Questions in vain after which it must still be the same key.
_IN_VAIN = 4

_AT_ONCE = 12


@dataclass(frozen=True, slots=True)
class _Loss:
    """A way in which the PSP's reply is lost, though it has done what it was asked for."""

    title: str
    kind: FaultKind
    options: dict[str, Any] = field(default_factory=dict)


_LOSSES = (
    _Loss("is dropped", "drop_after"),
    _Loss("is a 500", "status_after", {"status": 500}),
    # The second in which it is asked again is another one.
    _Loss("is a 503 that asks for a second", "status_after", {"status": 503, "retry_after": "1"}),
    _Loss("is nonsense", "malformed_after"),
    _Loss("names another amount", "wrong_amount"),
    _Loss("does not come", "hang", {"effect": True}),
)


@check(
    "psp-retry-new-key",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    competencies=("distributed.retries", "distributed.idempotency"),
)
async def a_retry_has_no_second_effect(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """An operation whose first reply is lost is carried out once, however often it is tried."""
    till = await Till.open(alice, psp, fresh)
    planned = [(loss, kind) for loss in _LOSSES for kind in KINDS]
    asked = await till.ask(kind for _, kind in planned)
    attacks = [_Attack(one, kind) for one, (_, kind) in zip(asked, planned, strict=True)]
    await all_of(
        (one.tried(loss) for one, (loss, _) in zip(attacks, planned, strict=True)),
        at_once=_AT_ONCE,
    )
    if not any(attack.charged for attack in attacks):
        raise Broken(f"{attacks[0].answer}, and the PSP was not asked for it.")


@check(
    "psp-retry-new-key",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    competencies=("distributed.retries", "distributed.idempotency"),
)
async def asking_again_later_has_no_second_effect(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """What sync and the worker ask for again is carried out once, whoever asked for it before."""
    till = await Till.open(alice, testbed.psp, fresh)
    asked = await till.ask(KINDS)
    attacks = [_Attack(one, kind) for one, kind in zip(asked, KINDS, strict=True)]
    await all_of(attack.asked_again(testbed) for attack in attacks)


class _Attack:
    """One operation, which the PSP carries out."""

    def __init__(self, asked: Asked, operation: Operation) -> None:
        self.asked = asked
        self.operation = operation
        self.answer: Answer | None = None
        self.charged = 0

    @property
    def _psp(self) -> Psp:
        return self.asked.till.psp

    async def tried(self, loss: _Loss) -> None:
        """Send it, and lose the reply to the first try."""
        card = self.asked.card
        with probe(f"a {self.operation}: the PSP's first reply {loss.title}"):
            fault = await self._psp.fault(
                loss.kind, self.operation, token=card, times=1, **loss.options
            )
            self.answer = await self.asked.send()
            await self._psp.lift(fault)
            await self._once(f"the PSP's first reply {loss.title}")

    async def asked_again(self, testbed: Testbed) -> None:
        """Send it, lose all replies, and have it asked for by another process, and another.

        The PSP's look-up lags behind, so that it has to be sent again (contract 9.5).
        """
        psp, card = self._psp, self.asked.card
        with probe(f"a {self.operation}: each of the PSP's replies is dropped"):
            lost = await psp.fault("drop_after", self.operation, token=card)
            lagging = await psp.fault("not_found", "lookup", token=card)
            self.answer = await self.asked.send(testbed.replicas[0])
            payment = await self.asked.found()
        with probe(f"the {self.operation} is looked up {_IN_VAIN} times, and not found yet"):
            if payment is not None:
                for _ in range(_IN_VAIN):
                    await self._sync(payment, testbed.replicas[-1])
            calls = len(await psp.journal(card))
            await psp.wait(card, calls + 2, _WORKER)
        with probe(f"the PSP replies again, and finds the {self.operation}"):
            await psp.lift(lost)
            await psp.lift(lagging)
            if payment is not None:
                await self._settled(payment, testbed)
            await self._once("each of the PSP's replies was dropped for a while")

    async def _sync(self, payment: Payment, replica: int) -> Payment | None:
        merchant = self.asked.till.merchant
        answer = await merchant.post(f"{payment.url}/sync", {}, replica=replica)
        return answer.read(Payment) if answer.status == 200 else None

    async def _settled(self, payment: Payment, testbed: Testbed) -> None:
        """Have it asked about until it is known; whether it ever is, is another check's matter."""
        deadline = asyncio.get_running_loop().time() + _SETTLING
        while asyncio.get_running_loop().time() < deadline:
            shown = await self._sync(payment, testbed.replicas[-1])
            if shown and (self.asked.says_done(shown) or self.asked.says_failed(shown)):
                return
            await asyncio.sleep(0.2)

    async def _once(self, why: str) -> None:
        """The PSP has carried it out once at most."""
        journal = await self._psp.journal(self.asked.card)
        done = [effect for effect in effects(journal) if effect.type == self.operation]
        self.charged = len(done)
        if self.charged > 1:
            raise Vulnerable(
                f"{self.answer} to a {self.operation} of {self.asked.amount}: {why}, it was asked"
                f" for again, and the PSP has carried it out {self.charged} times, under the keys"
                f" {', '.join(str(effect.key) for effect in done)}.",
                _HINT,
            )
