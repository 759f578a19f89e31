"""Deposits, transfers and reversals; and whatever was sent, sent again."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from testkit.api import Caller
from testkit.model.ledger import HIDDEN, Account, money
from testkit.model.rules import reading
from testkit.model.rules.base import Sent, World, concerning, currencies, near, seldom, sizes, told
from testkit.model.rules.stage import Person, Shop


class Movements(World):
    """What moves money without anybody else's help."""

    @concerning("accounts")
    @rule(data=st.data(), size=sizes, currency=currencies)
    def deposit(self, data: st.DataObject, size: int | str, currency: str) -> None:
        """Money comes in; seldom in a currency that the account has not."""
        accounts = self.ledger.accounts
        suited = [account for account in accounts if account.currency == currency]
        account = self.pick(data, accounts, suited)
        self.deposit_into(account, near(size, 100), currency)

    @concerning("accounts")
    @rule(data=st.data(), size=sizes)
    def transfer(self, data: st.DataObject, size: int | str) -> None:
        """Money moves, to another merchant too."""
        accounts = self.ledger.accounts
        source = self.pick(data, accounts, [a for a in accounts if a.available > 0])
        alike = [a for a in accounts if a.currency == source.currency and a is not source]
        target = self.pick(data, accounts, alike)
        stranger = data.draw(seldom, label="by a stranger")
        shop = self.other_than(source) if stranger else self.shop_of(source)
        person = self.pick(data, shop.people)
        self._transfer(shop, person, source, target, near(size, source.available))

    def begin(self) -> None:
        """A transfer to the other merchant."""
        super().begin()
        shop, source, target = self.shops[0], self.ledger.accounts[0], self.ledger.accounts[-1]
        self._transfer(shop, shop.operator, source, target, 500)

    def _transfer(
        self, shop: Shop, person: Person, source: Account, target: Account, amount: int
    ) -> None:
        currency = source.currency
        refusals = self.movements.against_a_transfer(shop.id, source, target, amount, currency)
        body = {"from": source.id, "to": target.id, "amount": money(amount, currency)}
        made = self.ask(shop.id, person.caller, "/v1/transfers", body, refusals, 201)
        if made is not None:
            transfer = self.movements.transfer(made["id"], source, target, amount)
            reading.agree(made, transfer.shown())

    @precondition(lambda self: self.movements.reversible)
    @concerning("accounts")
    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        """A transfer is given back, by the merchant that got it or another."""
        original = self.pick(data, self.movements.transfers, self.movements.reversible)
        shops = [self.shop_of(original.target)]
        shop = self.pick(data, self.shops, shops)
        refusals = self.movements.against_a_reversal(shop.id, original)
        if shop.id not in reading.seen_by(original):
            refusals = {HIDDEN}
        path = f"/v1/transfers/{original.id}/reversal"
        made = self.ask(shop.id, shop.operator.caller, path, {}, refusals, 201)
        if made is not None:
            reading.agree(made, self.movements.reverse(made["id"], original).shown())

    @precondition(lambda self: self.sent)
    @rule(
        data=st.data(),
        how=st.sampled_from(("repeated", "by another", "other body", "elsewhere", "viewer")),
    )
    def send_again(self, data: st.DataObject, how: str) -> None:
        """What was sent before: just so, otherwise under the same key, or by somebody else."""
        kind = self.pick(data, sorted({one.kind for one in self.sent}))
        sent = self.pick(data, [one for one in self.sent if one.kind == kind])
        if how in ("repeated", "by another"):
            other = how == "by another"
            self.repeat(sent, self._somebody_else(data, sent) if other else sent.caller)
        elif how == "viewer":
            self._send_as_viewer(sent)
        else:
            self._reuse_the_key(data, sent, elsewhere=how == "elsewhere")

    def _somebody_else(self, data: st.DataObject, sent: Sent) -> Caller:
        """Another client of the merchant, whose keys are the same ones (5.3)."""
        shop = next((shop for shop in self.shops if shop.id == sent.scope), None)
        return self.pick(data, [shop.owner, shop.second]).caller if shop else sent.caller

    def _reuse_the_key(self, data: st.DataObject, sent: Sent, elsewhere: bool) -> None:
        """Another request under the same key, to the same path or another (5.4)."""
        path, body = sent.path, dict(sent.body)
        others = [one for one in self.sent if one.scope == sent.scope and one.path != path]
        if elsewhere and others:
            other = self.pick(data, others)
            path, body = other.path, dict(other.body)
        elif "amount" in body:
            body["amount"] = money(sent.body["amount"]["amount"] + 1, body["amount"]["currency"])
        elif "code" in body:
            body["code"] = "0000"
        else:
            return
        again = self.stage.do(sent.caller.post(path, body, sent.key))
        assert told(again) == (422, "idempotency_key_reused")

    def _send_as_viewer(self, sent: Sent) -> None:
        """A viewer moves nothing (2.3)."""
        shop = next((shop for shop in self.shops if shop.id == sent.scope), self.shops[0])
        answer = self.stage.do(shop.viewer.caller.post(sent.path, sent.body))
        assert told(answer) == (403, "forbidden")
