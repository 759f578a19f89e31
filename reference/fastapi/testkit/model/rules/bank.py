"""How the bank may treat what it is asked, and what can be known of it then."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from testkit.bank import FakeBank
from testkit.model.ledger import Pretty
from testkit.model.payouts import Payout

PUT_OFF = "put off"


@dataclass(frozen=True)
class Mood(Pretty):
    """How the bank behaves while it is asked; ``answers`` is what becomes of a new payment."""

    name: str
    answers: str = "accepted"
    fault: str | None = None
    changed: dict[str, object] = field(default_factory=dict)
    hidden: bool = False

    def __repr__(self) -> str:
        return self.name

    @contextmanager
    def of(self, bank: FakeBank) -> Iterator[None]:
        """Let it behave so until the block ends."""
        bank.reset()
        bank.answers, bank.fault = self.answers, self.fault
        bank.changed, bank.hidden = self.changed, self.hidden
        try:
            yield
        finally:
            bank.reset()

    def tells(self, bank: FakeBank, payout: Payout) -> str | None:
        """What a sync can know: a status of the bank's, ``put off``, or None for nothing.

        It is told before the bank is asked.
        """
        booked = bank.books.get(payout.id)
        found = booked is not None and payout.status != "approved" and not self.hidden
        if self.fault in ("500", "429"):
            return PUT_OFF if self.fault == "429" else None
        unheard = self.fault in ("drop", "nonsense") or self.changed
        if found and booked is not None:
            return None if unheard else str(booked["status"])
        if payout.status not in ("approved", "unknown"):
            return None
        if self.fault == "422":
            return "rejected"
        told = self.answers if booked is None else str(booked["status"])
        return None if unheard else told


WELL = Mood("well")

MOODS = (
    WELL,
    Mood("pays at once", answers="paid"),
    Mood("rejects", answers="rejected"),
    Mood("refuses", fault="422"),
    Mood("is busy", fault="429"),
    Mood("is down", fault="500"),
    Mood("drops", fault="drop"),
    Mood("rejects and drops", answers="rejected", fault="drop"),
    Mood("babbles", fault="nonsense"),
    Mood("tells another amount", changed={"amount": "99999.99"}),
    Mood("forgets", hidden=True),
)
