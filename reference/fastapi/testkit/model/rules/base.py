"""What all rules need: a world of two merchants, requests with keys, and what must always hold."""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition

from testkit.api import ADMIN_TOKEN, Caller, new_merchant
from testkit.model.cards import Cards
from testkit.model.conversions import DIGITS, Conversions
from testkit.model.ledger import Account, Ledger, Pretty, Refusal, Refusals, Shown, Subject, money
from testkit.model.movements import Movements
from testkit.model.payouts import Payouts
from testkit.model.rules import reading
from testkit.model.rules.stage import Shop, Stage

T = TypeVar("T")
Rule = Callable[..., Any]

PLATFORM = "platform"

FUNDS, SOME = 5_000, 3_000

EVERYTHING = "everything"
FOCUSES = ("cards", "cards", "payouts", "accounts", EVERYTHING)

EXTREMES = ("all", "one more", "nothing", "less than nothing")
"""Amounts at the edge of what there is."""

sizes = st.one_of(st.integers(1, SOME), st.sampled_from(EXTREMES[:2]), st.sampled_from(EXTREMES))
currencies = st.sampled_from(sorted(DIGITS))
seldom = st.integers(0, 5).map(lambda number: number == 5)


def concerning(concept: str) -> Callable[[Rule], Rule]:
    """A rule for examples that are about a concept, or about everything.

    Few steps about one thing go deeper than many about anything.
    """
    return precondition(lambda self: self.focus in (concept, EVERYTHING))


@dataclass(frozen=True, eq=False)
class Sent(Pretty):
    """A keyed request and its answer, which a repeat gets again."""

    scope: str
    caller: Caller
    path: str
    body: Shown
    key: str
    status: int
    answer: Shown

    def __repr__(self) -> str:
        return f"<POST {self.path}, {self.status}>"

    @property
    def kind(self) -> tuple[str, int]:
        """Its path without ids, and how it was answered."""
        return re.sub(r"_[0-9a-f]+", "", self.path), self.status


