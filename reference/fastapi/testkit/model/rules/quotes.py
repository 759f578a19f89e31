"""Quotes, their execution and their end."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from testkit.model.conversions import RATE
from testkit.model.ledger import HIDDEN, Account, Refusal, money
from testkit.model.rules import reading
from testkit.model.rules.base import World, concerning, near, seldom, sizes


class Quotes(World):
    """What is converted."""

    @concerning("accounts")
    @rule(data=st.data(), size=sizes, unavailable=seldom)
    def quote(self, data: st.DataObject, size: int | str, unavailable: bool) -> None:
        """A price, if the FX provider tells a rate that can be believed."""
        accounts = self.ledger.accounts
        source = self.pick(data, accounts, self.accounts_of(self.shops[0]))
        others = [a for a in self.accounts_of(self.shops[0]) if a.currency != source.currency]
        target = self.pick(data, accounts, others)
        self._quote(source, target, near(size, source.available), unavailable)

    def begin(self) -> None:
        """An open quote."""
        super().begin()
        pounds, kroner = self.ledger.accounts[0], self.ledger.accounts[2]
        self._quote(pounds, kroner, 700, unavailable=False)

    def _quote(self, source: Account, target: Account, amount: int, unavailable: bool) -> None:
        shop, currency = self.shops[0], source.currency
        refusals = self.conversions.against_a_quote(shop.id, source, target, amount, currency)
        if unavailable and not refusals - {Refusal(422, "amount_too_small")}:
            refusals = {Refusal(503, "rate_unavailable")}
        fx = self.parties.fx
        fx.reset()
        fx.rate, fx.age = str(RATE), 1_000 if unavailable else 0
        body = {"from": source.id, "to": target.id, "amount": money(amount, currency)}
        answer = self.stage.do(shop.operator.caller.post("/v1/quotes", body))
        fx.reset()
        if not self.refused(answer, refusals):
            assert answer.status_code == 201, answer.text
            made = self.conversions.quote(answer.json()["id"], source, target, amount)
            reading.agree(answer.json(), made.shown())

    @precondition(lambda self: self.conversions.open)
    @concerning("accounts")
    @rule(data=st.data())
    def execute(self, data: st.DataObject) -> None:
        """An execution, by the merchant that was given the quote or another."""
        quote = self.pick(data, self.conversions.quotes, self.conversions.open)
        own = self.shop_of(quote.source)
        shop = self.pick(data, self.shops, [own])
        refusals = self.conversions.against_an_execution(quote) if shop is own else {HIDDEN}
        path, caller = f"/v1/quotes/{quote.id}/execute", shop.operator.caller
        shown = self.ask(shop.id, caller, path, {}, refusals, 200)
        if shown is not None:
            self.conversions.execute(quote)
            reading.agree(shown, quote.shown())

    @precondition(lambda self: self.conversions.open)
    @concerning("accounts")
    @rule(data=st.data())
    def let_a_quote_expire(self, data: st.DataObject) -> None:
        """Time goes by for one quote."""
        quote = self.pick(data, self.conversions.quotes)
        self.stage.query(
            "UPDATE quotes SET expires_at = clock_timestamp() WHERE id = :id RETURNING id",
            id=quote.id,
        )
        self.conversions.expire(quote)
