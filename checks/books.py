"""The harness's own ledger: what a merchant's accounts must hold, kept beside the service's.

    books = Books()
    books.open(alice, account)
    books.deposit(account, money("100.00 GBP"))
    books.capture(account, payment.amount)
    await books.agree()          # balances and entries, as the API shows them

Rules: contract 3.2, 3.5, 4, 6.13, 6.15, 6.16, 12.3 and 12.13.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from checks.amounts import Money, fee
from checks.shapes import Account, Entry
from checks.tenants import Merchant
from checks.verdicts import Broken, Decision


@dataclass(slots=True)
class _Line:
    account: Account
    owner: Merchant
    entries: Counter[tuple[str, int]] = field(default_factory=Counter)
    held: int = 0

    @property
    def posted(self) -> int:
        return sum(amount * times for (_, amount), times in self.entries.items())


class Books:
    """What the accounts concerned must show. Accounts begin empty."""

    def __init__(self, basis_points: int = 150) -> None:
        self._basis_points = basis_points
        self._lines: dict[str, _Line] = {}

    def open(self, owner: Merchant, account: Account) -> Account:
        """Keep books on an account from now on."""
        self._lines.setdefault(account.id, _Line(account, owner))
        return account

    def deposit(self, account: Account, amount: Money) -> None:
        """A deposit was accepted."""
        self._post(account, "deposit", amount)

    def transfer(
        self, source: Account, target: Account, amount: Money, *, reversal: bool = False
    ) -> None:
        """A transfer, or the reversal of one, was accepted."""
        kind = "transfer_reversal" if reversal else "transfer"
        self._post(source, kind, -amount)
        self._post(target, kind, amount)

    def capture(self, account: Account, captured: Money) -> None:
        """A capture succeeded: net to the account."""
        self._post(account, "capture", captured - fee(captured, self._basis_points))

    def refund(self, account: Account, amount: Money) -> None:
        """A refund succeeded."""
        self._post(account, "refund", -amount)

    def payout(self, account: Account, amount: Money) -> None:
        """A payout was paid."""
        self._post(account, "payout", -amount)

    def hold(self, account: Account, amount: Money) -> None:
        """A refund or a payout was accepted, and its outcome is open."""
        self._lines[account.id].held += amount.amount

    def release(self, account: Account, amount: Money) -> None:
        """Its outcome is known."""
        self._lines[account.id].held -= amount.amount

    async def agree(self, otherwise: type[Decision] = Broken, hint: str = "") -> None:
        """Compare with the service: balances, and every entry; raises ``otherwise`` if not."""
        entries: list[Entry] = []
        for line in self._lines.values():
            entries += await self._compare(line, otherwise, hint)
        self._balanced(entries, otherwise, hint)

    async def agree_entries(self, otherwise: type[Decision] = Broken, hint: str = "") -> None:
        """Compare only what is posted; what is held may be open yet."""
        for line in self._lines.values():
            await self._compare_entries(line, otherwise, hint)

    async def _compare(
        self, line: _Line, otherwise: type[Decision], hint: str
    ) -> tuple[Entry, ...]:
        balance = (await line.owner.account(line.account)).balance
        shown = (balance.posted.amount, balance.held.amount, balance.available.amount)
        wanted = (line.posted, line.held, line.posted - line.held)
        if shown != wanted:
            raise otherwise(
                f"Account {line.account.id} shows posted, held, available = {shown}; by what was"
                f" accepted it must be {wanted} (minor units of {line.account.currency}).",
                hint,
            )
        return await self._compare_entries(line, otherwise, hint)

    async def _compare_entries(
        self, line: _Line, otherwise: type[Decision], hint: str
    ) -> tuple[Entry, ...]:
        entries = await line.owner.entries(line.account)
        found: Counter[tuple[str, int]] = Counter(
            (entry.kind, entry.amount.amount) for entry in entries
        )
        if found != line.entries:
            missing, more = line.entries - found, found - line.entries
            raise otherwise(
                f"Account {line.account.id} lacks the entries {_listed(missing)} and has"
                f" {_listed(more)} beyond what was accepted.",
                hint,
            )
        return entries

    def _balanced(self, entries: list[Entry], otherwise: type[Decision], hint: str) -> None:
        """Transfers between known accounts sum to zero within each transaction (3.3)."""
        sums: Counter[str] = Counter()
        legs: Counter[str] = Counter()
        for entry in entries:
            if entry.kind.startswith("transfer"):
                sums[entry.transaction] += entry.amount.amount
                legs[entry.transaction] += 1
        for transaction, total in sums.items():
            if legs[transaction] > 1 and total:
                raise otherwise(f"The entries of {transaction} sum to {total}, not to zero.", hint)

    def _post(self, account: Account, kind: str, amount: Money) -> None:
        if account.id in self._lines:
            self._lines[account.id].entries[kind, amount.amount] += 1


def _listed(entries: Counter[tuple[str, int]]) -> str:
    return ", ".join(f"{kind} {amount}" for kind, amount in sorted(entries.elements())) or "none"
