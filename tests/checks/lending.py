"""A broker that lends one small service, for tests of how checks are run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ADMIN = "admin-token-of-the-harness"

_FACTS = {
    "id": "mer_1",
    "name": "Elm Books",
    "created_at": "2026-01-02T03:04:05Z",
    "owner": {"id": "cli_1", "name": "Elm Books", "role": "owner", "secret": "s"},
}

_TOKEN = {"access_token": "t", "token_type": "Bearer", "expires_in": 900}


class Service:
    """An HTTP server that makes merchants and tokens, and echoes everything else."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode(), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(
        self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        method, path, _ = head.split("\r\n", 1)[0].split(" ")
        length = 0
        for line in head.split("\r\n"):
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                length = int(value)
        body = (await reader.readexactly(length)).decode()
        self.received.append((path, body))
        if path == "/drop":
            writer.close()
            return
        if path == "/hang":
            await asyncio.sleep(3600)
        status, answer = _answered(method, path, head, body)
        content = json.dumps(answer).encode()
        lines = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
        writer.write(f"{lines}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        await writer.drain()


def _answered(method: str, path: str, head: str, body: str) -> tuple[int, Any]:
    if path == "/v1/merchants":
        return 201, _FACTS
    if path == "/v1/token":
        return 200, _TOKEN
    if path.startswith("/status/"):
        return int(path.rpartition("/")[2]), {"code": "asked_for"}
    return 200, {"method": method, "path": path, "head": head, "body": body}


class Lender:
    """Answers the broker's protocol; ``leases`` are the requests for testbeds."""

    def __init__(self, replicas: list[str], socket: Path) -> None:
        self._replicas = replicas
        self._socket = socket
        self.leases: list[dict[str, Any]] = []
        self.released: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            message = json.loads(line)
            answer = {"id": message["id"], **self._answer(message["method"], message["params"])}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    def _answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method == "release":
            self.released.append(params["lease"])
            return {"result": None}
        if method != "lease":
            return {"result": []}
        self.leases.append(params)
        if params["settings"].get("FAIL") == "submission":
            return {"error": "The service exited.", "kind": "submission", "stage": "ready"}
        if params["settings"].get("FAIL") == "machine":
            return {"error": "No room.", "kind": "machine"}
        return {"result": self._lease(f"{params['kind']}-{len(self.leases)}", params["kind"])}

    def _lease(self, name: str, kind: str) -> dict[str, Any]:
        return {
            "id": name,
            "kind": kind,
            "replicas": self._replicas,
            "control": str(self._socket),
            "observer_dsn": "",
            "source": "/submissions/it",
            "admin_token": ADMIN,
            "jwt_public_key": "",
            "public_url": "https://payments.test",
            "settings": {},
        }


@asynccontextmanager
async def lending(folder: Path) -> AsyncIterator[tuple[Lender, Service, Path]]:
    """A running lender of a service with two replicas."""
    service, socket = Service(), folder / "broker.sock"
    servers = [await asyncio.start_server(service.serve, "127.0.0.1", 0) for _ in range(2)]
    replicas = [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in servers]
    lender = Lender(replicas, socket)
    broker = await asyncio.start_unix_server(lender.serve, str(socket))
    try:
        yield lender, service, socket
    finally:
        for server in (*servers, broker):
            server.close()
