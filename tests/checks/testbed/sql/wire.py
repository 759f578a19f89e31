"""A session of bare frames: what no driver sends, a test can."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import struct
from typing import Self

from checks.testbed.databases import Database


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return kind + struct.pack("!I", len(payload) + 4) + payload


def parse(sql: str, name: str = "") -> bytes:
    return frame(b"P", f"{name}\0{sql}\0".encode() + b"\0\0")


def bind(portal: str = "", name: str = "") -> bytes:
    return frame(b"B", f"{portal}\0{name}\0".encode() + struct.pack("!HHH", 0, 0, 0))


def execute(portal: str = "", limit: int = 0) -> bytes:
    return frame(b"E", f"{portal}\0".encode() + struct.pack("!I", limit))


def query(sql: str) -> bytes:
    return frame(b"Q", sql.encode() + b"\0")


SYNC, FLUSH = frame(b"S"), frame(b"H")


def run(sql: str) -> bytes:
    """One statement of the extended protocol, without a Sync."""
    return parse(sql) + bind() + execute()


class Wire:
    """A connection to a database through an endpoint; an asynchronous context manager."""

    def __init__(self, database: Database, port: int) -> None:
        self._database = database
        self._port = port

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        names = f"user\0{self._database.role}\0database\0{self._database.name}\0\0".encode()
        self._writer.write(struct.pack("!II", len(names) + 8, 196608) + names)
        await self._authenticate()
        await self.until(b"Z")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    def send(self, *frames: bytes) -> None:
        self._writer.write(b"".join(frames))

    def close(self) -> None:
        self._writer.close()

    async def receive(self) -> tuple[bytes, bytes]:
        """The next frame that is neither a notice nor a parameter's status."""
        async with asyncio.timeout(10):
            while True:
                kind = await self._reader.readexactly(1)
                (length,) = struct.unpack("!I", await self._reader.readexactly(4))
                payload = await self._reader.readexactly(length - 4)
                if kind not in (b"N", b"S"):
                    return kind, payload

    async def until(self, wanted: bytes) -> bytes:
        """The types of the frames up to one of that type."""
        kinds = b""
        while not kinds.endswith(wanted):
            kinds += (await self.receive())[0]
        return kinds

    async def _authenticate(self) -> None:
        """SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding."""
        await self.receive()
        nonce = secrets.token_hex(12)
        bare = f"n=,r={nonce}"
        first = f"n,,{bare}".encode()
        self.send(frame(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first))
        answer = (await self.receive())[1][4:].decode()
        said = dict(part.split("=", 1) for part in answer.split(","))
        salted = hashlib.pbkdf2_hmac(
            "sha256", self._database.password.encode(), base64.b64decode(said["s"]), int(said["i"])
        )
        key = hmac.digest(salted, b"Client Key", "sha256")
        without = f"c=biws,r={said['r']}"
        proof = hmac.digest(
            hashlib.sha256(key).digest(), f"{bare},{answer},{without}".encode(), "sha256"
        )
        signed = base64.b64encode(bytes(a ^ b for a, b in zip(key, proof, strict=True))).decode()
        self.send(frame(b"p", f"{without},p={signed}".encode()))
