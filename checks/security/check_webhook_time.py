"""psp-webhook-replay: notices are believed however old their signature is (CWE-294)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from itertools import permutations

from checks import contract
from checks.attachment import Testbed
from checks.client import Answer
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.losers import carried_out
from checks.news import News, lift, run_out, untold
from checks.notices import signature
from checks.probes import probe
from checks.registry import check
from checks.resilience.cases import Till
from checks.shapes import Payment
from checks.tenants import Merchant
from checks.verdicts import Broken, NotReached, Vulnerable

_HINT = (
    "Read one time from the header, and use it for both: it is part of what the MAC is computed"
    " over, and it may differ from now by WEBHOOK_TOLERANCE_SECONDS at most, in either direction."
    " Whatever has another time is refused before anything of it is used."
)

#: The default of WEBHOOK_TOLERANCE_SECONDS (contract 15.2), and how far beyond it, or within it, a
#: time is: more than a busy machine takes for a request. In seconds, as all that follows.
_TOLERANCE, _CLEAR = 300, 60

_HOUR, _DAY = 3_600, 86_400

#: Times too far from now, by what they are. Whole days ago are now, by the clock on the wall.
_TOO_FAR = {
    "signed a minute too long ago": (-_TOLERANCE - _CLEAR,),
    "signed hours ago": (-_HOUR, -12 * _HOUR),
    "signed days ago, to the second": (-_DAY, -7 * _DAY, -30 * _DAY, -365 * _DAY),
    "signed for a minute too far ahead": (_TOLERANCE + _CLEAR,),
    "signed for hours or years ahead": (_HOUR, _DAY, 3_650 * _DAY),
}

#: Times that are near enough, and nearly are not.
_NEAR = (-_TOLERANCE + _CLEAR, _TOLERANCE - _CLEAR)

_ZEROS = "0" * 64

#: Where it is charged that a notice is believed without a signature.
_SIGNED = "security/a_notice_is_believed_for_its_signature"

#: What a notice may tell the end of; declines of captures and voids show nowhere.
_ENDS = (
    ("sale", False),
    ("sale", True),
    ("authorisation", False),
    ("authorisation", True),
    ("capture", False),
    ("void", False),
    ("refund", False),
    ("refund", True),
)

#: Headers beside the content's.
_Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A notice that somebody has kept with the PSP's own signatures of it."""

    news: News
    notice: bytes
    testbed: Testbed

    @classmethod
    def of(cls, news: News, testbed: Testbed) -> _Kept:
        """The one notice of it."""
        return cls(news, news.notice(), testbed)

    def mac(self, at: int) -> str:
        """As the PSP signed it at a time."""
        return signature(self.testbed.lease.psp_secret, self.notice, str(at))

    def far(self, now: int) -> dict[str, list[_Headers]]:
        """All that is to be refused, by what it is."""
        found: dict[str, list[_Headers]] = {
            title: [_one(f"t={now + by},v1={self.mac(now + by)}") for by in times]
            for title, times in _TOO_FAR.items()
        }
        for when, by in (("minutes", -_TOLERANCE - _CLEAR), ("two days", -2 * _DAY)):
            at = now + by
            found[f"signed {when} too long ago, with a new time beside it"] = [
                _one(line) for line in self._renewed(at, now)
            ]
            found[f"signed {when} too long ago, with a new time in another header"] = [
                {**_one(f"t={at},v1={self.mac(at)}"), **other} for other in _elsewhere(now)
            ]
            found[f"signed {when} too long ago, with a new time in a second signature"] = (
                self._in_two(at, now)
            )
        return found

    def _renewed(self, at: int, now: int) -> list[str]:
        """A line with the time that was signed, the MAC, and a new time, in each order."""
        old, mac, new = f"t={at}", f"v1={self.mac(at)}", f"t={now}"
        lines = [",".join(parts) for parts in permutations((old, mac, new))]
        signed = f"{old},{mac}"
        lines += [f"{signed},{new},v1={_ZEROS}", f"{new},v1={_ZEROS},{signed}"]
        return [*lines, f"{signed},T={now}", f"T={now},{signed}", f"{old},{new},{new},{mac}"]

    def _in_two(self, at: int, now: int) -> list[_Headers]:
        """The same in two headers: names differ in their case, which means nothing to HTTP."""
        signed, empty = f"t={at},v1={self.mac(at)}", f"t={now},v1={_ZEROS}"
        pairs = ((signed, empty), (empty, signed), (signed, f"t={now}"), (f"t={now}", signed))
        return [
            {"Webhook-Signature": first, "webhook-signature": second} for first, second in pairs
        ]

    def near(self, now: int) -> list[_Headers]:
        """Ways to be signed that have to be taken (contract 15.1, 15.2)."""
        mac = self.mac(now)
        lines = [f"t={now + by},v1={self.mac(now + by)}" for by in _NEAR]
        lines += [f"t={now},v1={mac.upper()}"]
        lines += [f"t={now},v1={_ZEROS},v1={mac}", f"t={now},v1={mac},v1={_ZEROS}"]
        return [_one(line) for line in lines]

    async def send(self, headers: _Headers, replica: int | None = None) -> Answer:
        """Bring it."""
        anonymous = self.news.asked.till.merchant.platform.anonymous
        return await anonymous.post(
            "/v1/webhooks/psp", content=self.notice, headers=headers, replica=replica
        )


