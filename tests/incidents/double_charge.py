"""Records the incident of the exercise ``double-charge``: a bad morning of its own starter.

python -m tests.incidents.double_charge

A shop takes payments, captures what it sends off and refunds what comes back, while a replica is
killed, a job runs beside a scanner and the PSP leaves refunds unanswered. What the parties wrote
down is put where the kit takes it from.
"""

import asyncio
import csv
import io
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path

from checks.amounts import Money
from checks.attachment import Testbed
from checks.client import Answer
from checks.evidence import JournalEntry
from checks.fresh import Fresh
from checks.interleaving import Send, interleave
from checks.processor import effects
from checks.registry import Declaration
from checks.shapes import Account, Entry, Payment
from checks.tenants import Merchant, payment_body
from checks.testbed.driving.schedule import Place, Schedule, Switch
from checks.testbed.testbed import Host
from exercises import places
from exercises.bank import load_bank
from exercises.exercise import ENCLOSED, load_exercise
from harness.loop import run
from tests.benchmarks.variants import apart, prepared, started

HOME = places.EXERCISES / "double-charge" / ENCLOSED

#: As in production, but that one order's trouble is not to keep others from the PSP.
MORNING = Declaration(
    "incidents/double_charge",
    "incidents",
    None,
    "",
    settings={"BREAKER_FAILURES": "1000"},
    exclusive=True,
)

#: Orders, by what befalls them; all others are sent off and paid for as they should be.
ORDERS = range(4101, 4125)
KILLED = (4107, 4118)
SENT_OFF = (4102,)
SENT_OFF_TWICE = (4103, 4111, 4120)
REFUNDED = (4105, 4112, 4122)
REFUNDED_TWICE = (4105, 4122)

#: Seconds after which a retry is made, and within which what was asked of the PSP arrives there.
LATER, WAIT = 2.5, 10.0

#: The systems that ask for captures, and what a capture is begun with.
RAMP, OVERDUE, BEGINS = "ramp-scanner", "overdue-job", "INSERT INTO operations"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as the shop's own systems wrote it down."""

    at: str
    order: int
    system: str
    request: str
    idempotency_key: str
    status: int | str
    code: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the PSP's own list."""

    at: str
    type: str
    card: str
    amount: str
    currency: str
    reference: str


