"""Addresses within our own network, in the spellings that a merchant may give them (CWE-918)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from checks.testbed.taking import FORBIDDEN

_HERE = IPv4Address(FORBIDDEN)

#: Where metadata of a cloud's machines is told, and an address of a usual private network.
_METADATA, _PRIVATE = IPv4Address("169.254.169.254"), IPv4Address("10.0.0.5")

#: Teredo (RFC 4380): its prefix and a server that is reachable from anywhere.
_TEREDO, _SERVER = 0x20010000 << 96, int(IPv4Address("65.54.227.120"))

#: Whatever is not reachable from anywhere (IANA's registries of special-purpose addresses).
_LOCAL = (
    "0.0.0.0",  # noqa: S104 - a target, not where anything listens
    "10.0.0.5",
    "100.64.0.9",
    "169.254.169.254",
    "172.16.0.9",
    "172.31.255.9",
    "192.168.1.1",
    "224.0.0.251",
    "::",
    "::1",
    "fd12:3456:789a::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
)


def spellings() -> Iterator[tuple[str, str]]:
    """``FORBIDDEN`` as a URL's host may be written: what it is, and the host."""
    one, two, three, four = FORBIDDEN.split(".")
    yield "as it is", FORBIDDEN
    yield "as one number", str(int(_HERE))
    yield "in hexadecimal", hex(int(_HERE))
    yield "in octal", f"0{int(one):o}.{two}.{three}.0{int(four):o}"
    yield "in short", f"{one}.{four}"
    yield "with a full stop at its end", f"{FORBIDDEN}."


def carriers(address: IPv4Address) -> Iterator[tuple[str, IPv6Address]]:
    """The IPv6 addresses that stand for an IPv4 one (contract 17.2): how, and the address."""
    number = int(address)
    yield "mapped (RFC 4291)", IPv6Address((0xFFFF << 32) | number)
    yield "by NAT64 (RFC 6052)", IPv6Address((0x0064FF9B << 96) | number)
    yield "by 6to4 (RFC 3056)", IPv6Address((0x2002 << 112) | (number << 80) | 1)
    client = number ^ 0xFFFFFFFF
    yield "by Teredo (RFC 4380)", IPv6Address(_TEREDO | (_SERVER << 64) | client)


def elsewhere() -> Iterator[tuple[str, str]]:
    """Other hosts within, which nothing answers at: what it is, and the host."""
    for text in _LOCAL:
        yield text, f"[{text}]" if ":" in text else text
    for address in (_HERE, _METADATA, _PRIVATE):
        for how, carrier in carriers(address):
            yield f"{address} {how}", f"[{carrier}]"
