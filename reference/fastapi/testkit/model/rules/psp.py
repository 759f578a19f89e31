"""How the card processor may treat what it is asked, and what can be known of it then."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from testkit.model.cards import Operation
from testkit.model.ledger import Pretty
from testkit.psp import FakePsp

AMBIGUOUS = ("500", "503", "drop", "hang", "nonsense")

DONE = {"succeeded": "succeeded", "declined": "declined"}


@dataclass(frozen=True)
class Mood(Pretty):
    """How it behaves for a while; ``fault`` and ``faults`` are those of ``FakePsp``.

    ``ends`` is what becomes of a new operation as far as the service can know: ``succeeded``,
    ``declined``, ``unknown``, or ``put off`` where nothing was done.
    """

    name: str
    ends: str
    fault: str | None = None
    faults: tuple[str, ...] = ()
    changed: dict[str, object] = field(default_factory=dict)
    declines: bool = False
    hidden: bool = False

    def __repr__(self) -> str:
        return self.name

    @contextmanager
    def of(self, psp: FakePsp) -> Iterator[None]:
        """Let it behave so until the block ends."""
        psp.reset()
        psp.fault, psp.faults, psp.changed = self.fault, list(self.faults), self.changed
        psp.declines, psp.hidden = self.declines, self.hidden
        try:
            yield
        finally:
            psp.reset()

    def looked_up(self, psp: FakePsp, operation: Operation) -> str | None:
        """What a look-up brings, and the same instruction again where it brings nothing (6.20).

        It is told before the look-up is made.
        """
        booked = psp.books.get(operation.key)
        if self.fault == "500":
            return None
        if booked is None:
            return DONE.get(self.ends)
        unheard = self.fault in AMBIGUOUS or self.changed
        return None if unheard else DONE[booked["status"]]


WELL = Mood("well", "succeeded")
HANGS = Mood("hangs", "unknown", fault="hang")

MOODS = (
    WELL,
    Mood("declines", "declined", declines=True),
    Mood("refuses", "declined", fault="422"),
    Mood("is busy", "put off", fault="429"),
    Mood("stumbles", "succeeded", faults=("500",)),
    Mood("drops one reply", "succeeded", faults=("drop",)),
    Mood("drops one, then is busy", "unknown", faults=("drop", "429")),
    Mood("is down", "unknown", fault="500"),
    Mood("drops", "unknown", fault="drop"),
    Mood("is not available, it says", "unknown", fault="503"),
    Mood("declines and drops", "unknown", fault="drop", declines=True),
    Mood("babbles", "unknown", fault="nonsense"),
    Mood("tells another amount", "unknown", changed={"amount": "99999.99"}),
    Mood("tells another word", "unknown", changed={"status": "accepted"}),
    Mood("tells another reference", "unknown", changed={"reference": "op_of_somebody_else"}),
    HANGS,
)

LOOKING = (
    WELL,
    Mood("declines", "declined", declines=True),
    Mood("forgets", "succeeded", hidden=True),
    Mood("is busy", "unknown", fault="429"),
    Mood("is down", "unknown", fault="500"),
    Mood("drops", "unknown", fault="drop"),
    Mood("tells another amount", "unknown", changed={"amount": "99999.99"}),
)
"""While the service asks what became of an operation."""
