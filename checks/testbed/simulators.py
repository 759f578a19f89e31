"""All outside parties of a testbed, and how its service reaches them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self

from checks.testbed.bank import Bank
from checks.testbed.fx import Fx
from checks.testbed.line import Line
from checks.testbed.notifier import Notifier
from checks.testbed.psp import Psp
from checks.testbed.simulator import Simulator


@dataclass(frozen=True, slots=True)
class Simulators:
    """The outside parties; each process of the service has a line of its own to each.

    The secrets are those with which the PSP and the bank sign what they bring.
    """

    psp: Psp
    fx: Fx
    bank: Bank
    notifier: Notifier
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
                _secret(),
                _secret(),
            )

    @property
    def all(self) -> tuple[Simulator, ...]:
        """Each of them."""
        return self.psp, self.fx, self.bank, self.notifier

    @property
    def ports(self) -> tuple[int, ...]:
        """All ports that the service may connect to."""
        return tuple(line.port for simulator in self.all for line in simulator.lines)

    def lines(self, process: int) -> tuple[Line, ...]:
        """The lines of one process."""
        return tuple(simulator.lines[process] for simulator in self.all)

    def environment(self, process: int) -> Mapping[str, str]:
        """What tells one process of the service where they are, and the keys (contract 7.3)."""
        found = {"PSP_WEBHOOK_SECRET": self.psp_secret, "BANK_WEBHOOK_SECRET": self.bank_secret}
        for simulator in self.all:
            name = simulator.name.upper()
            found[f"{name}_URL"] = simulator.lines[process].url
            found[f"{name}_API_KEY"] = simulator.api_key
        return found

    def lift(self) -> None:
        """Have all of them behave again."""
        for simulator in self.all:
            simulator.lift()


def _secret() -> str:
    return secrets.token_urlsafe(24)
