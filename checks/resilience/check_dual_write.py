"""dual-write: something is changed and not told, or told and not changed (CWE-362)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from checks import again, contract
from checks.attachment import Testbed
from checks.contest import posting, reading
from checks.fresh import Fresh
from checks.interleaving import Send, interleave
from checks.lanes import record
from checks.lists import of_list
from checks.losers import SETTLED, carried_out, lost, seen
from checks.power_cuts import Outages, described, power_cuts
from checks.probes import probe
from checks.registry import check
from checks.settings import SHORT_CLAIMS
from checks.shapes import Account, Page
from checks.tenants import Merchant, payment_body, transfer_body
from checks.testbed.driving.schedule import Cut, Schedule
from checks.verdicts import Inconclusive, Vulnerable

_HINT = (
    "Write the event into a table of the same database, in the transaction that makes the change,"
    " and have a worker publish it from there (transactional outbox)."
)

#: Objects and events among which those of one request are looked for: they are the latest.
_LATEST = 20

#: Seconds that a change and its event may differ, for a service that is still at it; and a pause.
_PROMPT, _PAUSE = 3.0, 0.1

#: Cuts that one kind of change meets at most.
_MOST = 60

Body = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A change that is told of: where it is asked for, what tells of it and in which status.

    The list at ``path`` shows it under the reference that the body names. ``then`` is asked for of
    what was made so, and is the change if it is given.
    """

    name: str
    path: str
    event: str
    body: Body
    status: str | None = None
    then: str = ""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request for a change, with a reference that nobody else has."""

    kind: _Kind
    merchant: Merchant
    reference: str
    send: Send

    @classmethod
    async def of(cls, kind: _Kind, merchant: Merchant) -> _Asked:
        """A new one."""
        reference, key = merchant.fresh.word(20), merchant.fresh.key()
        path, body = kind.path, {**kind.body(), "reference": reference}
        if kind.then:
            made = await carried_out(partial(merchant.post, path, body, key=key))
            path = f"{path}/{made.expect(201).members.get('id')}/{kind.then}"
            body, key = {}, merchant.fresh.key()
        return cls(kind, merchant, reference, posting(merchant.owner, path, body, key))

    async def differs(self) -> str:
        """How the changes under this reference and what is told of them differ, if they do."""
        deadline = asyncio.get_running_loop().time() + _PROMPT
        while (difference := await self._difference()) is not None:
            if asyncio.get_running_loop().time() > deadline:
                return difference
            await asyncio.sleep(_PAUSE)
        return ""

    async def _difference(self) -> str | None:
        made, told = await self._made(), await self._told()
        if made == told == await self._made():
            return None
        return (
            f"the service shows {len(made)} {self.kind.name} under one reference"
            f" ({', '.join(made) or 'none'}), and tells of {len(told)} by {self.kind.event}"
            f" ({', '.join(told) or 'none'})"
        )

    async def _made(self) -> list[str]:
        """The objects that came to what is told of."""
        items = await self._latest(self.kind.path)
        return sorted(
            str(item.get("id"))
            for item in items
            if item.get("reference") == self.reference
            and self.kind.status in (None, item.get("status"))
        )

    async def _told(self) -> list[str]:
        """The objects that the events tell of, each as often as it is told."""
        items = await self._latest("/v1/events")
        return sorted(
            str(item.get("object"))
            for item in items
            if item.get("type") == self.kind.event
            and isinstance(data := item.get("data"), dict)
            and data.get("reference") == self.reference
        )

    async def _latest(self, path: str) -> Sequence[dict[str, object]]:
        answer = await seen(self.merchant.owner, of_list(path, limit=_LATEST))
        return answer.read(Page).data


@check(
    "dual-write",
    needs=(*contract.events, *contract.transfers, *contract.payments, *contract.payouts),
    exclusive=True,
    settings=SHORT_CLAIMS,
    replicas=3,
    competencies=("distributed.events", "db.transactions"),
)
async def a_change_and_its_event_are_one(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """Wherever the power is cut, what was changed is told, and what is told was changed."""
    source, target = await alice.funded(), await alice.open_account()
    kinds = {kind.name: kind for kind in _kinds(source, target, fresh)}
    spared = alice.on(testbed.replicas[-1])
    cuts = {name: await _possible(kind, spared, testbed) for name, kind in kinds.items()}
    if (wanted := again.wanted()) is not None:
        cuts = {wanted.what: [wanted.schedule.cut]} if wanted.schedule.cut else {}
    async with Outages.on(testbed, reading(alice, source)) as outages:
        for name, of_kind in cuts.items():
            await _strike(kinds[name], of_kind, spared, outages)


def _kinds(source: Account, target: Account, fresh: Fresh) -> list[_Kind]:
    """Changes by one transaction, one that the PSP takes part in, and ones that post nothing."""

    def transfer() -> Mapping[str, Any]:
        return transfer_body(source, target, fresh.money(100, 900))

    def sale() -> Mapping[str, Any]:
        return payment_body(source, fresh.money(1_000, 9_000), fresh.card())

    def payout() -> Mapping[str, Any]:
        return {
            "account": source.id,
            "amount": fresh.money(100, 900).json(),
            "payee": fresh.payee().model_dump(),
        }

    return [
        _Kind("transfers", "/v1/transfers", "transfer.created", transfer),
        _Kind("captured payments", "/v1/payments", "payment.captured", sale, "captured"),
        _Kind("payouts", "/v1/payouts", "payout.created", payout),
        _Kind(
            "cancelled payouts", "/v1/payouts", "payout.cancelled", payout, "cancelled", "cancel"
        ),
    ]


async def _possible(kind: _Kind, merchant: Merchant, testbed: Testbed) -> list[Cut]:
    """The cuts that a change can meet, by the course that it takes undisturbed."""
    asked = await _Asked.of(kind, merchant)
    with probe(f"{kind.name}: undisturbed", keep=False) as attempt:
        run = await interleave(testbed, Schedule(), [asked.send], replicas=[testbed.replicas[-1]])
        record(run.course, attempt)
        if run.course.stuck:
            raise Inconclusive(run.course.stuck)
        run.answers[0].expect(200, 201)
        if difference := await asked.differs():
            raise Vulnerable(f"Undisturbed, {difference}.", _HINT)
    return power_cuts(run.course)[:_MOST]


async def _strike(kind: _Kind, cuts: Sequence[Cut], merchant: Merchant, outages: Outages) -> None:
    """Make changes of a kind meet each of the cuts, one after another."""
    driven = 0
    for cut in cuts:
        asked = await _Asked.of(kind, merchant)
        with probe(f"{kind.name}: {described(cut)}", keep=False) as attempt:
            again.keep(attempt, kind.name, Schedule(cut=cut))
            run = await outages.make(cut, asked.send)
            record(run.course, attempt)
            if run.course.stuck:
                raise Inconclusive(run.course.stuck)
            driven += run.course.driven
            if difference := await asked.differs():
                raise Vulnerable(f"{run.answers[0]}, when {described(cut)}: {difference}.", _HINT)
            await _sent_again(asked, outages.spare)
            if difference := await asked.differs():
                raise Vulnerable(
                    f"When {described(cut)}, and the request was sent again: {difference}.", _HINT
                )
    with probe(f"{kind.name}: all power cuts") as attempt:
        attempt.note(f"Of {len(cuts)} power cuts {driven} were made.")
        if not driven:
            raise Inconclusive(f"The power could not be cut at any step of {kind.name}.")


async def _sent_again(asked: _Asked, replica: int) -> None:
    """Send it under its key until it has its answer; that it gets one is another check's matter."""
    deadline = asyncio.get_running_loop().time() + SETTLED
    answer = await asked.send(replica)
    while (lost(answer) or answer.failed) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(min(answer.retry_after or _PAUSE, 2.0))
        answer = await asked.send(replica)
