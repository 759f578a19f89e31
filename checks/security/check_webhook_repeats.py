"""psp-webhook-replay: news that is brought again takes effect again (CWE-294)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from checks import contract
from checks.attachment import Testbed
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.losers import carried_out
from checks.news import News, Shown, lift, run_out, told, untold
from checks.notices import post_notice, signature
from checks.probes import probe
from checks.registry import check
from checks.resilience.cases import KINDS, Asked, Till
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Let the operation's own state decide, under a lock or by a guarded UPDATE: what has ended ends"
    " no second time, whoever tells it and under whatever id. That a notice was seen says nothing"
    " of what a reply, a look-up or another notice has done."
)

#: Seconds before now that a notice is signed again with: another signature, and near enough.
_EARLIER = 7


@dataclass(frozen=True, slots=True)
class _Told:
    """News that the service has taken in: by the notice that is brought again, or by a reply.

    ``header`` is the signature that the notice came with, ``by`` says what told it.
    """

    news: News
    testbed: Testbed
    notice: bytes
    header: str
    by: str

    def again(self) -> Iterator[tuple[str, bytes, str]]:
        """Ways to bring it again: what they are, the notice, and its signature."""
        now = int(time.time())
        other = self.news.notice()
        written = json.dumps(_turned(json.loads(self.notice)), indent=1).encode()
        yield "the very notice", self.notice, self.header
        yield (
            "the notice with another signature",
            self.notice,
            self._sign(self.notice, now - _EARLIER),
        )
        yield "the notice, written otherwise", written, self._sign(written, now)
        yield "the same news in another notice", other, self._sign(other, now)

    def _sign(self, notice: bytes, at: int) -> str:
        return _signed(self.testbed, notice, at)


@check(
    "psp-webhook-replay",
    needs=(
        *contract.payments,
        *contract.voids,
        *contract.refunds,
        *contract.declines,
        *contract.events,
        "contract/a_notice_settles_a_payment",
        "contract/an_authorisation_that_has_run_out_is_not_captured",
    ),
    competencies=("distributed.idempotency", "resilience.outside-calls"),
)
async def what_is_told_again_changes_nothing(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """Each piece of the PSP's news takes effect once, however often and by whomever it is told."""
    till = await Till.open(alice, testbed.psp, fresh)
    # Something else is held: what is released a second time is taken from it, and shows.
    held = await untold(await _large_refund(till), declined=False)
    ends = [(kind, declined) for kind in KINDS for declined in (False, True)]
    asked = await till.ask([kind for kind, _ in ends] * 2)
    by_notice = await all_of(
        (
            untold(one, declined=declined)
            for one, (_, declined) in zip(asked[: len(ends)], ends, strict=True)
        ),
        at_once=8,
    )
    by_reply = await all_of(
        (
            told(one, declined=declined)
            for one, (_, declined) in zip(asked[len(ends) :], ends, strict=True)
        ),
        at_once=8,
    )
    try:
        taken = [await _by_its_notice(news, testbed) for news in (*by_notice, await run_out(till))]
        taken += [_by_the_reply(news, testbed) for news in by_reply]
        await all_of((_nothing_again(one) for one in taken), at_once=1)
    finally:
        await lift((held, *by_notice))


async def _large_refund(till: Till) -> Asked:
    """A refund, ready to be sent, of more than any other here."""
    amount, card = till.fresh.money(91_000, 99_000), till.fresh.card()
    payment = await till.merchant.pay(amount, till.account, card=card)
    path, body = f"{payment.url}/refunds", {"amount": amount.json()}
    return Asked(till, "refund", card, amount, path, body, till.fresh.key(), payment.id)


async def _by_its_notice(news: News, testbed: Testbed) -> _Told:
    """Bring the first notice of it, which takes effect."""
    notice = news.notice()
    header = _signed(testbed, notice, int(time.time()))
    platform = news.asked.till.merchant.platform
    send = partial(post_notice, "psp", notice, header, platform)
    (await carried_out(send)).expect(204)
    return _Told(news, testbed, notice, header, "its notice")


def _by_the_reply(news: News, testbed: Testbed) -> _Told:
    """Its first notice is yet to come, and tells nothing new."""
    notice = news.notice()
    header = _signed(testbed, notice, int(time.time()))
    return _Told(news, testbed, notice, header, "the reply")


async def _nothing_again(one: _Told) -> None:
    """Nothing that the merchant can see is otherwise when it is brought again."""
    till, news = one.news.asked.till, one.news
    before = await Shown.of(till, news.payment)
    for title, notice, header in one.again():
        with probe(f"{news}, told by {one.by}, and again: {title}"):
            answers = [
                await post_notice("psp", notice, header, till.merchant.platform, replica)
                for replica in one.testbed.replicas
            ]
            changes = before.changed_to(await Shown.of(till, news.payment))
            if changes:
                raise Vulnerable(
                    f"{answers[0]} to {title}: {news} was told by {one.by} before, and now"
                    f" {changes}.",
                    _HINT,
                )
            for answer in answers:
                if answer.status != 204:
                    raise Broken(
                        f"{answer} to {title}, which says what {one.by} has told; the contract"
                        " asks for 204.",
                        _HINT,
                    )


def _signed(testbed: Testbed, notice: bytes, at: int) -> str:
    return f"t={at},v1={signature(testbed.lease.psp_secret, notice, str(at))}"


def _turned(notice: dict[str, object]) -> dict[str, object]:
    """The same members in another order."""
    return dict(reversed(notice.items()))
