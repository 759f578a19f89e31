"""All outside parties of a testbed, and how its service reaches them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from checks.testbed.bank import Bank
from checks.testbed.fx import Fx
from checks.testbed.line import Line
from checks.testbed.names import Names
from checks.testbed.notifier import Notifier
from checks.testbed.psp import Psp
from checks.testbed.receiver import Receiver
from checks.testbed.simulator import Party, Simulator
from checks.testbed.taking import ALLOWED


@dataclass(frozen=True, slots=True)
class Simulators:
    """The outside parties; each process of the service has a line of its own to most of them.

    What merchants name, the receiver and where the name server points to, is the same to all. The
    secrets are those with which the PSP and the bank sign what they bring.
    """

    psp: Psp
    fx: Fx
    bank: Bank
    notifier: Notifier
    receiver: Receiver
    names: Names
    psp_secret: str
    bank_secret: str

    @classmethod
    @asynccontextmanager
    async def open(cls, processes: int) -> AsyncIterator[Self]:
        """Running, with keys of their own, for so many processes."""
        async with AsyncExitStack() as stack:
            yield cls(
                await stack.enter_async_context(Psp(_secret(), processes)),
                await stack.enter_async_context(Fx(_secret(), processes)),
                await stack.enter_async_context(Bank(_secret(), processes)),
                await stack.enter_async_context(Notifier(_secret(), processes)),
                await stack.enter_async_context(Receiver()),
                await stack.enter_async_context(Names()),
                _secret(),
                _secret(),
            )

    @property
    def parties(self) -> tuple[Party, ...]:
        """Those that the service is told of."""
        return self.psp, self.fx, self.bank, self.notifier

    @property
    def all(self) -> tuple[Simulator, ...]:
        """Each of them."""
        return *self.parties, self.receiver, self.names

    @property
    def ports(self) -> tuple[int, ...]:
        """All ports that the service may connect to."""
        return tuple(port for simulator in self.all for port in simulator.ports)

    def lines(self, process: int) -> tuple[Line, ...]:
        """The lines of one process."""
        return tuple(party.lines[process] for party in self.parties)

    def environment(self, process: int, folder: Path) -> Mapping[str, str]:
        """What tells one process of the service where they are, and the keys (contract 7.3).

        Whom it is to believe is written into a ``folder`` that it can read.
        """
        believed = folder / "authority.pem"
        believed.write_bytes(self.receiver.certificate)
        believed.chmod(0o644)
        found = {
            "PSP_WEBHOOK_SECRET": self.psp_secret,
            "BANK_WEBHOOK_SECRET": self.bank_secret,
            "DNS_SERVER": f"127.0.0.1:{self.names.port}",
            "WEBHOOK_ALLOWED_CIDRS": f"{ALLOWED}/32",
            "WEBHOOK_CA_FILE": str(believed),
        }
        for party in self.parties:
            name = party.name.upper()
            found[f"{name}_URL"] = party.lines[process].url
            found[f"{name}_API_KEY"] = party.api_key
        return found

    def lift(self) -> None:
        """Have all of them behave again."""
        for simulator in self.all:
            simulator.lift()


def _secret() -> str:
    return secrets.token_urlsafe(24)
