"""Transfers through the reference, beside pgbench sending the same SQL to the same server.

The reference runs as one process, as does pgbench's client; a third way goes through the SQL proxy
as a byte pump. The three take turns, so that ratios are of like with like. Times are taken at half
of what the reference can do, by requests that come at their moments, whether it keeps up or not.
"""

import asyncio
import contextlib
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import asyncpg
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from checks.connections import Connections, Unanswered
from checks.testbed.cluster import binaries
from checks.testbed.postgres import Server, open_server
from harness.loop import run

SERVICE = Path(__file__).parents[2] / "reference" / "fastapi"
SCRIPT = Path(__file__).with_name("transfer.sql")
ADMIN = "administrator-of-the-benchmark"

#: Accounts that transfers are drawn from, requests under way at once, seconds and rounds of a turn.
ACCOUNTS, AT_ONCE, SECONDS, ROUNDS = 400, 8, 4.0, 5

#: Seconds at half of what the reference can do.
STEADY = 8.0

#: Shares and seconds that are wanted: of pgbench's rate, of the rate without the proxy, and the
#: 99th percentile at half of saturation.
OF_PGBENCH, OF_DIRECT, P99 = 0.06, 0.85, 0.1

_FILL = f"""
INSERT INTO accounts (id, merchant_id, name, currency, version, created_at)
SELECT 'acc_' || lpad(n::text, 32, '0'), $1, 'till', 'GBP', 1, now()
FROM generate_series(1, {ACCOUNTS}) n;
"""
_FUND = f"""
INSERT INTO balances (account_id, posted, held)
SELECT 'acc_' || lpad(n::text, 32, '0'), 1000000000, 0 FROM generate_series(1, {ACCOUNTS}) n;
"""


@dataclass
class Service:
    """The reference, as one process."""

    connections: Connections
    pid: int
    token: str = ""

    @property
    def url(self) -> str:
        return self.connections.replicas[0]

    async def transfer(self) -> None:
        """One transfer between two of the accounts."""
        source, target = random.sample(range(1, ACCOUNTS + 1), 2)
        headers = [
            ("Authorization", f"Bearer {self.token}"),
            ("Content-Type", "application/json"),
            ("Idempotency-Key", str(uuid.uuid4())),
        ]
        body = (
            f'{{"from": "acc_{source:032}", "to": "acc_{target:032}",'
            ' "amount": {"amount": 1, "currency": "GBP"}}'
        )
        url = f"{self.url}/v1/transfers"
        answer = await self.connections.send("POST", url, headers, body.encode())
        if answer.status != 201:
            raise RuntimeError(answer.content.decode())

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@cache
def signing_key() -> str:
    """One key for all processes: a token of one is good at another."""
    key = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key.decode()


def environment(url: str) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": url,
        "ADMIN_TOKEN": ADMIN,
        "JWT_PRIVATE_KEY": signing_key(),
        "PUBLIC_URL": "https://payments.bench",
        "PSP_URL": "http://127.0.0.1:9",
        "PSP_API_KEY": "nobody",
        "ACCESS_TOKEN_SECONDS": "900",
    }


