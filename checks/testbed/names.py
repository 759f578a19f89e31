"""The name server simulator: says what it is told to, name by name, over TCP (RFC 7766).

A name may point elsewhere the second time it is asked for. Addresses of IPv4 and of IPv6 are asked
for by questions of their own, so each kind of question has its own count. A name that is not
scripted does not exist.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import suppress
from ipaddress import ip_address

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from checks.testbed.journal import Entry
from checks.testbed.simulator import Simulator

#: Bytes that a message's length is written in.
_LENGTH = 2

#: Seconds that an answer may be kept: none, or it would not be asked for a second time.
_KEPT = 0


class Names(Simulator):
    """One testbed's; its journal is read by name, in lower case.

    An entry's ``method`` is the kind of question, its ``status`` the RCODE, its ``answer`` the
    addresses.
    """

    name = "names"

    def __init__(self) -> None:
        super().__init__()
        self._turns: dict[str, tuple[tuple[str, ...], ...]] = {}
        self._asked: Counter[tuple[str, dns.rdatatype.RdataType]] = Counter()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def ports(self) -> tuple[int, ...]:
        """Its one."""
        return (self.port,)

    def point(self, name: str, turns: tuple[tuple[str, ...], ...]) -> None:
        """Have a name point to these addresses: one tuple for each time, the last one for good.

        Without any it does not exist. Raises ``ValueError`` for what is no address.
        """
        for address in (one for turn in turns for one in turn):
            ip_address(address)
        self._turns[name.lower()] = turns
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            self._asked.pop((name.lower(), kind), None)

    def lift(self) -> None:
        """Know no name any more."""
        self._turns.clear()
        self._asked.clear()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(serving)
        try:
            with suppress(
                ConnectionError, EOFError, asyncio.CancelledError, dns.exception.DNSException
            ):
                await serving
        finally:
            self._tasks.discard(serving)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question after another, until the client leaves or asks nonsense."""
        while True:
            length = int.from_bytes(await reader.readexactly(_LENGTH))
            answer = await self._answer(dns.message.from_wire(await reader.readexactly(length)))
            wire = answer.to_wire()
            writer.write(len(wire).to_bytes(_LENGTH) + wire)
            await writer.drain()

    async def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        for question in query.question:
            name = question.name.to_text(omit_final_dot=True).lower()
            kind = dns.rdatatype.to_text(question.rdtype)
            entry = Entry(time.monotonic(), kind, name, None, "", name)
            await self._journal.note(entry)
            turns = self._turns.get(name)
            addresses = self._addresses(name, turns, question.rdtype) if turns else []
            if not turns:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            if addresses:
                found = dns.rrset.from_text(question.name, _KEPT, "IN", kind, *addresses)
                answer.answer.append(found)
            entry.status, entry.answer = int(answer.rcode()), json.dumps(addresses)
        return answer

    def _addresses(
        self, name: str, turns: tuple[tuple[str, ...], ...], kind: dns.rdatatype.RdataType
    ) -> list[str]:
        """What a name points to this time, of the kind that was asked for."""
        time_ = self._asked[name, kind]
        self._asked[name, kind] += 1
        version = {dns.rdatatype.A: 4, dns.rdatatype.AAAA: 6}.get(kind)
        turn = turns[min(time_, len(turns) - 1)]
        return [one for one in turn if ip_address(one).version == version]
