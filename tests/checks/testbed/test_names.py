"""The name server simulator says what it is told to, over TCP."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.asyncresolver
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import pytest
import pytest_asyncio

from checks.testbed.names import Names
from tests.checks.testbed.probing import RESOLVE, Prober


@pytest_asyncio.fixture
async def names() -> AsyncIterator[Names]:
    async with Names() as running:
        yield running


def resolver(names: Names) -> dns.asyncresolver.Resolver:
    made = dns.asyncresolver.Resolver(configure=False)
    made.nameservers, made.port, made.lifetime = ["127.0.0.1"], names.port, 20
    return made


async def addresses(names: Names, name: str, kind: str = "A") -> list[str]:
    answer = await resolver(names).resolve(name, kind, tcp=True, raise_on_no_answer=False)
    return [record.to_text() for record in answer.rrset or ()]


async def test_a_name_points_to_what_was_scripted(names: Names) -> None:
    names.point("shop.example", (("127.0.0.1", "127.0.0.2", "::1"),))
    assert sorted(await addresses(names, "shop.example")) == ["127.0.0.1", "127.0.0.2"]
    assert await addresses(names, "Shop.Example", "AAAA") == ["::1"]
    assert await addresses(names, "shop.example", "MX") == []
    first, second, third = names.journal("shop.example")
    assert (first.simulator, first.method, first.status) == ("names", "A", 0)
    assert json.loads(first.answer) == ["127.0.0.1", "127.0.0.2"]
    assert (second.method, json.loads(second.answer)) == ("AAAA", ["::1"])
    assert third.method == "MX"


async def test_a_name_that_is_not_scripted_does_not_exist(names: Names) -> None:
    with pytest.raises(dns.resolver.NXDOMAIN):
        await addresses(names, "shop.example")
    names.point("shop.example", (("127.0.0.1",),))
    await addresses(names, "shop.example")
    names.lift()
    with pytest.raises(dns.resolver.NXDOMAIN):
        await addresses(names, "shop.example")
    assert [entry.status for entry in names.journal("shop.example")] == [3, 0, 3]


async def test_a_name_points_elsewhere_the_second_time(names: Names) -> None:
    names.point("shop.example", (("127.0.0.1",), ("127.0.0.2", "::1")))
    kinds = ("AAAA", "A", "A", "AAAA", "A")
    told = [await addresses(names, "shop.example", kind) for kind in kinds]
    assert told == [[], ["127.0.0.1"], ["127.0.0.2"], ["::1"], ["127.0.0.2"]]
    names.point("shop.example", (("127.0.0.3",),))
    assert await addresses(names, "shop.example") == ["127.0.0.3"]
    answer = await dns.asyncquery.tcp(
        dns.message.make_query("shop.example", "A"), "127.0.0.1", port=names.port
    )
    assert answer.answer[0].ttl == 0


async def test_a_connection_takes_several_questions_and_is_cut_at_nonsense(names: Names) -> None:
    names.point("shop.example", (("127.0.0.1",),))
    reader, writer = await asyncio.open_connection("127.0.0.1", names.port)
    for kind in ("A", "AAAA"):
        wire = dns.message.make_query("shop.example", kind).to_wire()
        writer.write(struct.pack(">H", len(wire)) + wire)
    for asked in (dns.rdatatype.A, dns.rdatatype.AAAA):
        (length,) = struct.unpack(">H", await reader.readexactly(2))
        answer = dns.message.from_wire(await reader.readexactly(length))
        assert (answer.rcode(), answer.question[0].rdtype) == (dns.rcode.NOERROR, asked)
    writer.write(b"\x00\x03xxx")
    assert await reader.read() == b""
    writer.close()
    assert await addresses(names, "shop.example") == ["127.0.0.1"]


@pytest.mark.parametrize("address", ["localhost", "127.0.0.256", ""])
def test_a_name_points_to_addresses_only(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Names().point("shop.example", ((address,),))


@pytest.mark.asyncio(loop_scope="session")
async def test_a_sandboxed_service_asks_it_and_is_told_otherwise_later(prober: Prober) -> None:
    names = prober.testbed.simulators.names
    names.point("rebound.example", (("127.0.0.1",), ("127.0.0.2",)))
    code = f"{RESOLVE}\nresult = [resolve('rebound.example') for _ in range(3)]"
    assert await prober.run(code) == {"result": ["127.0.0.1", "127.0.0.2", "127.0.0.2"]}
    assert await prober.run(f"{RESOLVE}\nresult = resolve('other.example')") == {"result": None}
    assert len(names.journal("rebound.example")) == 3