@contextlib.asynccontextmanager
async def serving(url: str) -> AsyncIterator[Service]:
    """The reference on a database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "payments.app:create_app", "--factory"),
        *("--no-access-log", "--port", str(port)),
        cwd=SERVICE,
        env=environment(url),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    service = Service(Connections([f"http://127.0.0.1:{port}"]), process.pid)
    try:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(Unanswered):
                    ready = f"{service.url}/readyz"
                    if (await service.connections.send("GET", ready, [], None)).status == 200:
                        break
                await asyncio.sleep(0.005)
        yield service
    finally:
        await service.connections.close()
        process.terminate()
        await process.wait()


async def with_a_merchant(service: Service) -> str:
    """Log a merchant in; its id."""
    json = ("Content-Type", "application/json")
    admin = [json, ("Authorization", f"Bearer {ADMIN}")]
    made = await service.connections.send(
        "POST", f"{service.url}/v1/merchants", admin, b'{"name": "Bench"}'
    )
    merchant, client, secret = re.findall(
        r'"(?:id|secret)":"(mer_\w+|cli_\w+|[^"]+)"', made.content.decode()
    )
    login = f'{{"client_id": "{client}", "client_secret": "{secret}"}}'.encode()
    answer = await service.connections.send("POST", f"{service.url}/v1/token", [json], login)
    found = re.search(r'"access_token":"([^"]+)"', answer.content.decode())
    assert found is not None, answer.content
    service.token = found[1]
    return str(merchant)


async def saturated(service: Service) -> tuple[float, float]:
    """Transfers a second with so many at once, and processor seconds for each."""
    ends, done = time.perf_counter() + SECONDS, 0
    cpu, began = service.cpu(), time.perf_counter()

    async def client() -> None:
        nonlocal done
        while time.perf_counter() < ends:
            await service.transfer()
            done += 1

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return done / (time.perf_counter() - began), (service.cpu() - cpu) / done


async def steady(service: Service, rate: float) -> list[float]:
    """Seconds that transfers take that come at such a rate, counted from when each was due."""
    began, times = time.perf_counter(), []

    async def one(due: float) -> None:
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        await service.transfer()
        times.append(time.perf_counter() - due)

    await asyncio.gather(*(one(began + number / rate) for number in range(int(STEADY * rate))))
    return times


def pgbench(server: Server, merchant: str) -> float:
    """Transactions a second by pgbench, as many at once."""
    command = [
        *(str(binaries() / "pgbench"), "--no-vacuum", "--protocol=prepared"),
        *("-f", str(SCRIPT), "-c", str(AT_ONCE), "-j", "1", "-T", f"{SECONDS:g}"),
        *("-D", f"accounts={ACCOUNTS}", "-D", f"merchant={merchant}"),
        *("-h", server.host, "-p", str(server.port), "-U", server.user, server.database),
    ]
    done = subprocess.run(
        command,
        env=os.environ | {"PGPASSWORD": server.password},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if found is None:
        raise RuntimeError(done.stdout + done.stderr)
    return float(found[1])


@contextlib.asynccontextmanager
async def pumping(server: Server) -> AsyncIterator[str]:
    """The address of the database behind the proxy."""
    proxy = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.bench_proxy", server.host),
        cwd=SERVICE.parents[1],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert proxy.stdout is not None
    assert proxy.stdin is not None
    port = int(await proxy.stdout.readline())
    user = f"{server.user}:{server.password}"
    yield f"postgresql://{user}@127.0.0.1:{port}/{server.database}"
    proxy.stdin.close()
    await proxy.wait()


async def prepare(server: Server, service: Service) -> str:
    merchant = await with_a_merchant(service)
    connection = await asyncpg.connect(server.dsn())
    await connection.execute(_FILL.replace("$1", f"'{merchant}'") + _FUND)
    await connection.close()
    return merchant


async def migrate(server: Server) -> None:
    """Make the reference's tables."""
    await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "alembic", "upgrade", "heads"],
        cwd=SERVICE,
        env=environment(server.dsn()),
        check=True,
    )


async def measure(server: Server) -> None:
    await migrate(server)
    async with (
        pumping(server) as behind,
        serving(server.dsn()) as direct,
        serving(behind) as pumped,
    ):
        merchant = await prepare(server, direct)
        pumped.token = direct.token
        rounds = []
        for _ in range(ROUNDS + 1):
            by_pgbench = await asyncio.to_thread(pgbench, server, merchant)
            rate, cpu = await saturated(direct)
            through, _ = await saturated(pumped)
            rounds.append((by_pgbench, rate, through, cpu))
        bench, rate, through, cpu = (
            statistics.median(column) for column in zip(*rounds[1:], strict=True)
        )
        of_bench = statistics.median(one[1] / one[0] for one in rounds[1:])
        of_direct = statistics.median(one[2] / one[1] for one in rounds[1:])
        print(f"pgbench {bench:.0f} a second; the reference {rate:.0f}, {cpu * 1000:.2f} ms of")
        print(f"processor time each: {of_bench:.1%} of pgbench ({OF_PGBENCH:.0%} at least).")
        print(f"Through the proxy {through:.0f}: {of_direct:.0%} ({OF_DIRECT:.0%} at least).")
        times = sorted(await steady(direct, rate / 2))
        p50, p95, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.95, 0.99))
        print(
            f"At {rate / 2:.0f} a second: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms"
            f" ({P99 * 1000:.0f} at most)."
        )


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        Path(name).chmod(0o711)
        async with open_server(Path(name) / "postgres") as server:
            await measure(server)


if __name__ == "__main__":
    run(main())
