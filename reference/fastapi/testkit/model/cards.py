"""Card payments (section 6)."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

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

FEE_BPS = 150

PENDING = Refusal(409, "operation_pending")


def share(amount: int, basis_points: int) -> int:
    """A share of an amount in hundredths of a per cent, rounded half to even (6.15, 10.2)."""
    exact = Decimal(amount) * basis_points / 10_000
    return int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))


@dataclass(eq=False)
class Refund:
    """Captured money on its way back."""

    id: str
    payment: "Payment"
    amount: int
    status: str = "unknown"

    def shown(self) -> Shown:
        """The refund as the API shows it."""
        amount = money(self.amount, self.payment.currency)
        shown = {"id": self.id, "payment": self.payment.id, "amount": amount}
        return shown | {"status": self.status}


@dataclass(eq=False)
class Operation(Pretty):
    """What the PSP was asked under a key; open until its end is known."""

    key: str
    kind: str
    payment: "Payment"
    amount: int
    refund: Refund | None = None
    status: str = "unknown"

    def __repr__(self) -> str:
        return f"<{self.kind} {self.status}, {self.amount}>"


@dataclass(eq=False)
class Payment(Pretty):
    """A card payment, in minor units."""

    id: str
    account: Account
    amount: int
    capture: bool
    status: str = "unknown"
    captured: int = 0
    refunds: list[Refund] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)

    def __repr__(self) -> str:
        given_back = [(refund.amount, refund.status) for refund in self.refunds]
        return f"<{self.id[:8]}, {self.status}, {self.captured} of {self.amount}, {given_back}>"

    @property
    def currency(self) -> str:
        """That of its account."""
        return self.account.currency

    @property
    def open(self) -> list[Operation]:
        """What has no known end."""
        return [operation for operation in self.operations if operation.status == "unknown"]

    @property
    def busy(self) -> bool:
        """Whether something is open that may change its status (6.7)."""
        return any(operation.kind != "refund" for operation in self.open)

    def refunded(self, *statuses: str) -> int:
        """What its refunds of some statuses come to."""
        return sum(refund.amount for refund in self.refunds if refund.status in statuses)

    @property
    def refundable(self) -> int:
        """What is left of the capture, what is under way taken off (6.12)."""
        return self.captured - self.refunded("succeeded", "unknown")

    def shown(self) -> Shown:
        """The payment as the API shows it."""
        return {
            "id": self.id,
            "account": self.account.id,
            "amount": money(self.amount, self.currency),
            "status": self.status,
            "capture": self.capture,
            "captured": money(self.captured, self.currency),
            "refunded": money(self.refunded("succeeded"), self.currency),
            "fee": money(share(self.captured, FEE_BPS), self.currency),
            "refunds": [refund.shown() for refund in self.refunds],
        }


@dataclass
class Cards:
    """Payments, and what the PSP was asked about them."""

    ledger: Ledger
    payments: list[Payment] = field(default_factory=list)

    def in_status(self, *statuses: str) -> list[Payment]:
        """The payments of some statuses."""
        return [payment for payment in self.payments if payment.status in statuses]

    @property
    def open(self) -> list[Payment]:
        """The payments with operations that have no known end."""
        return [payment for payment in self.payments if payment.open]

    def against_a_payment(
        self, merchant: str, account: Account, amount: int, currency: str
    ) -> Refusals:
        """Why it may be refused before the PSP is asked (6.1)."""
        if not is_amount(amount):
            return {INVALID}
        wrong = {
            NO_ACCOUNT: account.merchant != merchant,
            OTHER_CURRENCY: account.currency != currency,
        }
        return {refusal for refusal, holds in wrong.items() if holds}

    def pay(self, id_: str, key: str, account: Account, amount: int, capture: bool) -> Operation:
        """A payment of which the PSP was told."""
        payment = Payment(id_, account, amount, capture)
        self.payments.append(payment)
        return self._begin(key, "sale" if capture else "authorisation", payment, amount)

    def against_a_capture(
        self, payment: Payment, amount: int | None, currency: str | None
    ) -> Refusals:
        """Why it may be refused (6.7, 6.9)."""
        if amount is not None and not is_amount(amount):
            return {INVALID}
        refusals = self._against_a_change(payment, "not_capturable")
        if currency not in (None, payment.currency):
            refusals.add(OTHER_CURRENCY)
        if amount is not None and amount > payment.amount:
            refusals.add(Refusal(422, "amount_too_large"))
        return refusals

    def against_a_void(self, payment: Payment) -> Refusals:
        """Why it may be refused (6.7, 6.10)."""
        return self._against_a_change(payment, "not_voidable")

    def _against_a_change(self, payment: Payment, code: str) -> Refusals:
        refusals = {PENDING} if payment.busy else set()
        if payment.busy or payment.status != "authorised":
            refusals.add(Refusal(409, code))
        return refusals

    def change(self, key: str, kind: str, payment: Payment, amount: int) -> Operation:
        """A capture or void of which the PSP was told."""
        return self._begin(key, kind, payment, amount)

    def against_a_refund(self, payment: Payment, amount: int, currency: str) -> Refusals:
        """Why it may be refused (6.12)."""
        if not is_amount(amount):
            return {INVALID}
        wrong = {
            Refusal(409, "not_refundable"): payment.captured == 0,
            Refusal(422, "refund_exceeds_capture"): amount > payment.refundable,
            NO_FUNDS: amount > payment.account.available,
            OTHER_CURRENCY: currency != payment.currency,
        }
        return {refusal for refusal, holds in wrong.items() if holds}

    def refund(self, id_: str, key: str, payment: Payment, amount: int) -> Operation:
        """A refund of which the PSP was told; its amount is held from now on (6.13)."""
        refund = Refund(id_, payment, amount)
        payment.refunds.append(refund)
        self.ledger.hold(payment.account, amount)
        return self._begin(key, "refund", payment, amount, refund)

    def _begin(
        self, key: str, kind: str, payment: Payment, amount: int, refund: Refund | None = None
    ) -> Operation:
        begun = Operation(key, kind, payment, amount, refund)
        payment.operations.append(begun)
        self.ledger.changed[payment.id] = payment
        return begun

    def settle(self, operation: Operation, ended: str | None, exact: bool = True) -> None:
        """What is learnt of an operation: ``succeeded``, ``declined``, or nothing.

        ``exact``: no other was learnt of at the same moment, so that the events' data is known.
        """
        if ended is None or operation.status != "unknown":
            return
        operation.status = ended
        payment, done = operation.payment, ended == "succeeded"
        first = operation.kind in ("authorisation", "sale")
        if operation.refund is not None:
            self._end_refund(operation.refund, done)
        elif operation.kind in ("sale", "capture") and done:
            self._capture(payment, operation.amount)
        elif done:
            payment.status = {"authorisation": "authorised", "void": "voided"}[operation.kind]
        elif first:
            payment.status = "declined"
        self.ledger.changed[payment.id] = payment
        merchant = payment.account.merchant
        if done or first:
            self.ledger.tell(f"payment.{payment.status}", payment, merchant, exact=exact)
        if operation.refund is not None:
            kind = f"refund.{operation.refund.status}"
            self.ledger.tell(kind, operation.refund, merchant, exact=exact)

    def _capture(self, payment: Payment, amount: int) -> None:
        payment.status, payment.captured = "captured", amount
        net = amount - share(amount, FEE_BPS)
        self.ledger.post("capture", payment.id, {payment.account: net})

    def _end_refund(self, refund: Refund, done: bool) -> None:
        payment = refund.payment
        refund.status = "succeeded" if done else "failed"
        self.ledger.hold(payment.account, -refund.amount)
        if done:
            self.ledger.post("refund", refund.id, {payment.account: -refund.amount})
            whole = payment.refunded("succeeded") == payment.captured
            payment.status = "refunded" if whole else "partially_refunded"

    def expire(self, payment: Payment) -> None:
        """An authorisation that the PSP says has run out (6.27)."""
        if payment.status == "authorised":
            payment.status = "expired"
            self.ledger.tell("payment.expired", payment, payment.account.merchant)
