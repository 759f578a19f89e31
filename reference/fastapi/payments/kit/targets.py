"""Addresses that somebody else names and this service calls: checked, resolved and pinned.

Server-side request forgery (CWE-918): a merchant's address must not lead into our own network,
neither when it is registered nor when it is called, which is why the address that was checked is
the one that is connected to.
"""

import asyncio
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver as NameServer

RESOLVE_SECONDS = 2.0

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_NAT64 = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")


class ForbiddenTargetError(Exception):
    """An address that must not be called; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where an address leads: the path with its query, at a host and port."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> "Target":
        """Read an address.

        Raises:
            ForbiddenTargetError: it is none of http or https with a plain host.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ForbiddenTargetError("it is no address") from None
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or parts.username is not None or parts.fragment:
            raise ForbiddenTargetError("it has to be https, without a user and without a fragment")
        if not (_HOST.fullmatch(host) or _literal(host)):
            raise ForbiddenTargetError("its host is no name")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, host, port or {"http": 80, "https": 443}[parts.scheme], path)

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"

    def pinned(self, address: Address) -> str:
        """The same at one address of its host."""
        literal = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004
        return f"{self.scheme}://{literal}:{self.port}{self.path}"


class Resolver:
    """Finds the addresses of hosts, and says which may be called.

    ``allowed`` are networks that may be called although they are not global, by http too.
    """

    def __init__(self, server: str, allowed: Sequence[Network]) -> None:
        self._allowed = tuple(allowed)
        self._server = _name_server(server) if server else None

    async def resolve(self, target: Target) -> Address:
        """The address to connect to: now, and for this one call.

        Raises:
            ForbiddenTargetError: the host has no address, or one that may not be called.
        """
        addresses = await self._addresses(target.host)
        if not addresses:
            raise ForbiddenTargetError("its host has no address")
        for address in addresses:
            inside = any(address in network for network in self._allowed)
            if not inside and not (target.scheme == "https" and is_global(address)):
                raise ForbiddenTargetError("it has to be https, and reachable from anywhere")
        return addresses[0]

    async def _addresses(self, host: str) -> list[Address]:
        if literal := _literal(host):
            return [literal]
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                if self._server is not None:
                    return await _ask(self._server, host)
                found = await asyncio.get_running_loop().getaddrinfo(
                    host, None, type=socket.SOCK_STREAM
                )
                return [ip_address(one[4][0]) for one in found]
        except (OSError, TimeoutError):
            return []


def is_global(address: Address) -> bool:
    """Whether an address is reachable from anywhere, and so is the one that it stands for.

    An IPv6 address may carry an IPv4 address that a gateway turns it into: mapped (RFC 4291), by
    NAT64 (RFC 6052), 6to4 (RFC 3056) or Teredo (RFC 4380). All else that is global is within
    2000::/3 (RFC 4291, 2.4).
    """
    if isinstance(address, IPv6Address):
        carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            carried.append(IPv4Address(int(address) & 0xFFFFFFFF))
        if any(one is not None and not is_global(one) for one in carried):
            return False
        if address.ipv4_mapped is not None or address in _NAT64:
            return True
        if address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _name_server(address: str) -> "NameServer":
    from dns.asyncresolver import Resolver as NameServer

    host, _, port = address.partition(":")
    found = NameServer(configure=False)
    found.nameservers = [host]
    found.port = int(port or 53)
    found.lifetime = RESOLVE_SECONDS
    return found


async def _ask(server: "NameServer", host: str) -> list[Address]:
    """All addresses that a name server gives for a host, of either family; asked over TCP."""
    from dns.exception import DNSException

    try:
        answers = await asyncio.gather(
            *(
                server.resolve(host, kind, tcp=True, raise_on_no_answer=False)
                for kind in ("A", "AAAA")
            )
        )
    except DNSException:
        return []
    return [ip_address(record.address) for answer in answers for record in (answer.rrset or ())]
