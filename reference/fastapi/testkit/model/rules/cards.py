"""Card payments, with a processor that may do anything."""

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from testkit.model.cards import Operation, Payment
from testkit.model.conversions import DIGITS
from testkit.model.ledger import HIDDEN, INVALID, Account, Refusals, Shown, money
from testkit.model.rules import reading
from testkit.model.rules.base import Sent, World, concerning, near, seldom, sizes, told
from testkit.model.rules.psp import HANGS, LOOKING, MOODS, WELL, Mood
from testkit.model.rules.stage import Shop
from testkit.notices import bring

moods = st.sampled_from([WELL] * 4 + list(MOODS))
DECLINED = {
    "authorisation": "card_declined",
    "sale": "card_declined",
    "capture": "capture_declined",
    "void": "void_declined",
    "refund": "refund_declined",
}
DONE = {"authorisation": 201, "sale": 201, "capture": 200, "void": 200, "refund": 201}


@dataclass(frozen=True)
class Charged:
    """The key that the processor was told, and what the service answered."""

    key: str
    answer: Shown


class Cards(World):
    """What the card processor is asked."""

    patience = 1
    """How often it may hang: each time costs the service's whole deadline."""

    @concerning("cards")
    @rule(data=st.data(), size=sizes, capture=st.booleans(), mood=moods)
    def pay(self, data: st.DataObject, size: int | str, capture: bool, mood: Mood) -> None:
        """A sale, or an authorisation."""
        accounts = self.ledger.accounts
        account = self.pick(data, accounts, self.accounts_of(self.shops[0], "GBP"))
        stranger = data.draw(seldom, label="by a stranger")
        shop = self.other_than(account) if stranger else self.shop_of(account)
        self._pay(shop, account, near(size, 2_000), capture, self.bearable(mood))

    def begin(self) -> None:
        """A payment that is captured, and one that is authorised."""
        super().begin()
        for amount, capture in ((2_035, True), (1_500, False)):
            self._pay(self.shops[0], self.ledger.accounts[0], amount, capture, WELL)

    def _pay(self, shop: Shop, account: Account, amount: int, capture: bool, mood: Mood) -> None:
        currency = account.currency
        refusals = self.cards.against_a_payment(shop.id, account, amount, currency)
        body = {
            "account": account.id,
            "amount": money(amount, currency),
            "payment_method": "tok_of-a-card",
            "capture": capture,
        }
        kind = "sale" if capture else "authorisation"
        charged = self.charge(shop, kind, "/v1/payments", body, refusals, mood)
        if charged:
            made = charged.answer.get("payment") or charged.answer["id"]
            begun = self.cards.pay(made, charged.key, account, amount, capture)
            self.end(begun, charged, mood)

    @precondition(lambda self: self.cards.in_status("authorised"))
    @concerning("cards")
    @rule(data=st.data(), size=st.none() | sizes, mood=moods)
    def capture(self, data: st.DataObject, size: int | str | None, mood: Mood) -> None:
        """A capture, of all or of a part."""
        payment, shop, strange = self.payment_with_status(data, "authorised")
        amount = None if size is None else near(size, payment.amount)
        refusals = self.cards.against_a_capture(payment, amount, payment.currency)
        body = {} if amount is None else {"amount": money(amount, payment.currency)}
        if strange and refusals != {INVALID}:
            refusals = {HIDDEN}
        mood, path = self.bearable(mood), f"/v1/payments/{payment.id}/capture"
        charged = self.charge(shop, "capture", path, body, refusals, mood)
        if charged:
            asked = amount or payment.amount
            begun = self.cards.change(charged.key, "capture", payment, asked)
            self.end(begun, charged, mood)

    @precondition(lambda self: self.cards.in_status("authorised"))
    @concerning("cards")
    @rule(data=st.data(), mood=moods)
    def void(self, data: st.DataObject, mood: Mood) -> None:
        """A void."""
        payment, shop, strange = self.payment_with_status(data, "authorised")
        refusals = {HIDDEN} if strange else self.cards.against_a_void(payment)
        mood, path = self.bearable(mood), f"/v1/payments/{payment.id}/void"
        charged = self.charge(shop, "void", path, {}, refusals, mood)
        if charged:
            begun = self.cards.change(charged.key, "void", payment, payment.amount)
            self.end(begun, charged, mood)

    @precondition(lambda self: self.cards.in_status("captured", "partially_refunded"))
    @concerning("cards")
    @rule(data=st.data(), size=sizes, mood=moods)
    def refund(self, data: st.DataObject, size: int | str, mood: Mood) -> None:
        """A refund, of what is left of the capture or of a part."""
        payment, shop, strange = self.payment_with_status(data, "captured", "partially_refunded")
        amount = near(size, payment.refundable)
        refusals = self.cards.against_a_refund(payment, amount, payment.currency)
        if strange and refusals != {INVALID}:
            refusals = {HIDDEN}
        mood, path = self.bearable(mood), f"/v1/payments/{payment.id}/refunds"
        body = {"amount": money(amount, payment.currency)}
        charged = self.charge(shop, "refund", path, body, refusals, mood)
        if charged:
            made = charged.answer.get("refund") or charged.answer["id"]
            self.end(self.cards.refund(made, charged.key, payment, amount), charged, mood)

    @precondition(lambda self: self.cards.open)
    @concerning("cards")
    @rule(data=st.data(), mood=st.sampled_from(LOOKING))
    def sync_payment(self, data: st.DataObject, mood: Mood) -> None:
        """The service asks what became of a payment's operations."""
        payment = self.pick(data, self.cards.payments, self.cards.open)
        if data.draw(seldom, label="by a stranger"):
            stranger = self.other_than(payment.account).operator.caller
            answer = self.stage.do(stranger.post(f"/v1/payments/{payment.id}/sync", {}))
            assert told(answer) == HIDDEN
        self.ask_psp(payment, mood)

    @precondition(lambda self: self.cards.open or self.cards.in_status("authorised"))
    @concerning("cards")
    @rule(data=st.data(), lie=st.sampled_from(("", "", "", "amount", "signature", "expiry")))
    def psp_notice(self, data: st.DataObject, lie: str) -> None:
        """The processor tells of an operation unasked, now or long after (6.26, 6.27)."""
        suited = self.cards.in_status("authorised") if lie == "expiry" else self.cards.open
        payment = self.pick(data, self.cards.payments, suited)
        operation = self.pick(data, payment.operations)
        news = self.parties.psp.books.get(operation.key)
        if news is None:
            return
        if lie == "expiry":
            self._expire(payment, payment.operations[0])
            return
        news = news | ({"amount": "99999.99"} if lie == "amount" else {})
        notice = {"id": "ntc_of-an-operation", "operation": news}
        secret = "of somebody else" if lie == "signature" else None
        answer = self.stage.do(bring(self.stage.http, "psp", notice, secret=secret))
        assert answer.status_code == {"": 204, "amount": 422, "signature": 401}[lie]
        if not lie:
            self.cards.settle(operation, news["status"])

    def _expire(self, payment: Payment, first: Operation) -> None:
        """Notice that an authorisation has run out."""
        news = self.parties.psp.books.get(first.key)
        if news is None or first.kind != "authorisation" or first.status == "declined":
            return
        if news["status"] == "declined":
            return  # what was declined never runs out
        notice = {"id": "ntc_of-an-end", "operation": news | {"type": "expiry"}}
        answer = self.stage.do(bring(self.stage.http, "psp", notice))
        pending = payment.busy and payment.status in ("authorised", "unknown")
        assert answer.status_code == (409 if pending else 204)
        if not pending:
            self.cards.expire(payment)

    # The parts of these.

    def charge(
        self, shop: Shop, kind: str, path: str, body: Shown, refusals: Refusals, mood: Mood
    ) -> Charged | None:
        """Send what needs the processor; None if nothing was begun, and it was told nothing."""
        psp, key = self.parties.psp, self.new_key(shop.id)
        with mood.of(psp):
            answer = self.stage.do(shop.operator.caller.post(path, body, key))
            asked = psp.keys()
        assert "idempotency-replayed" not in answer.headers
        if self.refused(answer, refusals):
            assert not asked, asked
            return None
        if mood.ends == "put off":
            assert told(answer) == (503, "psp_unavailable")
            return None
        self.patience -= mood is HANGS
        (psp_key,) = asked
        shown: Shown = answer.json()
        if mood.ends == "declined":
            assert told(answer) == (402, DECLINED[kind])
        else:
            expected = 202 if mood.ends == "unknown" else DONE[kind]
            assert answer.status_code == expected, (answer.status_code, answer.text)
        caller = shop.operator.caller
        self.sent.append(Sent(shop.id, caller, path, body, key, answer.status_code, shown))
        return Charged(psp_key, shown)

    def end(self, operation: Operation, charged: Charged, mood: Mood) -> None:
        """Settle as far as the service could know, and hold its answer against that."""
        self.cards.settle(operation, None if mood.ends == "unknown" else mood.ends)
        if mood.ends != "declined":
            reading.agree(charged.answer, (operation.refund or operation.payment).shown())

    def bearable(self, mood: Mood) -> Mood:
        """The mood, unless the processor has hung too often."""
        return WELL if mood is HANGS and self.patience < 1 else mood

    def payment_with_status(
        self, data: st.DataObject, *statuses: str
    ) -> tuple[Payment, Shop, bool]:
        """A payment, mostly one of those, who acts, mostly its merchant, and whether it is not."""
        payment = self.pick(data, self.cards.payments, self.cards.in_status(*statuses))
        own = self.shop_of(payment.account)
        shop = self.pick(data, self.shops, [own])
        return payment, shop, shop is not own

    def ask_psp(self, payment: Payment, mood: Mood) -> None:
        """Have the service ask about all that is open of a payment."""
        psp, asked = self.parties.psp, payment.open
        caller = self.shop_of(payment.account).operator.caller
        with mood.of(psp):
            ends = [mood.looked_up(psp, operation) for operation in asked]
            answer = self.stage.do(caller.post(f"/v1/payments/{payment.id}/sync", {}))
        assert answer.status_code == 200, answer.text
        for operation, end in zip(asked, ends, strict=True):
            self.cards.settle(operation, end, exact=len(asked) == 1)
        reading.agree(answer.json(), payment.shown())

    def settle_all(self) -> None:
        """Ask about all that is open; then the processor's books are those of the model (8.5)."""
        super().settle_all()
        books = self.parties.psp.books
        for payment in self.cards.payments:
            if payment.open:
                self.ask_psp(payment, WELL)
            assert not payment.open
            done = {"capture": 0, "sale": 0, "refund": 0}
            for operation in payment.operations:
                booked = books.get(operation.key)
                assert operation.status == (booked["status"] if booked else "declined")
                if booked and operation.status == "succeeded" and operation.kind in done:
                    exponent = DIGITS[payment.currency]
                    done[operation.kind] += int(Decimal(booked["amount"]).scaleb(exponent))
            assert done["capture"] + done["sale"] == payment.captured
            assert done["refund"] == payment.refunded("succeeded")
