"""Schemathesis finds nothing in the reference service.

Few examples by default; ASSAY_SCHEMATHESIS_EXAMPLES=200 makes the full run, of thousands of cases.
What is bent, and why, stands in reference/contract/schemathesis.toml.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

REFERENCE = Path(__file__).parents[2] / "reference"
SERVICE = REFERENCE / "fastapi"
sys.path.insert(0, str(SERVICE))

from testkit import bank, fx, notifier, postgres, psp  # type: ignore[import-not-found]  # noqa: E402
from testkit.api import (  # type: ignore[import-not-found]  # noqa: E402
    ADMIN_TOKEN,
    Merchant,
    money,
    new_merchant,
)

EXAMPLES = os.environ.get("ASSAY_SCHEMATHESIS_EXAMPLES", "8")


def environment_of(
    database_url: str, psp_url: str, fx_url: str, bank_url: str, notifier_url: str
) -> dict[str, str]:
    key = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return os.environ | {
        "DATABASE_URL": database_url,
        "ADMIN_TOKEN": ADMIN_TOKEN,
        "JWT_PRIVATE_KEY": key.decode(),
        "PUBLIC_URL": "https://payments.test",
        "PSP_URL": psp_url,
        "PSP_API_KEY": "key-for-tests",
        "PSP_WEBHOOK_SECRET": "secret-of-notices-for-tests",
        "FX_URL": fx_url,
        "FX_API_KEY": "key-for-tests",
        "BANK_URL": bank_url,
        "BANK_API_KEY": "key-for-tests",
        "BANK_WEBHOOK_SECRET": "secret-of-notices-for-tests",
        "NOTIFIER_URL": notifier_url,
        "NOTIFIER_API_KEY": "key-for-tests",
        "ACCESS_TOKEN_SECONDS": "900",
    }


@contextmanager
def service(environment: dict[str, str], log: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "payments.app:create_app", "--factory"]
    with log.open("wb") as output:
        running = subprocess.Popen(
            [*command, "--no-access-log", "--port", str(port)],
            cwd=SERVICE,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{url}/readyz").raise_for_status()
                break
            except httpx.TransportError:
                assert running.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield url
    finally:
        running.terminate()
        running.wait(10)


async def fill(merchant: Merchant) -> dict[str, list[str]]:
    """Things that exist, by the name of their dictionary."""
    accounts = [await merchant.account(10**9) for _ in range(3)]
    body = {"from": accounts[0], "to": accounts[1], "amount": money(5)}
    transfers = [(await merchant.post("/v1/transfers", body)).json()["id"] for _ in range(3)]
    payments = [
        (await merchant.pay(accounts[0], 5000, capture=number % 2 == 0)).json()["id"]
        for number in range(6)
    ]
    refund = await merchant.post(f"/v1/payments/{payments[0]}/refunds", {"amount": money(5)})
    client = await merchant.post("/v1/clients", {"name": "till", "role": "viewer"})
    euros = await merchant.account(0, "EUR")
    sale = {"from": accounts[0], "to": euros, "amount": money(1000)}
    quotes = [(await merchant.post("/v1/quotes", sale)).json()["id"] for _ in range(6)]
    operator = await merchant.client("operator")
    payout = {
        "account": accounts[2],
        "amount": money(1000),
        "payee": {"name": "Rowan Tools", "bank_account": "GB33BUKB20201555555555"},
    }
    payouts = [(await operator.post("/v1/payouts", payout)).json()["id"] for _ in range(6)]
    shop = {"url": "https://192.0.32.7/"}
    endpoints = [
        (await merchant.post("/v1/webhook-endpoints", shop)).json()["id"] for _ in range(6)
    ]
    events = (await merchant.get("/v1/events", limit=20)).json()["data"]
    return {
        "endpoints": endpoints,
        "events": [event["id"] for event in events],
        "objects": [event["object"] for event in events],
        "accounts": [*accounts, euros],
        "payouts": payouts,
        "quotes": quotes,
        "transfers": transfers,
        "payments": payments,
        "refunds": [refund.json()["id"]],
        "clients": [client.json()["id"]],
    }


@pytest.mark.parametrize("seed", [1])
def test_schemathesis_finds_nothing(tmp_path: Path, seed: int) -> None:
    async def prepare(url: str) -> tuple[str, dict[str, list[str]]]:
        async with httpx.AsyncClient(base_url=url, timeout=20) as http:
            merchant = await new_merchant(http)
            return merchant.token or "", await fill(merchant)

    with (
        postgres.server() as database_url,
        psp.serve() as played,
        fx.serve() as rates,
        bank.serve() as rail,
        notifier.serve() as sender,
    ):
        outside = (played.url, rates.url, rail.url, sender.url)
        environment = environment_of(database_url, *outside)
        migrate = [sys.executable, "-m", "alembic", "upgrade", "heads"]
        subprocess.run(migrate, cwd=SERVICE, env=environment, check=True)
        log = tmp_path / "service.log"
        with service(environment, log) as url:
            token, existing = asyncio.run(prepare(url))
            for name, ids in existing.items():
                (tmp_path / name).write_text("".join(f'"{an_id}"\n' for an_id in ids))
            shutil.copy(REFERENCE / "contract" / "schemathesis.toml", tmp_path)
            run = subprocess.run(
                [
                    *(sys.executable, "-m", "schemathesis.cli"),
                    *("--config-file", str(tmp_path / "schemathesis.toml"), "run"),
                    *(str(REFERENCE / "contract" / "openapi.yaml"), "--url", url),
                    *("-n", EXAMPLES, "--seed", str(seed), "--continue-on-failure"),
                ],
                cwd=tmp_path,
                env=environment | {"CLIENT_TOKEN": token},
                capture_output=True,
                text=True,
                check=False,
            )
        assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
        assert "Tested: 57" in run.stdout
        assert "request_failed" not in log.read_text()
