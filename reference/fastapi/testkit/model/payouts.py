"""Payouts and their approval (section 12)."""

from dataclasses import dataclass, field

from testkit.model.ledger import (
    INVALID,
    NO_ACCOUNT,
    NO_FUNDS,
    OTHER_CURRENCY,
    Account,
    Ledger,
    Pretty,
    Refusal,
    Refusals,
    Shown,
    is_amount,
    money,
)

MAX_FAILURES = 5

NOT_YET_ENDED = ("approved", "unknown", "submitted")
NEVER_LEFT = ("cancelled", "rejected", "failed")

_NEXT = {
    "approved": {"submitted", "rejected", "failed", "paid"},
    "unknown": {"submitted", "rejected", "failed", "paid"},
    "submitted": {"failed", "paid"},
    "paid": {"returned"},
}
_BECOMES = {"accepted": "submitted"}


@dataclass(eq=False)
class Client(Pretty):
    """Somebody at a merchant's, with who created it."""

    id: str
    role: str
    created_by: "Client | None" = None

    def __repr__(self) -> str:
        return f"<{self.role} {self.id[:8]}>"

    @property
    def line(self) -> set[str]:
        """Itself, and those that created it, directly or through others (12.8)."""
        return {self.id} | (self.created_by.line if self.created_by else set())


@dataclass(eq=False)
class Payout(Pretty):
    """Money on its way to a bank account; ``codes`` are good, by approver."""

    id: str
    account: Account
    amount: int
    payee: Shown
    makers: list[Client]
    status: str = "awaiting_approval"
    approved_by: Client | None = None
    codes: dict[str, str] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<{self.id[:7]}, {self.status}, {self.amount} of {self.account}>"

    def shown(self) -> Shown:
        """The payout as the API shows it."""
        return {
            "id": self.id,
            "account": self.account.id,
            "amount": money(self.amount, self.account.currency),
            "payee": self.payee,
            "status": self.status,
            "made_by": self.makers[0].id,
            "approved_by": self.approved_by.id if self.approved_by else None,
        }


@dataclass
class Payouts:
    """The payouts that were made; ``daily_limit`` is in minor units of each currency (12.4)."""

    ledger: Ledger
    daily_limit: int
    payouts: list[Payout] = field(default_factory=list)

    def in_status(self, *statuses: str) -> list[Payout]:
        """The payouts of some statuses."""
        return [payout for payout in self.payouts if payout.status in statuses]

    def left_today(self, account: Account) -> int:
        """What may still leave on the day, all being made on one."""
        return self.daily_limit - sum(
            payout.amount
            for payout in self.payouts
            if payout.account.merchant == account.merchant
            and payout.account.currency == account.currency
            and payout.status not in NEVER_LEFT
        )

    def against_a_payout(
        self, merchant: str, account: Account, amount: int, currency: str
    ) -> Refusals:
        """Why it may be refused (12.2)."""
        if not is_amount(amount):
            return {INVALID}
        if account.merchant != merchant:
            return {NO_ACCOUNT}
        return self._against_more(account, amount, currency)

    def _against_more(self, account: Account, more: int, currency: str) -> Refusals:
        wrong = {
            OTHER_CURRENCY: account.currency != currency,
            NO_FUNDS: account.available < more,
            Refusal(422, "daily_limit_exceeded"): more > 0 and more > self.left_today(account),
        }
        return {refusal for refusal, holds in wrong.items() if holds}

    def make(self, id_: str, account: Account, amount: int, payee: Shown, maker: Client) -> Payout:
        """A payout whose amount is held from now on (12.3)."""
        made = Payout(id_, account, amount, payee, [maker])
        self.payouts.append(made)
        self.ledger.hold(account, amount)
        self.ledger.tell("payout.created", made, account.merchant)
        return made

    def against_a_change(self, payout: Payout, amount: int | None, currency: str) -> Refusals:
        """Why it may be refused (12.6)."""
        if amount is not None and not is_amount(amount):
            return {INVALID}
        refusals = self._unless_awaiting(payout, "not_changeable")
        if amount is not None:
            refusals |= self._against_more(payout.account, amount - payout.amount, currency)
        return refusals

    def change(self, payout: Payout, amount: int | None, payee: Shown | None, by: Client) -> None:
        """Other terms; every code is worth nothing any more."""
        before = (payout.amount, payout.payee)
        if amount is not None:
            self.ledger.hold(payout.account, amount - payout.amount)
        payout.amount = payout.amount if amount is None else amount
        payout.payee = payee or payout.payee
        payout.makers.append(by)
        payout.codes.clear()
        if (payout.amount, payout.payee) != before:
            self._tell("changed", payout)

    def against_a_cancellation(self, payout: Payout) -> Refusals:
        """Why it may be refused (12.7)."""
        return self._unless_awaiting(payout, "not_cancellable")

    def _unless_awaiting(self, payout: Payout, code: str) -> Refusals:
        return set() if payout.status == "awaiting_approval" else {Refusal(409, code)}

    def cancel(self, payout: Payout) -> None:
        """Let its money go."""
        payout.status = "cancelled"
        payout.codes.clear()
        self.ledger.hold(payout.account, -payout.amount)
        self._tell("cancelled", payout)

    def against_an_approver(self, payout: Payout, approver: Client) -> Refusals:
        """Why a challenge or an approval may be refused, the code aside (12.8 to 12.11)."""
        if approver.role != "owner":
            return {Refusal(403, "forbidden")}
        refusals = self._unless_awaiting(payout, "not_approvable")
        if approver.line & {maker.id for maker in payout.makers}:
            refusals.add(Refusal(403, "self_approval"))
        if payout.failures.get(approver.id, 0) >= MAX_FAILURES:
            refusals.add(Refusal(403, "approver_blocked"))
        return refusals

    def against_an_approval(self, payout: Payout, approver: Client, code: str) -> Refusals:
        """Why it may be refused; a wrong code counts (12.10, 12.11)."""
        refusals = self.against_an_approver(payout, approver)
        if not refusals and payout.codes.get(approver.id) != code:
            payout.failures[approver.id] = payout.failures.get(approver.id, 0) + 1
            refusals.add(Refusal(422, "code_invalid"))
        return refusals

    def approve(self, payout: Payout, approver: Client) -> None:
        """The bank may be told."""
        payout.status, payout.approved_by = "approved", approver
        payout.codes.clear()
        self._tell("approved", payout)

    def learn(self, payout: Payout, told: str | None) -> None:
        """What the bank says of a payout, or None if nobody can tell what it did (12.13, 12.14)."""
        self.ledger.changed[payout.id] = payout
        if told is None:
            payout.status = "unknown" if payout.status == "approved" else payout.status
            return
        becomes = _BECOMES.get(told, told)
        if becomes == "returned" and "paid" in _NEXT.get(payout.status, ()):
            self._become(payout, "paid")
        if becomes in _NEXT.get(payout.status, ()):
            self._become(payout, becomes)

    def _become(self, payout: Payout, status: str) -> None:
        payout.status = status
        account, amount = payout.account, payout.amount
        if status in ("rejected", "failed", "paid"):
            self.ledger.hold(account, -amount)
        if status == "paid":
            self.ledger.post("payout", payout.id, {account: -amount})
        if status == "returned":
            self.ledger.post("payout_return", payout.id, {account: amount})
        self._tell(status, payout)

    def _tell(self, status: str, payout: Payout) -> None:
        self.ledger.tell(f"payout.{status}", payout, payout.account.merchant)