@dataclass(frozen=True, slots=True)
class Posted:
    """A line of the ledger's extract."""

    at: str
    transaction: str
    kind: str
    reference: str
    amount: str
    currency: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A payment as the API shows it that noon."""

    id: str
    order: str
    status: str
    amount: int
    captured: int
    refunded: int
    refunds: str


@dataclass
class Shop:
    """The shop, and what it wrote down."""

    merchant: Merchant
    account: Account
    testbed: Testbed
    fresh: Fresh
    sent: list[Sent] = field(default_factory=list)
    cards: dict[int, str] = field(default_factory=dict)
    payments: dict[int, str] = field(default_factory=dict)
    logs: dict[str, dict[str, None]] = field(default_factory=dict)
    begun: Place | None = None

    async def pay(self, order: int, system: str = "checkout") -> None:
        """Take a sale, or an authorisation for what is sent off later."""
        card = self.cards.setdefault(order, self.fresh.card())
        amount = self.fresh.money(1_500, 9_000)
        capture = order not in SENT_OFF + SENT_OFF_TWICE
        body = payment_body(self.account, amount, card, capture=capture)
        body["reference"] = f"order-{order}"
        key = f"order-{order}"
        if order in KILLED:
            await self._killed(order, body, key)
        answer = await self._post((order, system), "/v1/payments", body, key)
        self.payments[order] = str(answer.expect(201).members["id"])

    async def _killed(self, order: int, body: object, key: str) -> None:
        """The first attempt meets a replica that ends while the PSP has the charge in hand."""
        psp, card = self.testbed.psp, self.cards[order]
        fault = await psp.fault("hold", "sale", token=card, effect=True)
        path = "/v1/payments"
        first = asyncio.create_task(self._post((order, "checkout"), path, body, key, replica=0))
        await psp.wait(card, 1, WAIT)
        await self.keep_logs()
        await self.testbed.kill(0)
        await first
        await psp.lift(fault)
        await self.testbed.start(0)
        await asyncio.sleep(LATER)

    async def keep_logs(self) -> None:
        """Keep what every process has printed: one that is killed takes it along."""
        for tail in await self.testbed.control.logs(self.testbed.lease):
            if tail.text:
                lines = self.logs.setdefault(f"{tail.source.replace(' ', '-')}.log", {})
                lines.update(dict.fromkeys(tail.text.splitlines()))

    async def send_off(self, order: int) -> None:
        """The scanner at the ramp asks for the capture, and nobody else does."""
        run = await interleave(self.testbed, Schedule(), [self._capture(order, RAMP)])
        begun = next(step.place for step in run.course.steps if BEGINS in step.text)
        assert begun is not None
        self.begun = begun

    async def send_off_twice(self, order: int) -> None:
        """The job asks for it too, when the scanner's request has looked and not written."""
        assert self.begun is not None
        schedule = Schedule(switches=(Switch(before=self.begun, to=1),))
        await interleave(
            self.testbed, schedule, [self._capture(order, RAMP), self._capture(order, OVERDUE)]
        )

    def _capture(self, order: int, system: str) -> Send:
        path = f"/v1/payments/{self.payments[order]}/capture"

        async def send(replica: int) -> Answer:
            key = f"{system}-{order}"
            return await self._post((order, system), path, {}, key, replica=replica)

        return send

    async def refund(self, order: int) -> None:
        """A customer is given most of it back; for some the PSP's answers are lost."""
        path = f"/v1/payments/{self.payments[order]}"
        captured = (await self.merchant.get(path)).members["captured"]
        assert isinstance(captured, dict)
        part = Money(int(captured["amount"]) * 4 // 5, "GBP")
        body, psp = {"amount": part.json()}, self.testbed.psp
        twice, card = order in REFUNDED_TWICE, self.cards[order]
        if twice:
            await psp.fault("drop_after", "refund", "lookup", token=card)
        for click in range(1 + twice):
            key = f"desk-{order}-{click + 1}"
            await self._post((order, "support-desk"), f"{path}/refunds", body, key)
        if twice:
            await psp.lift()
            await self._post((order, "support-desk"), f"{path}/sync", {}, "")

    async def _post(
        self, who: tuple[int, str], path: str, body: object, key: str, *, replica: int | None = None
    ) -> Answer:
        """Send what a system of the shop's asks for about an order, and write it down."""
        order, system = who
        at = stamp(time.time())
        answer = await self.merchant.post(path, body, key=key or None, replica=replica)
        status = answer.status if answer.status is not None else "no answer"
        request_id = answer.headers.get("X-Request-Id", "")
        code = answer.code or ""
        self.sent.append(Sent(at, order, system, f"POST {path}", key, status, code, request_id))
        return answer


async def morning(shop: Shop) -> None:
    """What happens between nine and noon."""
    for order in ORDERS:
        await shop.pay(order)
        if order in SENT_OFF:
            await shop.send_off(order)
        if order in SENT_OFF_TWICE:
            await shop.send_off_twice(order)
    for order in REFUNDED:
        await shop.refund(order)


async def record(testbed: Testbed) -> dict[str, str]:
    """The files of the incident, by their names."""
    found: dict[str, str] = {}

    async def body(alice: Merchant, fresh: Fresh) -> None:
        account = await alice.funded(Money(50_000, "GBP"))
        shop = Shop(alice, account, testbed, fresh)
        await morning(shop)
        await testbed.psp.lift()
        journals = {card: await testbed.psp.journal(card) for card in shop.cards.values()}
        entries = await alice.entries(account)
        found["requests.csv"] = table(Sent, sorted(shop.sent, key=attrgetter("at")))
        found["processor.csv"] = table(Listed, listed(journals))
        found["ledger.csv"] = table(Posted, posted(entries))
        found["payments.csv"] = table(Shown, await shown(alice))
        await shop.keep_logs()
        found.update(
            {name: "".join(f"{line}\n" for line in lines) for name, lines in shop.logs.items()}
        )

    await apart(testbed, body)
    return found


def listed(journals: Mapping[str, Sequence[JournalEntry]]) -> list[Listed]:
    """What the PSP did to each card, in order, with the references that it was told."""
    lines = []
    for card, journal in journals.items():
        for entry in journal:
            for done in effects([entry]):
                at = stamp(time.time() - (time.monotonic() - entry.at))
                reference = str(json.loads(entry.body)["reference"])
                lines.append(Listed(at, done.type, card, done.amount, done.currency, reference))
    return sorted(lines, key=attrgetter("at"))


def posted(entries: Sequence[Entry]) -> list[Posted]:
    """The entries of the shop's account, oldest first."""
    return [
        Posted(
            entry.created_at.isoformat().replace("+00:00", "Z"),
            entry.transaction,
            entry.kind,
            entry.reference,
            str(entry.amount.amount),
            entry.amount.currency,
        )
        for entry in reversed(entries)
    ]


async def shown(merchant: Merchant) -> list[Shown]:
    """All payments, oldest first."""
    listed = merchant.walk("/v1/payments")
    payments = [answer.read_value(item, Payment) async for answer, item in listed]
    return [
        Shown(
            payment.id,
            payment.reference or "",
            payment.status,
            payment.amount.amount,
            payment.captured.amount,
            payment.refunded.amount,
            " ".join(f"{refund.id}:{refund.status}" for refund in payment.refunds),
        )
        for payment in reversed(payments)
    ]


def stamp(at: float) -> str:
    """A moment (Unix seconds) as the logs write it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def table(kind: type, lines: Iterable[object]) -> str:
    """Lines as CSV (RFC 4180, with LF), under their names."""
    names = [column.name for column in fields(kind)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([getattr(line, name) for name in names] for line in lines)
    return text.getvalue()


async def main() -> None:
    exercise = load_exercise("double-charge", load_bank())
    async with (
        Host.open(trusted=True) as host,
        prepared(host, exercise.starter()) as control,
        started(control, MORNING) as testbed,
    ):
        found = await record(testbed)
    HOME.mkdir(exist_ok=True)
    for name, text in found.items():
        Path(HOME / name).write_text(text, encoding="utf-8")
        print(f"{HOME.name}/{name}: {len(text.splitlines())} lines")


if __name__ == "__main__":
    run(main())
