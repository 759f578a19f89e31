"""Deposits and transfers (3.7 and section 4)."""

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

SAME_ACCOUNT = Refusal(422, "same_account")


@dataclass(eq=False)
class Deposit:
    """Money that came in."""

    id: str
    account: Account
    amount: int

    def shown(self) -> Shown:
        """The deposit as the API shows it."""
        amount = money(self.amount, self.account.currency)
        return {"id": self.id, "account": self.account.id, "amount": amount}


@dataclass(eq=False)
class Transfer(Pretty):
    """Money that moved, perhaps back."""

    id: str
    source: Account
    target: Account
    amount: int
    reverses: "Transfer | None" = None
    reversed_by: "Transfer | None" = None

    def __repr__(self) -> str:
        return f"<{self.id[:7]}, {self.amount} from {self.source} to {self.target}>"

    def shown(self) -> Shown:
        """The transfer as the API shows it."""
        return {
            "id": self.id,
            "from": self.source.id,
            "to": self.target.id,
            "amount": money(self.amount, self.source.currency),
            "reverses": self.reverses.id if self.reverses else None,
            "reversed_by": self.reversed_by.id if self.reversed_by else None,
        }


@dataclass
class Movements:
    """What moved without anybody else's help."""

    ledger: Ledger
    transfers: list[Transfer] = field(default_factory=list)

    @property
    def reversible(self) -> list[Transfer]:
        """Those that are neither reversals nor reversed."""
        return [one for one in self.transfers if not one.reverses and not one.reversed_by]

    def against_a_deposit(self, account: Account, amount: int, currency: str) -> Refusals:
        """Why it may be refused."""
        if not is_amount(amount):
            return {INVALID}
        return set() if currency == account.currency else {OTHER_CURRENCY}

    def deposit(self, id_: str, account: Account, amount: int) -> Deposit:
        """Credit an account."""
        made = Deposit(id_, account, amount)
        self.ledger.post("deposit", id_, {account: amount})
        self.ledger.tell("deposit.created", made, account.merchant)
        return made

    def against_a_transfer(
        self, merchant: str, source: Account, target: Account, amount: int, currency: str
    ) -> Refusals:
        """Why it may be refused (4.2)."""
        if not is_amount(amount):
            return {INVALID}
        wrong = {
            NO_ACCOUNT: source.merchant != merchant,
            SAME_ACCOUNT: source is target,
            OTHER_CURRENCY: {source.currency, target.currency} != {currency},
            NO_FUNDS: source.available < amount,
        }
        return {refusal for refusal, holds in wrong.items() if holds}

    def transfer(self, id_: str, source: Account, target: Account, amount: int) -> Transfer:
        """Debit one account and credit the other."""
        made = Transfer(id_, source, target, amount)
        self.transfers.append(made)
        self.ledger.post("transfer", id_, {source: -amount, target: amount})
        self.ledger.tell("transfer.created", made, source.merchant, target.merchant)
        return made

    def against_a_reversal(self, merchant: str, original: Transfer) -> Refusals:
        """Why it may be refused (4.4, 4.5)."""
        wrong = {
            Refusal(403, "forbidden"): original.target.merchant != merchant,
            Refusal(409, "not_reversible"): original.reverses is not None,
            Refusal(409, "already_reversed"): original.reversed_by is not None,
            NO_FUNDS: original.target.available < original.amount,
        }
        return {refusal for refusal, holds in wrong.items() if holds}

    def reverse(self, id_: str, original: Transfer) -> Transfer:
        """Give a transfer back."""
        source, target, amount = original.target, original.source, original.amount
        made = Transfer(id_, source, target, amount, reverses=original)
        self.transfers.append(made)
        original.reversed_by = made
        self.ledger.post("transfer_reversal", id_, {source: -amount, target: amount})
        concerned = (source.merchant, target.merchant)
        self.ledger.tell("transfer.created", made, *concerned)
        self.ledger.tell("transfer.reversed", original, *concerned)
        return made
