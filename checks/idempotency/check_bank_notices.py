"""consumer-no-dedupe: news of the bank's that comes again takes effect again (CWE-837)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from checks import contract
from checks.attachment import Testbed
from checks.client import Answer
from checks.gathering import all_of
from checks.idempotency.news import HINT
from checks.losers import carried_out
from checks.notices import bank_notice, bring
from checks.outgoing import Outgoing, Standing
from checks.payouts import Desk
from checks.probes import Attempt, probe
from checks.registry import check
from checks.tenants import Merchant, Platform
from checks.testbed.bank import Status
from checks.verdicts import Broken, Vulnerable

#: The account closed where the bank could not pay, or had to take it back.
_WHY = {"failed": "account closed", "returned": "account closed", "rejected": "closed_account"}


@dataclass(frozen=True, slots=True)
class _News:
    """What the bank tells of a payout, and who brings it first; ``after`` that it was so far.

    ``older`` is what it has outrun. The rest is told by notices, again and again.
    """

    status: Literal["rejected", "failed", "paid", "returned"]
    first: Literal["reply", "notice", "question"]
    after: str
    older: tuple[Status, ...] = ("accepted",)

    @property
    def reply(self) -> dict[str, Any]:
        """How the bank answers the order."""
        at_once = self.status if self.first == "reply" else self.after
        return {"answers": {"submitted": "accepted"}.get(at_once, at_once)}

    def __str__(self) -> str:
        return f"that a payout was {self.status}, known by a {self.first}"


_ALL = (
    _News("failed", "notice", "submitted"),
    _News("failed", "question", "submitted"),
    _News("paid", "notice", "submitted"),
    _News("paid", "reply", "paid"),
    _News("returned", "notice", "paid", ("accepted", "paid")),
    _News("returned", "question", "paid", ("accepted", "paid")),
    _News("rejected", "reply", "rejected", ()),
)


@check(
    "consumer-no-dedupe",
    needs=(
        *contract.payouts,
        *contract.events,
        "contract/an_approved_payout_is_paid",
        "contract/a_payout_that_comes_to_nothing_says_why",
    ),
    competencies=("distributed.idempotency", "money.ledger", "distributed.sagas"),
)
async def news_of_the_bank_takes_effect_once(
    alice: Merchant, platform: Platform, testbed: Testbed
) -> None:
    """What the bank tells again, in whatever form and to whichever replica, changes nothing."""
    desk = await Desk.open(alice, testbed)
    await all_of([_told_again(desk, platform, news) for news in _ALL])


async def _told_again(desk: Desk, platform: Platform, news: _News) -> None:
    with probe(f"the bank's news {news}") as attempt:
        out = await Outgoing.approved(desk, **news.reply)
        await out.reached(news.after)
        payment = await out.become(news.status, _WHY.get(news.status))
        notice = bank_notice(payment, desk.merchant.fresh)
        bearer = _Bearer(out, platform, news, payment, notice)
        if not await bearer.first(attempt):
            return
        before = await out.settled(bearer.done)
    refused = ""
    for form, told in bearer.forms():
        with probe(f"the same, {form}"):
            for replica in desk.testbed.replicas:
                for notice in told:
                    answer = await bearer.bring(notice, replica)
                    await bearer.unchanged(before, form, answer)
                    refused = refused or _refused(answer, form)
    with probe("the bank is asked, and tells the same"):
        answer = await out.sync()
        await bearer.unchanged(before, "by a look-up", answer)
        if news.status == "paid":
            answer.expect(200)
    now = (await out.standing()).status
    if now != before.status:
        raise Broken(f"A payout was {before.status}, and by older news {news} it is {now}.", HINT)
    if refused:
        raise Broken(refused, HINT)


def _refused(answer: Answer, form: str) -> str:
    """What is wrong with the answer to news that is known (contract 12.16), if anything is."""
    return "" if answer.status == 204 else f"{answer} to news that is known, {form}; it is 204."


@dataclass(frozen=True, slots=True)
class _Bearer:
    """Who brings news of a payout: ``payment`` is what the bank says of it, and ``notice`` how."""

    out: Outgoing
    platform: Platform
    news: _News
    payment: Mapping[str, Any]
    notice: bytes

    async def first(self, attempt: Attempt) -> bool:
        """Have the service learn it; false where it does not, which is another check's matter."""
        if self.news.first == "notice":
            (await self.bring(self.notice, 0)).expect(204)
        elif self.news.first == "question":
            (await self.out.sync()).expect(200)
        if self.news.status != "returned":
            await self.out.reached(self.news.status)
            return True
        if (now := (await self.out.standing()).status) != "returned":
            attempt.note(f"A payout that came back is {now}: another check's matter.")
            return False
        return True

    def done(self, now: Standing) -> bool:
        """Whether all that the news brings about is done, where no other check has to say so."""
        steps = ["payout", "payout_return"][: {"paid": 1, "returned": 2}.get(self.news.status, 0)]
        kinds = sorted(kind for kind, _ in now.moved.elements())
        told = f"payout.{self.news.status}" in now.told
        return told and now.held == self.out.waits and kinds == steps

    def forms(self) -> list[tuple[str, Sequence[bytes]]]:
        """Notices of what is known, each to be brought to every replica in turn."""
        members = json.loads(self.notice)
        turned = dict(reversed([*members["payment"].items()]))
        otherwise = json.dumps({"payment": turned, "id": members["id"]}, indent=1).encode()
        another = self._notice(self.payment)
        found: list[tuple[str, Sequence[bytes]]] = [
            ("byte by byte", [self.notice, self.notice]),
            ("under another id", [another]),
            ("in other bytes", [otherwise]),
        ]
        older = [
            self._notice({**self.payment, "status": status, "reason": None})
            for status in self.news.older
        ]
        if older:
            found.append(("after older news", [*older, self.notice, self._notice(self.payment)]))
            found.append(("after older news was repeated", [*older, another]))
        return found

    def _notice(self, payment: Mapping[str, Any]) -> bytes:
        return bank_notice(payment, self.out.desk.merchant.fresh)

    async def bring(self, notice: bytes, replica: int) -> Answer:
        """Bring a notice until it is taken."""
        testbed, platform = self.out.desk.testbed, self.platform
        return await carried_out(partial(bring, "bank", notice, testbed, platform, replica))

    async def unchanged(self, before: Standing, form: str, answer: Answer) -> None:
        """Nothing has moved, and nobody was told anything."""
        now = await self.out.standing()
        said = f"{answer}: the bank told {self.news}, and told it again ({form})"
        if (now.posted, now.held, now.moved) != (before.posted, before.held, before.moved):
            raise Vulnerable(
                f"{said}. By that the account shows {now}, and no more {before} (minor units).",
                HINT,
            )
        if now.told != before.told:
            more = ", ".join(now.told[len(before.told) :])
            raise Vulnerable(f"{said}, and the merchant was told again: {more}.", HINT)
