"""consumer-no-dedupe: news of the bank's that comes twice at the same moment (CWE-837, CWE-362)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from checks import contract
from checks.attachment import Testbed
from checks.client import Answer
from checks.concurrency.lost_races import CHARGED
from checks.contest import Contest, View, reading
from checks.idempotency.news import HINT
from checks.interleaving import Send
from checks.judging import Judge
from checks.lining_up import contend
from checks.notices import bank_notice, bring
from checks.outgoing import Outgoing, Standing
from checks.payouts import Desk
from checks.registry import check
from checks.settings import PATIENT_CLAIMS
from checks.tenants import Merchant, Platform
from checks.verdicts import Broken, Vulnerable

_NEEDS = (*contract.payouts, *contract.events, "contract/an_approved_payout_is_paid")


@check(
    "consumer-no-dedupe",
    needs=_NEEDS,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    long=True,
    competencies=("distributed.idempotency", "db.locking"),
)
async def a_notice_that_comes_twice_at_once_is_taken_once(
    alice: Merchant, platform: Platform, testbed: Testbed
) -> None:
    """A notice that two replicas are brought at once lets go of a payout's hold once."""
    desk = await Desk.open(alice, testbed)

    async def prepare(count: int) -> Contest:
        failed = await _Failed.made(desk, platform)
        return failed.contest([failed.notice() for _ in range(count)], alike=True)

    await contend(testbed, prepare, "notice", Judge(HINT, CHARGED))


@check(
    "consumer-no-dedupe",
    needs=_NEEDS,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    long=True,
    competencies=("distributed.idempotency", "db.locking"),
)
async def a_notice_beside_a_look_up_is_taken_once(
    alice: Merchant, platform: Platform, testbed: Testbed
) -> None:
    """A notice and a look-up at once, which tell the same, let go of a payout's hold once."""
    desk = await Desk.open(alice, testbed)

    async def prepare(count: int) -> Contest:
        failed = await _Failed.made(desk, platform)
        ways = (failed.notice, failed.sync)
        return failed.contest([ways[number % 2]() for number in range(count)])

    await contend(testbed, prepare, "notice or look-up", Judge(HINT, CHARGED))


@check(
    "consumer-no-dedupe",
    needs=_NEEDS,
    exclusive=True,
    settings=PATIENT_CLAIMS,
    long=True,
    competencies=("distributed.idempotency", "db.locking"),
)
async def a_notice_beside_an_older_one_is_not_undone(
    alice: Merchant, platform: Platform, testbed: Testbed
) -> None:
    """That a payout failed stands, whatever older news comes at the same moment."""
    desk = await Desk.open(alice, testbed)

    async def prepare(count: int) -> Contest:
        failed = await _Failed.made(desk, platform, withheld="drop")
        ways = (failed.notice, failed.older)
        return failed.contest([ways[number % 2]() for number in range(count)])

    await contend(testbed, prepare, "notice", Judge(HINT, CHARGED))


@dataclass(frozen=True, slots=True)
class _Failed:
    """A payout that the bank could not pay, which nobody has told the service ``before``.

    ``told`` says so, and ``outrun`` that the bank has taken it on.
    """

    out: Outgoing
    platform: Platform
    told: bytes
    outrun: bytes
    before: Standing

    @classmethod
    async def made(cls, desk: Desk, platform: Platform, **how: str) -> _Failed:
        """One that the bank took on, behaving so."""
        out, fresh = await Outgoing.approved(desk, **how), desk.merchant.fresh
        await out.brought_to("unknown" if how else "submitted")
        await desk.testbed.bank.conduct(out.payee)
        payment = await out.become("failed", "account closed")
        told = bank_notice(payment, fresh)
        outrun = bank_notice({**payment, "status": "accepted", "reason": None}, fresh)
        return cls(out, platform, told, outrun, await out.standing())

    def notice(self) -> Send:
        """The bank gives notice of it."""
        return self._bring(self.told)

    def older(self) -> Send:
        """The bank gives notice that it has taken it on."""
        return self._bring(self.outrun)

    def _bring(self, notice: bytes) -> Send:
        async def send(replica: int) -> Answer:
            return await bring("bank", notice, self.out.desk.testbed, self.platform, replica)

        return send

    def sync(self) -> Send:
        """The bank is asked; how far that shows the payout does not matter, others are at it."""
        owner, path = self.out.desk.merchant.owner, f"{self.out.payout.url}/sync"

        async def send(replica: int) -> Answer:
            answer = await owner.post(path, {}, replica=replica)
            return replace(answer, content=b"{}") if answer.ok else answer

        return send

    def contest(self, requests: Sequence[Send], *, alike: bool = False) -> Contest:
        """These at once."""
        read = reading(self.out.desk.merchant, self.out.account)
        return Contest(requests, self._view, self._verify, self._agree, read, alike=alike)

    async def _view(self) -> View:
        now = await self.out.standing()
        return {
            "status": now.status,
            "let go": (self.before.held - now.held) / self.out.amount,
            "posted": now.posted - self.before.posted,
            "entries": now.moved.total(),
            "told": list(now.told),
        }

    def _verify(self, answers: Sequence[Answer], shown: View) -> None:
        let_go, told = shown["let go"], shown["told"].count("payout.failed")
        if let_go > 1 or told > 1:
            raise Vulnerable(
                f"That a payout of {self.out.payout.amount.money} failed was told {len(answers)}"
                f" times: {let_go:g} times its amount was let go, and the merchant was told {told}"
                " times.",
                HINT,
            )
        for answer in answers:
            answer.expect(200, 204)
        if shown["status"] == "failed":
            return
        said = f"{answers[0]}: a payout that failed is {shown['status']}"
        if let_go:
            raise Vulnerable(f"{said}, and its amount was let go: it will be once more.", HINT)
        raise Broken(f"{said}.")

    async def _agree(self, _: Sequence[Answer]) -> None:
        """What else is held is another check's matter."""