class World(RuleBasedStateMachine):
    """Two merchants in the service, and the same two in the model.

    The keys of one merchant's requests are those of the other's and of the administrator's too:
    each has its own. Ids come from the service; all else the model knows by itself.
    """

    stage: Stage
    """Set in a subclass: the same for all examples."""

    def __init__(self) -> None:
        super().__init__()
        self.parties = self.stage.parties
        self.ledger = Ledger()
        self.movements = Movements(self.ledger)
        self.cards = Cards(self.ledger)
        self.conversions = Conversions(self.ledger)
        self.payouts = Payouts(self.ledger, self.stage.context.settings.payout_daily_limit)
        self.admin = Caller(self.stage.http, ADMIN_TOKEN)
        self.focus = EVERYTHING
        self.shops: list[Shop] = []
        self.sent: list[Sent] = []
        self._nonce = secrets.token_hex(8)
        self._counts: dict[str, int] = {}

    @initialize(focus=st.sampled_from(FOCUSES))
    def open_shops(self, focus: str) -> None:
        """Two merchants with some money, and what most steps are about."""
        self.focus = focus
        merchants = self.stage.all(*(new_merchant(self.stage.http) for _ in range(2)))
        self.shops = self.stage.all(*(self.stage.shop(merchant) for merchant in merchants))
        for shop, wanted in zip(self.shops, (("GBP", "GBP", "NOK", "ISK"), ("GBP",)), strict=True):
            for currency in wanted:
                made = self.stage.do(
                    shop.merchant.post("/v1/accounts", {"name": "till", "currency": currency})
                )
                self.ledger.open(made.json()["id"], shop.id, currency)
        for account in self.ledger.accounts:
            self.deposit_into(account, FUNDS, account.currency)
        self.begin()

    def begin(self) -> None:
        """Something to go on from: each concept's rules add theirs."""

    def deposit_into(self, account: Account, amount: int, currency: str) -> None:
        """Pay in from outside."""
        body = {"account": account.id, "amount": money(amount, currency)}
        refusals = self.movements.against_a_deposit(account, amount, currency)
        made = self.ask(PLATFORM, self.admin, "/v1/deposits", body, refusals, 201)
        if made is not None:
            deposit = self.movements.deposit(made["id"], account, amount)
            reading.agree(made, deposit.shown())

    # Choosing. Rules ask for something that suits them, so that steps are not spent on what is
    # refused anyway; now and then they take something else.

    def pick(self, data: st.DataObject, things: Sequence[T], suited: Sequence[T] = ()) -> T:
        """One of some things, mostly one that is suited."""
        anything = not suited or data.draw(seldom, label="any")
        return data.draw(st.sampled_from(things if anything else suited), label="which")

    def accounts_of(self, shop: Shop, currency: str | None = None) -> list[Account]:
        """A merchant's accounts, of one currency if it is named."""
        return [
            account
            for account in self.ledger.accounts
            if account.merchant == shop.id and currency in (None, account.currency)
        ]

    def shop_of(self, account: Account) -> Shop:
        """Whose account it is."""
        return next(shop for shop in self.shops if shop.id == account.merchant)

    def other_than(self, account: Account) -> Shop:
        """The merchant whose account it is not."""
        return next(shop for shop in self.shops if shop.id != account.merchant)

    # Asking.

    def new_key(self, scope: str) -> str:
        """The next key of a merchant or of the administrator."""
        self._counts[scope] = self._counts.get(scope, 0) + 1
        return f"{self._nonce}-{self._counts[scope]}"

    def ask(
        self,
        scope: str,
        caller: Caller,
        path: str,
        body: Shown,
        refusals: Refusals,
        *statuses: int,
    ) -> Shown | None:
        """A keyed request; its answer, or None if it was refused as it may be."""
        key = self.new_key(scope)
        answer = self.stage.do(caller.post(path, body, key))
        assert "idempotency-replayed" not in answer.headers
        if self.refused(answer, refusals):
            return None
        assert answer.status_code in statuses, (answer.status_code, answer.text, statuses)
        shown: Shown = answer.json()
        self.sent.append(Sent(scope, caller, path, body, key, answer.status_code, shown))
        return shown

    def refused(self, answer: httpx.Response, refusals: Refusals) -> bool:
        """Whether it was to be refused; then it was, with one of the refusals that hold."""
        if refusals:
            assert answer.status_code >= 400, (answer.status_code, answer.text, refusals)
            assert told(answer) in refusals, (told(answer), refusals)
        return bool(refusals)

    # What always holds.

    @invariant()
    def the_service_agrees_with_the_model(self) -> None:
        """Balances, entries, events and whatever has changed are as the model says (section 8)."""
        if self.shops:
            changed, self.ledger.changed = self.ledger.changed, {}
            reading.compare_balances(self.stage, self.ledger, self.shops)
            reading.compare_objects(self.stage, self.ledger, self.shops, changed.values())

    def teardown(self) -> None:
        """Settle what is unknown, and compare everything, the outside parties' books too."""
        try:
            if self.shops:
                self.repeat_all()
                self.settle_all()
                objects: tuple[Subject, ...] = (
                    *self.movements.transfers,
                    *self.cards.payments,
                    *self.conversions.quotes,
                    *self.payouts.payouts,
                )
                reading.compare_lists(self.stage, self.shops, objects)
                reading.compare_events(self.stage, self.ledger, self.shops)
                reading.compare_ledger(self.stage, self.ledger)
        finally:
            for party in (self.parties.psp, self.parties.bank, self.parties.fx):
                party.reset()

    def repeat_all(self) -> None:
        """Send the last request of each kind again, under its key (5.6)."""
        for sent in {one.kind: one for one in self.sent}.values():
            self.repeat(sent, sent.caller)

    def repeat(self, sent: Sent, caller: Caller) -> None:
        """The same under the same key: the same answer, and no effect."""
        again = self.stage.do(caller.post(sent.path, sent.body, sent.key))
        assert (again.status_code, again.json()) == (sent.status, sent.answer)
        assert again.headers["idempotency-replayed"] == "true"

    def settle_all(self) -> None:
        """Leave nothing unknown: each concept's rules add theirs."""


def told(answer: httpx.Response) -> Refusal:
    """An answer's status, and its code if it is a refusal."""
    return Refusal(answer.status_code, answer.json().get("code", ""))


def near(size: int | str, there_is: int) -> int:
    """An amount in minor units: a number, or one at the edge of what there is."""
    extremes = (there_is, there_is + 1, 0, -1)
    return size if isinstance(size, int) else dict(zip(EXTREMES, extremes, strict=True))[size]
