"""The simulators of a testbed, as the harness scripts them and reads their journals.

Out of band: over the broker, never over the protocols that the service speaks with them.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from checks.evidence import JournalEntry
from checks.testbed.control import Control
from checks.testbed.faults import Fault, FaultKind, Operation
from checks.testbed.fx import Telling
from checks.testbed.lease import Lease

_JOURNAL = TypeAdapter(tuple[JournalEntry, ...])


class Psp:
    """The card processor."""

    def __init__(self, control: Control, lease: Lease) -> None:
        self._control = control
        self._lease = lease

    async def fault(
        self, kind: FaultKind, *operations: Operation, token: str | None = None, **options: Any
    ) -> str:
        """Script a fault (``checks.testbed.faults.Fault``) until it is lifted; gives its id."""
        fault = Fault(kind=kind, operations=operations, token=token, **options)
        given = fault.model_dump(mode="json")
        answer = await self._control.call("psp.fault", lease=self._lease.id, **given)
        return str(answer["fault"])

    async def lift(self, fault: str | None = None) -> None:
        """End one fault, or all; replies that one withheld are let go."""
        await self._control.call("psp.lift", lease=self._lease.id, fault=fault)

    async def publish(self, path: str, body: str) -> str:
        """Have something to be fetched at a URL that the service can reach; gives the URL."""
        given = {"path": path, "body": body}
        return str((await self._control.call("psp.publish", lease=self._lease.id, **given))["url"])

    async def journal(self, card: str | None = None, *, since: int = 0) -> tuple[JournalEntry, ...]:
        """What it was asked, in order, from an entry on; about one card only, if given."""
        given = {"since": since, "token": card}
        found = await self._control.call("psp.journal", lease=self._lease.id, **given)
        return _JOURNAL.validate_python(found)

    async def wait(
        self, card: str | None, entries: int, seconds: float
    ) -> tuple[JournalEntry, ...]:
        """The journal (of a card) as soon as it holds so many entries, or after so many seconds.

        The caller looks at how many there are: running out of time is no error here.
        """
        given = {"entries": entries, "seconds": seconds, "token": card}
        found = await self._control.call("psp.wait", lease=self._lease.id, **given)
        return _JOURNAL.validate_python(found)

    async def under_way(self, card: str | None = None) -> int:
        """How many calls (about a card) wait for its answer at this moment."""
        asked = await self._control.call("psp.under_way", lease=self._lease.id, token=card)
        return int(asked)


class Fx:
    """The provider of rates."""

    def __init__(self, control: Control, lease: Lease) -> None:
        self._control = control
        self._lease = lease

    async def tell(self, base: str, quote: str, **how: Any) -> None:
        """Have a pair's rate told in this way (``checks.testbed.fx.Telling``) from now on."""
        telling = Telling(**how).model_dump(mode="json")
        given = {"base": base, "quote": quote, "telling": telling}
        await self._control.call("fx.tell", lease=self._lease.id, **given)

    async def journal(self, base: str, quote: str) -> tuple[JournalEntry, ...]:
        """What it was asked about a pair, in order."""
        given = {"base": base, "quote": quote}
        found = await self._control.call("fx.journal", lease=self._lease.id, **given)
        return _JOURNAL.validate_python(found)
