"""Everything that moves money in the reference, as requests that may meet on one object.

An operation prepares what it needs on a scene, and gives the request that is to meet another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from checks.amounts import Money
from checks.attachment import Testbed
from checks.client import Answer, Client
from checks.contest import Contest, View, posting, reading
from checks.fresh import Fresh
from checks.interleaving import Send
from checks.notices import Party, bank_notice, bring, psp_notice
from checks.payouts import Desk, payout_body
from checks.running import CheckRun
from checks.shapes import Account, Event, Page, Payee, Payment, Payout
from checks.tenants import Merchant, payment_body, transfer_body
from checks.testbed.bank import Status
from checks.verdicts import Vulnerable

#: Whom all payouts are for: what is shown of a run is compared with another's.
PAYEE = Payee(name="Rowan Tools", bank_account="GB12AB34")

#: What an account holds when requests meet, and what each of them takes, in pence.
HELD, TAKEN = 10_000, 6_000


@dataclass
class Scene:
    """What requests meet on: an account, and a payment or a payout of it where they need one."""

    alice: Merchant
    bob: Merchant
    desk: Desk
    account: Account
    theirs: Account
    euros: Account
    payment: Payment | None = None
    payout: Payout | None = None
    code: str = ""
    card: str = ""
    approved: bool = False
    shown: list[str] = field(default_factory=list)

    @property
    def fresh(self) -> Fresh:
        """Fresh values."""
        return self.alice.fresh

    @property
    def testbed(self) -> Testbed:
        """The testbed."""
        return self.desk.testbed

    def post(self, path: str, body: object, client: Client | None = None) -> Send:
        """A POST under a key of its own, by the owner unless somebody else is given."""
        return posting(client or self.alice.owner, path, body, self.fresh.key())

    def notice(self, party: Party, notice: bytes) -> Send:
        """A notice of the PSP's or the bank's."""

        async def send(replica: int) -> Answer:
            return await bring(party, notice, self.testbed, self.alice.platform, replica)

        return send

    async def balanced(self) -> None:
        """Have the account hold so much, whatever the operations have put there."""
        available = (await self.alice.account(self.account)).balance.available.amount
        if available < HELD:
            await self.alice.platform.deposit(self.account, Money(HELD - available, "GBP"))
        elif available > HELD:
            await self.alice.transfer(self.account, self.theirs, Money(available - HELD, "GBP"))

    async def view(self) -> View:
        """What the API shows of it all."""
        account = await self.alice.account(self.account)
        entries = sorted((e.kind, e.amount.amount) for e in await self.alice.entries(self.account))
        told = sorted([_step async for _step in self._told()])
        found: View = {"balance": account.balance.model_dump(), "entries": entries, "told": told}
        for path in self.shown:
            found[path.rpartition("/")[0]] = (await self.alice.get(path)).json
        return found

    async def _told(self) -> AsyncIterator[tuple[str, int]]:
        """What the merchant was told lately of the account, and of what is shown."""
        page = (await self.alice.get("/v1/events?limit=100")).expect(200).read(Page)
        about = (self.account.id, *(path.rpartition("/")[2] for path in self.shown))
        for event in (Event.model_validate(item) for item in page.data):
            if any(one in event.data.values() for one in about):
                yield event.type, event.sequence


Operation = Callable[[Scene], Awaitable[Send]]

TAKES = Money(TAKEN, "GBP")


async def transfer_out(scene: Scene) -> Send:
    """Money to somebody else."""
    return scene.post("/v1/transfers", transfer_body(scene.account, scene.theirs, TAKES))


async def deposit(scene: Scene) -> Send:
    """Money from the platform."""
    body = {"account": scene.account.id, "amount": TAKES.json()}
    return scene.post("/v1/deposits", body, scene.alice.platform.client)


async def conversion(scene: Scene) -> Send:
    """Money sold for another currency."""
    quote = await scene.alice.quote(scene.account, scene.euros, TAKES)
    return scene.post(f"{quote.url}/execute", {})


async def payout_made(scene: Scene) -> Send:
    """Money that is to leave."""
    body = payout_body(scene.account, TAKES, PAYEE)
    return scene.post("/v1/payouts", body)


async def sale(scene: Scene) -> Send:
    """Money from a card."""
    return scene.post("/v1/payments", payment_body(scene.account, TAKES, scene.fresh.card()))


async def capture_of_another(scene: Scene) -> Send:
    """Money from a card that was authorised before."""
    payment = await scene.alice.authorise(TAKES, scene.account)
    return scene.post(f"{payment.url}/capture", {})


async def refund_of_another(scene: Scene) -> Send:
    """Money back to a card."""
    payment = await scene.alice.pay(TAKES, scene.account)
    return scene.post(f"{payment.url}/refunds", {"amount": TAKES.json()})


async def reversal_given(scene: Scene) -> Send:
    """Money back to whom it came from."""
    made = await scene.bob.transfer(scene.theirs, scene.account, TAKES)
    return scene.post(f"{made.url}/reversal", {})


async def reversal_taken(scene: Scene) -> Send:
    """Money back from whom it went to."""
    await scene.alice.platform.deposit(scene.account, TAKES)
    made = await scene.alice.transfer(scene.account, scene.theirs, TAKES)
    return scene.post(f"{made.url}/reversal", {}, scene.bob.owner)


ON_AN_ACCOUNT: tuple[Operation, ...] = (
    transfer_out,
    deposit,
    conversion,
    payout_made,
    sale,
    capture_of_another,
    refund_of_another,
    reversal_given,
    reversal_taken,
)


async def _authorised(scene: Scene) -> Payment:
    if scene.payment is None:
        scene.card = scene.fresh.card()
        scene.payment = await scene.alice.pay(TAKES, scene.account, capture=False, card=scene.card)
        scene.shown.append(scene.payment.url)
    return scene.payment


async def _captured(scene: Scene) -> Payment:
    if scene.payment is None:
        scene.payment = await scene.alice.pay(TAKES, scene.account)
        scene.shown.append(scene.payment.url)
    return scene.payment


async def capture(scene: Scene) -> Send:
    """All of the authorised payment."""
    return scene.post(f"{(await _authorised(scene)).url}/capture", {})


async def void(scene: Scene) -> Send:
    """Of the authorised payment."""
    return scene.post(f"{(await _authorised(scene)).url}/void", {})


async def sync_of_authorised(scene: Scene) -> Send:
    """Of the authorised payment."""
    return _whatever_it_shows(scene.post(f"{(await _authorised(scene)).url}/sync", {}))


async def refund(scene: Scene) -> Send:
    """Of more than half of the captured payment."""
    body = {"amount": Money(TAKEN // 2 + 1, "GBP").json()}
    return scene.post(f"{(await _captured(scene)).url}/refunds", body)


async def sync_of_captured(scene: Scene) -> Send:
    """Of the captured payment."""
    return _whatever_it_shows(scene.post(f"{(await _captured(scene)).url}/sync", {}))


async def notice_of_expiry(scene: Scene) -> Send:
    """The PSP tells that the authorisation has run out."""
    await _authorised(scene)
    operation = (await scene.testbed.psp.told(scene.card))[0] | {"type": "expiry"}
    return scene.notice("psp", psp_notice(operation, scene.fresh))


ON_AN_AUTHORISED_PAYMENT: tuple[Operation, ...] = (
    capture,
    void,
    notice_of_expiry,
    sync_of_authorised,
)
ON_A_CAPTURED_PAYMENT: tuple[Operation, ...] = (refund, sync_of_captured)


async def _unclear(scene: Scene) -> Payment:
    """A payment whose capture the PSP has done, and did not say so."""
    if scene.payment is None:
        scene.card = scene.fresh.card()
        body = payment_body(scene.account, TAKES, scene.card, capture=False)
        taken = await scene.alice.post("/v1/payments", body, key=scene.fresh.key())
        scene.payment = taken.expect(201).read(Payment)
        scene.shown.append(scene.payment.url)
        psp = scene.testbed.psp
        fault = await psp.fault("drop_after", "capture", "lookup", token=scene.card)
        path = f"{scene.payment.url}/capture"
        (await scene.alice.post(path, {}, key=scene.fresh.key())).expect(202)
        await psp.lift(fault)
    return scene.payment


async def sync_of_unclear(scene: Scene) -> Send:
    """The PSP is asked about a capture."""
    return _whatever_it_shows(scene.post(f"{(await _unclear(scene)).url}/sync", {}))


async def notice_of_unclear(scene: Scene) -> Send:
    """The PSP tells of the capture."""
    await _unclear(scene)
    operation = (await scene.testbed.psp.told(scene.card))[-1]
    return scene.notice("psp", psp_notice(operation, scene.fresh))


ON_AN_UNCLEAR_CAPTURE: tuple[Operation, ...] = (
    sync_of_unclear,
    notice_of_unclear,
)


async def _made(scene: Scene) -> Payout:
    if scene.payout is None:
        scene.payout = await scene.desk.make(scene.account, TAKES, PAYEE)
        scene.code = await scene.desk.code(scene.payout)
        scene.shown.append(scene.payout.url)
    return scene.payout


async def _submitted(scene: Scene) -> Payout:
    payout = await _made(scene)
    if not scene.approved:
        body, key = {"code": scene.code}, scene.fresh.key()
        (await scene.alice.post(f"{payout.url}/approve", body, key=key)).expect(200)
        (await scene.alice.post(f"{payout.url}/sync", {})).expect(200)
        scene.approved = True
    return payout


async def change(scene: Scene) -> Send:
    """A payout that awaits its approval becomes dearer."""
    url, body = (await _made(scene)).url, {"amount": Money(TAKEN + 1, "GBP").json()}

    async def send(replica: int) -> Answer:
        return await scene.desk.maker.patch(url, body, replica=replica)

    return send


async def cancel(scene: Scene) -> Send:
    """A payout that awaits its approval is given up."""
    return scene.post(f"{(await _made(scene)).url}/cancel", {}, scene.desk.maker)


async def approve(scene: Scene) -> Send:
    """A payout is approved with the code that was sent."""
    url = (await _made(scene)).url
    return scene.post(f"{url}/approve", {"code": scene.code})


async def approve_wrongly(scene: Scene) -> Send:
    """A payout is to be approved with another code."""
    url = (await _made(scene)).url
    wrong = f"{(int(scene.code) + 1) % 10 ** len(scene.code):0{len(scene.code)}d}"
    return scene.post(f"{url}/approve", {"code": wrong})


async def sync_of_submitted(scene: Scene) -> Send:
    """The bank is asked about a payout."""
    return _whatever_it_shows(scene.post(f"{(await _submitted(scene)).url}/sync", {}))


def notice(status: Status) -> Operation:
    """The bank tells what became of a payout."""

    async def operation(scene: Scene) -> Send:
        payout = await _submitted(scene)
        payment = await scene.testbed.bank.become(payout.id, status)
        return scene.notice("bank", bank_notice(payment, scene.fresh))

    operation.__name__ = f"notice_{status}"
    return operation


ON_AN_AWAITING_PAYOUT: tuple[Operation, ...] = (change, cancel, approve, approve_wrongly)
ON_A_PAID_PAYOUT: tuple[Operation, ...] = (sync_of_submitted, notice("paid"))
ON_A_FAILED_PAYOUT: tuple[Operation, ...] = (sync_of_submitted, notice("failed"))
ON_A_RETURNED_PAYOUT: tuple[Operation, ...] = (
    sync_of_submitted,
    notice("paid"),
    notice("returned"),
)


def _whatever_it_shows(send: Send) -> Send:
    """What a sync shows depends on whether the other request is at it (contract 6.20, 12.15)."""

    async def quietly(replica: int) -> Answer:
        answer = await send(replica)
        return replace(answer, content=b"{}") if answer.ok else answer

    return quietly


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two operations that meet on fresh objects again and again; made by ``open``."""

    alice: Merchant
    bob: Merchant
    desk: Desk
    theirs: Account
    euros: Account

    @classmethod
    async def open(cls, run: CheckRun, replica: int | None = None) -> Meeting:
        """Two merchants, and the accounts that are not met on; all at one replica, if given."""
        alice, bob = run.merchant("alice"), run.merchant("bob")
        for merchant in (alice, bob):
            await merchant.open()
        maker = await alice.client("operator")
        if replica is not None:
            alice, bob, maker = alice.on(replica), bob.on(replica), maker.on(replica)
        theirs = await bob.funded(Money(10**9, "GBP"))
        euros = await alice.open_account("EUR")
        return cls(alice, bob, Desk(alice, maker, run.testbed), theirs, euros)

    async def contest(self, operations: Sequence[Operation], count: int) -> Contest:
        """The two operations on a scene of their own."""
        account = await self.alice.funded(Money(10 * HELD, "GBP"))
        scene = Scene(self.alice, self.bob, self.desk, account, self.theirs, self.euros)
        requests = [await operation(scene) for operation in operations[:count]]
        await scene.balanced()
        return Contest(requests, scene.view, _verify, _agree, reading(self.alice, account))


def _verify(_: Sequence[Answer], view: View) -> None:
    """The contract's invariants (8), as one account shows them."""
    balance: dict[str, Any] = view["balance"]
    posted, held = balance["posted"]["amount"], balance["held"]["amount"]
    if not 0 <= held <= posted or balance["available"]["amount"] != posted - held:
        raise Vulnerable(f"The account shows {balance}.")
    if sum(amount for _, amount in view["entries"]) != posted:
        raise Vulnerable(f"The account shows {posted}, and its entries are {view['entries']}.")


async def _agree(_: Sequence[Answer]) -> None:
    """All there is to compare is in the view."""