@check(
    "psp-webhook-replay",
    needs=(
        *contract.payments,
        *contract.voids,
        *contract.refunds,
        "contract/a_notice_settles_a_payment",
        "contract/an_authorisation_that_has_run_out_is_not_captured",
    ),
    competencies=("security.authentication", "resilience.outside-calls"),
)
async def a_notice_is_believed_near_its_time(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """A notice that was signed long ago, or for later, settles no payment, and ends none."""
    till = await Till.open(alice, testbed.psp, fresh)
    asked = await till.ask(kind for kind, _ in _ENDS)
    left = await all_of(
        (untold(one, declined=declined) for one, (_, declined) in zip(asked, _ENDS, strict=True)),
        at_once=8,
    )
    kept = [_Kept.of(news, testbed) for news in (*left, await run_out(till))]
    try:
        unsigned = [one for one in kept if await _unsigned(one)]
        await all_of((_refused(one) for one in kept if one not in unsigned), at_once=4)
        if unsigned:
            said = ", ".join(str(one.news) for one in unsigned)
            raise NotReached(f"Notices are believed that the PSP has not signed: {said}.", _SIGNED)
        for number, one in enumerate(kept):
            await _taken(one, number)
    finally:
        await lift(one.news for one in kept)


async def _unsigned(kept: _Kept) -> bool:
    """Whether the notice settles anything without the PSP's signature, whatever its time is."""
    news, at = kept.news, int(time.time())
    with probe(f"a notice that says {news}, without the PSP's signature"):
        for line in (f"t={at},v1={_ZEROS}", f"t={at},t={at},v1={_ZEROS}"):
            await kept.send(_one(line))
        now = await news.asked.till.merchant.payment(news.payment)
        return _facts(now) != _facts(news.payment)


async def _refused(kept: _Kept) -> None:
    """The payment is as it was, whatever time the notice was signed at or comes with."""
    news = kept.news
    merchant, before = news.asked.till.merchant, _facts(news.payment)
    for title, ways in kept.far(int(time.time())).items():
        with probe(f"a notice that says {news}, {title}"):
            answers = [
                await kept.send(headers, replica)
                for headers in ways
                for replica in kept.testbed.replicas
            ]
            now = await merchant.payment(news.payment)
            if _facts(now) != before:
                taken = next((answer for answer in answers if answer.ok), answers[-1])
                raise Vulnerable(
                    f"{taken} to a notice that says {news}, {title}: the payment, which was"
                    f" {_in_words(news.payment)}, is {_in_words(now)}.",
                    _HINT,
                )
            for answer in answers:
                if not answer.refused:
                    raise Broken(f"{answer}, {title}; the contract asks for 401.", _HINT)


async def _taken(kept: _Kept, number: int) -> None:
    """The same notice, signed near enough to now, settles what the others have not."""
    news, ways = kept.news, kept.near(int(time.time()))
    with probe(f"a notice that says {news}, signed as it may be"):
        answer = await carried_out(partial(kept.send, ways[number % len(ways)]))
        answer.expect(204)
        now = await news.asked.till.merchant.payment(news.payment)
        if not news.taken_in(now):
            raise Broken(
                f"{answer} to a notice that says {news}, signed as it has to be and never taken"
                f" before: the payment is {_in_words(now)}."
            )


def _one(line: str) -> dict[str, str]:
    return {"Webhook-Signature": line}


def _elsewhere(now: int) -> list[dict[str, str]]:
    """Where else some say when a message was sent."""
    return [
        {"Webhook-Timestamp": str(now)},
        {"X-Webhook-Timestamp": str(now)},
        {"Date": formatdate(now, usegmt=True)},
    ]


def _facts(payment: Payment) -> tuple[object, ...]:
    """What a notice would change of it; whether a refund is pending or unknown is nothing."""
    ended = [one for one in payment.refunds if one.status in {"succeeded", "failed"}]
    return payment.status, payment.captured, payment.refunded, ended


def _in_words(payment: Payment) -> str:
    refunds = "".join(f", its refund {one.status}" for one in payment.refunds)
    return f"{payment.status}{refunds}"
