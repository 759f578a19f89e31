"""Payouts: made, changed, approved with a code, and carried out by a bank that may do anything."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from testkit.model.conversions import DIGITS
from testkit.model.ledger import HIDDEN, INVALID, Account, Refusal, money
from testkit.model.payouts import NOT_YET_ENDED, Payout
from testkit.model.rules import reading
from testkit.model.rules.bank import MOODS, PUT_OFF, WELL, Mood
from testkit.model.rules.base import World, concerning, near, seldom, sizes
from testkit.model.rules.stage import Person, Shop
from testkit.notices import bring

FURTHER = {"accepted": ("paid", "failed"), "paid": ("returned",)}

PAYEES = (
    {"name": "Rowan Tools", "bank_account": "GB33BUKB20201555555555"},
    {"name": "Alder Crates", "bank_account": "NO9386011117947"},
)

payees = st.sampled_from(PAYEES)


class Payouts(World):
    """What leaves for a bank account."""

    @concerning("payouts")
    @rule(data=st.data(), size=sizes, payee=payees)
    def make_payout(self, data: st.DataObject, size: int | str, payee: dict[str, Any]) -> None:
        """A payout, by anybody who may move money."""
        accounts = self.ledger.accounts
        account = self.pick(data, accounts, self.accounts_of(self.shops[0], "GBP"))
        stranger = data.draw(seldom, label="by a stranger")
        shop = self.other_than(account) if stranger else self.shop_of(account)
        person = self.pick(data, shop.people, [shop.operator])
        edge = min(account.available, self.payouts.left_today(account))
        self._make(shop, person, account, near(size, edge), payee)

    def begin(self) -> None:
        """A payout that awaits its approval."""
        super().begin()
        shop = self.shops[0]
        self._make(shop, shop.operator, self.ledger.accounts[1], 1_200, PAYEES[0])

    def _make(
        self, shop: Shop, person: Person, account: Account, amount: int, payee: dict[str, Any]
    ) -> None:
        currency = account.currency
        refusals = self.payouts.against_a_payout(shop.id, account, amount, currency)
        body = {"account": account.id, "amount": money(amount, currency), "payee": payee}
        shown = self.ask(shop.id, person.caller, "/v1/payouts", body, refusals, 201)
        if shown is not None:
            made = self.payouts.make(shown["id"], account, amount, payee, person.client)
            reading.agree(shown, made.shown())

    @precondition(lambda self: self.payouts.in_status("awaiting_approval"))
    @concerning("payouts")
    @rule(data=st.data(), size=st.none() | sizes, payee=st.none() | payees)
    def change_payout(
        self, data: st.DataObject, size: int | str | None, payee: dict[str, Any] | None
    ) -> None:
        """Another amount or payee, or the same again."""
        payout, person, strange = self._payout_and_person(data, "awaiting_approval")
        account = payout.account
        edge = payout.amount + min(account.available, self.payouts.left_today(account))
        amount = None if size is None else near(size, edge)
        refusals = self.payouts.against_a_change(payout, amount, account.currency)
        if strange and refusals != {INVALID}:
            refusals = {HIDDEN}
        body: dict[str, Any] = {} if amount is None else {"amount": money(amount, account.currency)}
        body |= {} if payee is None else {"payee": payee}
        answer = self.stage.do(person.caller.send("PATCH", f"/v1/payouts/{payout.id}", json=body))
        if not self.refused(answer, refusals):
            assert answer.status_code == 200, answer.text
            self.payouts.change(payout, amount, payee, person.client)
            reading.agree(answer.json(), payout.shown())

    @precondition(lambda self: self.payouts.in_status("awaiting_approval"))
    @concerning("payouts")
    @rule(data=st.data())
    def cancel_payout(self, data: st.DataObject) -> None:
        """It is given up, if it is not too late."""
        payout, person, strange = self._payout_and_person(data, "awaiting_approval")
        refusals = {HIDDEN} if strange else self.payouts.against_a_cancellation(payout)
        answer = self.stage.do(person.caller.post(f"/v1/payouts/{payout.id}/cancel", {}))
        if not self.refused(answer, refusals):
            assert answer.status_code == 200, answer.text
            self.payouts.cancel(payout)
            reading.agree(answer.json(), payout.shown())

    @precondition(lambda self: self.payouts.in_status("awaiting_approval"))
    @concerning("payouts")
    @rule(data=st.data(), asked=st.sampled_from(("only", "first", "first", "in vain", "not")))
    def approve_payout(self, data: st.DataObject, asked: str) -> None:
        """A challenge, and an approval with the right code, a former one or another approver's."""
        payout, person, strange = self._payout_and_person(data, "awaiting_approval")
        if asked != "not":
            self._challenge(payout, person, strange, unsent=asked == "in vain")
        if asked == "only":
            return
        sent = [m["code"] for m in self.parties.notifier.messages if m["payout"] == payout.id]
        right = [payout.codes[person.client.id]] if person.client.id in payout.codes else []
        code = self.pick(data, right + sent[::-1] + ["00000000"], right)
        self._approve(payout, person, strange, code)

    @precondition(lambda self: self.payouts.in_status("awaiting_approval"))
    @concerning("payouts")
    @rule(data=st.data(), times=st.integers(1, 6))
    def guess_codes(self, data: st.DataObject, times: int) -> None:
        """Codes that are wrong, in a row."""
        payout, person, strange = self._payout_and_person(data, "awaiting_approval")
        for number in range(times):
            self._approve(payout, person, strange, f"{number:04d}")

    @precondition(lambda self: self.payouts.in_status(*NOT_YET_ENDED))
    @concerning("payouts")
    @rule(data=st.data(), mood=st.sampled_from(MOODS))
    def sync_payout(self, data: st.DataObject, mood: Mood) -> None:
        """The bank is told of what is approved, and asked about what it was told."""
        self.ask_bank(self._payout_and_person(data, *NOT_YET_ENDED)[0], mood)

    @precondition(lambda self: self._going_on())
    @concerning("payouts")
    @rule(data=st.data(), news=st.sampled_from(("now", "twice", "later", "amount", "signature")))
    def bank_goes_on(self, data: st.DataObject, news: str) -> None:
        """The bank carries a payout out, or does not, and tells of it: now, later, or never."""
        if self._notices and news == "later":
            self._bring(*self.pick(data, self._notices), news="now")
        payout, bank = self.pick(data, self._going_on()), self.parties.bank
        further = FURTHER[bank.books[payout.id]["status"]]
        status = data.draw(st.sampled_from(further), label="becomes")
        told = bank.become(payout.id, status, None if status == "paid" else "closed")
        self._notices.append((payout, told))
        if news != "later":
            self._bring(payout, told, news)
        if news == "twice":
            self._bring(payout, told, "now")

    # The parts of these.

    def __init__(self) -> None:
        super().__init__()
        self._notices: list[tuple[Payout, dict[str, Any]]] = []

    def _payout_and_person(
        self, data: st.DataObject, *statuses: str
    ) -> tuple[Payout, Person, bool]:
        """A payout, mostly one of those, somebody, and whether that is another merchant's."""
        payout = self.pick(data, self.payouts.payouts, self.payouts.in_status(*statuses))
        own = self.shop_of(payout.account)
        shop = self.pick(data, self.shops, [own])
        person = self.pick(data, shop.people, [shop.owner, shop.second])
        return payout, person, shop is not own

    def _challenge(self, payout: Payout, person: Person, strange: bool, unsent: bool) -> None:
        refusals = self.payouts.against_an_approver(payout, person.client)
        if strange and person.client.role == "owner":
            refusals = {HIDDEN}
        if unsent and not refusals:
            refusals = {Refusal(503, "notifier_unavailable")}
        notifier = self.parties.notifier
        notifier.status = 500 if unsent else 202
        path = f"/v1/payouts/{payout.id}/challenges"
        answer = self.stage.do(person.caller.post(path, {}))
        notifier.status = 202
        if not self.refused(answer, refusals):
            assert answer.status_code == 201, answer.text
            message = notifier.messages[-1]
            assert message["to"] == person.client.id
            assert message["payee"] == payout.payee
            assert minor(message["amount"], payout) == payout.amount
            payout.codes[person.client.id] = message["code"]

    def _approve(self, payout: Payout, person: Person, strange: bool, code: str) -> None:
        if strange:
            refusals = {HIDDEN} if person.client.role == "owner" else {Refusal(403, "forbidden")}
        else:
            refusals = self.payouts.against_an_approval(payout, person.client, code)
        path, scope = f"/v1/payouts/{payout.id}/approve", self.shop_for(person).id
        shown = self.ask(scope, person.caller, path, {"code": code}, refusals, 200)
        if shown is not None:
            self.payouts.approve(payout, person.client)
            reading.agree(shown, payout.shown())

    def shop_for(self, person: Person) -> Shop:
        """The merchant whose client it is."""
        return next(shop for shop in self.shops if person in shop.people)

    def ask_bank(self, payout: Payout, mood: Mood) -> None:
        """Have the service ask the bank about a payout."""
        bank = self.parties.bank
        if mood.fault == "422" and payout.id in bank.books:
            mood = WELL  # a bank that has a payment does not say that it was refused
        caller = self.shop_of(payout.account).operator.caller
        asked = payout.status in (*NOT_YET_ENDED, "paid")
        told = mood.tells(bank, payout)
        with mood.of(bank):
            answer = self.stage.do(caller.post(f"/v1/payouts/{payout.id}/sync", {}))
            assert bool(bank.asked(payout.id)) == asked
        assert answer.status_code == 200, answer.text
        if asked and told != PUT_OFF:
            self.payouts.learn(payout, told)
        reading.agree(answer.json(), payout.shown())

    def _going_on(self) -> list[Payout]:
        """The payouts that the bank has, and has not done with."""
        books, payouts = self.parties.bank.books, self.payouts.payouts
        return [p for p in payouts if p.id in books and books[p.id]["status"] in FURTHER]

    def _bring(self, payout: Payout, told: dict[str, Any], news: str) -> None:
        lie = {"amount": "99999.99"} if news == "amount" else {}
        notice = told | {"payment": told["payment"] | lie}
        secret = "of somebody else" if news == "signature" else None
        answer = self.stage.do(bring(self.stage.http, "bank", notice, secret=secret))
        expected = {"amount": 422, "signature": 401}.get(news, 204)
        assert answer.status_code == expected, answer.text
        if expected == 204:
            self.payouts.learn(payout, told["payment"]["status"])

    def settle_all(self) -> None:
        """Ask about all that is open; then the bank's books are those of the model (8.5)."""
        super().settle_all()
        statuses = {"accepted": "submitted"}
        for payout in self.payouts.payouts:
            self.ask_bank(payout, WELL)
            booked = self.parties.bank.books.get(payout.id)
            if booked is None:
                assert payout.status in ("awaiting_approval", "cancelled", "rejected")
            else:
                assert payout.status == statuses.get(booked["status"], booked["status"])
                assert minor(booked["amount"], payout) == payout.amount


def minor(amount: str, payout: Payout) -> int:
    """A decimal amount in minor units of the payout's currency."""
    return int(Decimal(amount).scaleb(DIGITS[payout.account.currency]))
