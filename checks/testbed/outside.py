"""The simulators of a testbed, as the harness scripts them and reads their journals.

Out of band: over the broker (``checks.testbed.scripting``), never over the protocols that the
service speaks with them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, TypeAdapter

from checks.evidence import JournalEntry
from checks.testbed.bank import BankConduct, Status
from checks.testbed.control import Control
from checks.testbed.faults import (
    Fault,
    FaultKind,
    Operation,
    SettlementFault,
    SettlementFaultKind,
)
from checks.testbed.fx import Telling
from checks.testbed.lease import Lease
from checks.testbed.psp_settlements import Movement
from checks.testbed.simulator import Conduct
from checks.testbed.taking import ALLOWED, DOMAIN, Taking

_JOURNAL = TypeAdapter(tuple[JournalEntry, ...])


class Outside:
    """One of them; what its journal is read by is its own word for what a request is about."""

    name: ClassVar[str]

    def __init__(self, control: Control, lease: Lease) -> None:
        self._control = control
        self._lease = lease

    async def journal(
        self, token: str | None = None, *, since: int = 0
    ) -> tuple[JournalEntry, ...]:
        """What it was asked, in order, from an entry on; about one thing only, if given."""
        given = {"simulator": self.name, "token": token, "since": since}
        return _JOURNAL.validate_python(await self._call("journal", **given))

    async def wait(
        self, token: str | None, entries: int, seconds: float
    ) -> tuple[JournalEntry, ...]:
        """The journal as soon as it holds so many entries, or after so many seconds.

        The caller looks at how many there are: running out of time is no error here.
        """
        given = {"simulator": self.name, "token": token, "entries": entries, "seconds": seconds}
        return _JOURNAL.validate_python(await self._call("wait", **given))

    async def _call(self, method: str, **given: object) -> Any:
        return await self._control.call(method, lease=self._lease.id, **given)


class Psp(Outside):
    """The card processor; its journal is read by card."""

    name = "psp"

    async def fault(
        self, kind: FaultKind, *operations: Operation, token: str | None = None, **options: Any
    ) -> str:
        """Script a fault (``checks.testbed.faults.Fault``) until it is lifted; gives its id."""
        fault = Fault(kind=kind, operations=operations, token=token, **options)
        answer = await self._call("psp.fault", **fault.model_dump(mode="json"))
        return str(answer["fault"])

    async def lift(self, fault: str | None = None) -> None:
        """End one fault, or all; replies that one withheld are let go."""
        await self._call("psp.lift", fault=fault)

    async def publish(self, path: str, body: str) -> str:
        """Have something to be fetched at a URL that the service can reach; gives the URL."""
        return str((await self._call("psp.publish", path=path, body=body))["url"])

    async def told(self, card: str) -> list[dict[str, Any]]:
        """The operations that it has on a card, in order, as notices tell them."""
        return list(await self._call("psp.told", card=card))

    async def moved(self, card: str) -> list[Movement]:
        """The movements of money on a card, in order, as its settlement files tell them."""
        return [Movement(**row) for row in await self._call("psp.moved", card=card)]

    async def close(self, day: str) -> None:
        """Have it close a day, so that there is a settlement file, although it is not over."""
        await self._call("psp.close", day=day)

    async def settlement_fault(self, kind: SettlementFaultKind, **options: Any) -> str:
        """Script a fault of its files (``checks.testbed.faults.SettlementFault``); gives its id."""
        fault = SettlementFault(kind=kind, **options)
        return str((await self._call("psp.settlement", **_dumped(fault)))["fault"])

    async def under_way(self, card: str | None = None) -> int:
        """How many calls (about a card) wait for its answer at this moment."""
        return int(await self._call("psp.under_way", token=card))


class Fx(Outside):
    """The provider of rates; its journal is read by pair, ``GBP/JPY``."""

    name = "fx"

    async def tell(self, base: str, quote: str, /, **how: Any) -> None:
        """Have a pair's rate told in this way (``checks.testbed.fx.Telling``) from now on."""
        await self._call("fx.tell", base=base, quote=quote, telling=_dumped(Telling(**how)))


class Bank(Outside):
    """The bank; its journal is read by the payee's bank account."""

    name = "bank"

    async def conduct(self, bank_account: str, **how: Any) -> None:
        """Have it behave so (``checks.testbed.bank.BankConduct``) towards payments to a payee."""
        conduct = _dumped(BankConduct(**how))
        await self._call("bank.conduct", bank_account=bank_account, conduct=conduct)

    async def become(self, key: str, status: Status, reason: str | None = None) -> dict[str, Any]:
        """Change a payment; what a notice would say of it. ``TestbedError`` if there is none."""
        told: dict[str, Any] = await self._call(
            "bank.become", key=key, status=status, reason=reason
        )
        return told


class Notifier(Outside):
    """The sender of messages; its journal is read by payout, and holds what was to be sent."""

    name = "notifier"

    async def conduct(self, payout: str, **how: Any) -> None:
        """Have it behave so (``checks.testbed.simulator.Conduct``) towards a payout's messages."""
        await self._call("notifier.conduct", payout=payout, conduct=_dumped(Conduct(**how)))


class Receiver(Outside):
    """Merchants' servers; its journal is read by path."""

    name = "receiver"

    async def conduct(self, path: str, **how: Any) -> None:
        """Have it behave so (``checks.testbed.taking.Taking``) towards calls of a path."""
        await self._call("receiver.conduct", path=path, conduct=_dumped(Taking(**how)))

    def url(self, path: str, host: str = ALLOWED) -> str:
        """Where a path is to be called by HTTP."""
        return f"http://{host}:{self._lease.receiver_port}{path}"

    def secure_url(self, path: str, label: str) -> str:
        """Where it is to be called by TLS, under a name that its certificate is of."""
        return f"https://{label}.{DOMAIN}:{self._lease.receiver_tls_port}{path}"


class Names(Outside):
    """The name server; its journal is read by name."""

    name = "names"

    async def point(self, name: str, *turns: str | tuple[str, ...]) -> None:
        """Have a name point to an address, or to several: one turn for each time it is asked for.

        The last turn is for good; ``TestbedError`` for what is no address.
        """
        given = [[turn] if isinstance(turn, str) else list(turn) for turn in turns]
        await self._call("names.point", name=name, turns=given)


def _dumped(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json")
