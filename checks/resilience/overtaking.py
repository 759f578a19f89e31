"""Changes that others overtake: they have written their event, and commit when others are told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from checks.attachment import Testbed
from checks.contest import posting
from checks.events import events_of, only_event
from checks.gathering import all_of
from checks.interleaving import interleave
from checks.lanes import record
from checks.losers import carried_out
from checks.pinning import HOME, pinned
from checks.probes import current, probe
from checks.resilience.changes import Asked, Kind
from checks.shapes import Account, Event
from checks.shops import SETTLED, Shop
from checks.tenants import Merchant
from checks.testbed.driving.schedule import Place, Schedule
from checks.verdicts import Broken, Inconclusive, Vulnerable

_HINT = (
    "Numbers and times are taken before the commit, and transactions commit in another order. Mark"
    " each event that was published, and no other, and look for those without a mark; or go no"
    " further than the oldest transaction that is still under way."
)

#: Where it is charged that a change has no event.
_UNTOLD = ("resilience/a_change_and_its_event_are_one",)

#: Runs of a request alone, of which the last two must have committed at the same steps.
_WARM_UP = 6

#: Events that nobody is sent: further than the last few is what some look back. And at a time.
_CROWD, _AT_ONCE = 120, 8

#: Seconds within which an event is listed whose transaction has been let go; and a pause.
_PROMPT, _PAUSE = 5.0, 0.05


@dataclass(frozen=True, slots=True)
class Others:
    """Changes of the same merchant's by another replica, on accounts of their own."""

    merchant: Merchant
    shop: Shop
    source: Account
    target: Account

    @classmethod
    async def open(cls, merchant: Merchant, testbed: Testbed) -> Others:
        """With a server that is told of transfers and of captured payments, and of nothing else."""
        shop = await Shop.open(merchant, testbed, ["transfer.created", "payment.captured"])
        source, target = await merchant.funded(), await merchant.open_account()
        return cls(merchant.on(testbed.replicas[-1]), shop, source, target)

    @property
    def testbed(self) -> Testbed:
        """Where all of this is."""
        return self.shop.testbed

    async def one_is_made(self) -> Event:
        """The event of a new transfer."""
        amount = self.merchant.fresh.money(100, 900)
        made = await self.merchant.transfer(self.source, self.target, amount)
        return await only_event(self.merchant, made.id)

    async def one_is_sent(self) -> Event:
        """The same, when it was sent."""
        event = await self.one_is_made()
        await self.shop.taken(event)
        current()[1].step("worker", f"has sent {event.type} of {event.about}")
        return event

    async def one_is_sent_after_many(self, until: float) -> Event:
        """The same, after many that nobody is sent: as many as there is time for, by the loop's."""
        made = sum(await all_of(self._deposits(until) for _ in range(_AT_ONCE)))
        current()[1].step("others", f"have made {made} events that nobody is sent")
        return await self.one_is_sent()

    async def _deposits(self, until: float) -> int:
        made, replica = 0, self.testbed.replicas[-1]
        while made < _CROWD // _AT_ONCE and asyncio.get_running_loop().time() < until:
            amount, key = self.merchant.fresh.money(100, 900), self.merchant.fresh.key()
            body = {"account": self.target.id, "amount": amount.json()}
            send = posting(self.merchant.platform.client, "/v1/deposits", body, key)
            # How one in a crowd is answered is other checks' matter.
            made += (await carried_out(partial(send, replica))).ok
        return made


async def commit_of(kind: Kind, others: Others) -> Place:
    """The step by which a request of a kind commits its event: the last without which it is unseen.

    Raises ``Inconclusive`` where there is none at which it can be held.
    """
    for place in reversed(await _commits(kind, others)):
        asked = await Asked.of(kind, others.merchant)
        with probe(f"{kind.name}: whether the event is seen before a commit", keep=False):
            async with pinned(others.testbed, asked.send, place):
                told = await asked.told()
        if not told:
            return place
    raise Inconclusive(f"The event of {kind.name} was seen before anything had committed.")


async def _commits(kind: Kind, others: Others) -> tuple[Place, ...]:
    """The steps at which a request of a kind commits, when they are the same twice."""
    before: tuple[Place, ...] = ()
    with probe(f"{kind.name}: undisturbed") as attempt:
        for _ in range(_WARM_UP):
            asked = await Asked.of(kind, others.merchant)
            run = await interleave(others.testbed, Schedule(), [asked.send], replicas=[HOME])
            if run.course.stuck:
                raise Inconclusive(run.course.stuck)
            run.answers[0].expect(201)
            steps = [step for step in run.course.steps if step.commits and step.point]
            places = tuple(step.place for step in steps if step.place is not None)
            if places == before:
                break
            before = places
        record(run.course, attempt)
    if not places:
        raise Inconclusive(f"A request for {kind.name} was not seen to commit anything.")
    return places


async def expect_sent(object_id: str, kind: Kind, others: Others) -> None:
    """The event of an object that has just come to what is told of is sent.

    It was left out if one that is made later is sent, and it is not.
    """
    event = await _event_of(object_id, kind, others)
    what = f"{event.type} of {event.about}"
    if await others.shop.comes(event):
        current()[1].step("worker", f"has sent {what}")
        return
    later = await others.one_is_sent()
    if any(call.id == event.id for call in await others.shop.calls()):
        return
    current()[1].step("worker", f"has not sent {what}", moment=True)
    raise Vulnerable(
        f"{what} committed while later ones were published. It is listed, and was not sent within"
        f" {SETTLED:g} s; {later.type} of {later.about}, made after that, was.",
        _HINT,
    )


async def _event_of(object_id: str, kind: Kind, others: Others) -> Event:
    deadline = asyncio.get_running_loop().time() + _PROMPT
    while True:
        for _, event in await events_of(others.merchant, object_id):
            if event.type == kind.event:
                return event
        if asyncio.get_running_loop().time() > deadline:
            raise Broken(f"No event {kind.event} tells of {object_id}.", unless=_UNTOLD)
        await asyncio.sleep(_PAUSE)
