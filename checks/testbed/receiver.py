"""The receiver simulator: merchants' servers of the contract's section 17, over HTTP and TLS.

One stands for the servers of all merchants: an endpoint is told from the others by its path, and
behaves as is scripted for that path. It listens at two addresses, of which the service may call the
first and not the second, on the same ports; nothing of it is beyond the loopback interface. What is
asked of it stands in its journal with headers, address and TLS server name.
"""

from __future__ import annotations

from dataclasses import replace

from checks.testbed.certificates import Authority
from checks.testbed.http import Answer, HttpServer, Received
from checks.testbed.simulator import Conducts, Simulator, entry_of
from checks.testbed.taking import ALLOWED, DOMAIN, FORBIDDEN, Taking

_TAKEN = Answer(204, "")


class Receiver(Simulator):
    """One testbed's; its journal is read by path. What is not scripted is answered 204."""

    name = "receiver"

    def __init__(self) -> None:
        super().__init__()
        self._takings = Conducts(Taking())
        self._left: dict[str, int] = {}
        authority = Authority.of((f"*.{DOMAIN}",), (ALLOWED, FORBIDDEN))
        self.certificate = authority.certificate
        self._plain = HttpServer(self._answer, (ALLOWED, FORBIDDEN))
        self._secured = HttpServer(self._answer, (ALLOWED, FORBIDDEN), authority.tls)

    @property
    def port(self) -> int:
        """That of HTTP."""
        return self._plain.port

    @property
    def tls_port(self) -> int:
        """That of HTTP over TLS."""
        return self._secured.port

    @property
    def ports(self) -> tuple[int, ...]:
        """Both, which are the same at each address."""
        return self.port, self.tls_port

    def conduct(self, path: str, taking: Taking | None) -> None:
        """Behave so towards calls of this path; ``None``: take them."""
        self._takings.set(path, taking)
        self._left.pop(path, None)
        if taking is not None and taking.times is not None:
            self._left[path] = taking.times

    def lift(self) -> None:
        """Take every call."""
        self._takings.lift()
        self._left.clear()

    async def _start(self) -> None:
        await self._plain.start()
        await self._secured.start()

    async def _stop(self) -> None:
        await self._plain.stop()
        await self._secured.stop()

    async def _answer(self, received: Received) -> Answer | None:
        entry = entry_of(received, received.path)
        entry.headers = tuple(received.headers.items())
        entry.address, entry.server_name = received.address, received.server_name
        self._count(received.path)
        taking = self._takings.about(received.path)
        entry.effect = taking.done
        if taking.withheld:
            await self._journal.note(entry)
            return await self._takings.said(received.path, _TAKEN)
        said = await self._takings.said(received.path, _TAKEN)
        if said is not None and taking.headers:
            said = replace(said, headers=taking.headers)
        # What is read of it is whole as soon as it can be read.
        entry.ended(said)
        await self._journal.note(entry)
        return said

    def _count(self, path: str) -> None:
        """One more call of a path; when all that were scripted have come, it behaves again."""
        left = self._left.get(path)
        if left == 0:
            self.conduct(path, None)
        elif left is not None:
            self._left[path] = left - 1
