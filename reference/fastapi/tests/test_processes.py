"""Rules 5.8 and 7.5: real processes, stopped and killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping

import httpx
import pytest

from testkit.api import Merchant, money, new_key
from testkit.processes import PATIENCE, PROJECT, process, replica_process
from testkit.psp import FakePsp


@pytest.fixture
def patient(environment: dict[str, str]) -> dict[str, str]:
    """The same service, that waits longer for the PSP than a test takes to kill it."""
    return environment | {"PSP_DEADLINE_SECONDS": "20", "PSP_MAX_ATTEMPTS": "1"}


async def killed_while_paying(
    patient: dict[str, str], merchant: Merchant, fake_psp: FakePsp, body: Mapping[str, object]
) -> str:
    """Kill a replica that has asked the PSP, which did it and did not say so; the key."""
    key = new_key()
    async with replica_process(patient) as (running, http):
        fake_psp.fault = "hang"
        paying = asyncio.create_task(merchant.on(http).post("/v1/payments", body, key))
        async with asyncio.timeout(PATIENCE):
            while not fake_psp.books.keys() & fake_psp.keys():
                await asyncio.sleep(0.01)
        running.kill()
        with pytest.raises(httpx.TransportError):
            await paying
    fake_psp.fault = None
    return key


async def test_a_retry_resumes_what_a_killed_replica_left(
    patient: dict[str, str], merchant: Merchant, fake_psp: FakePsp
) -> None:
    account = await merchant.account()
    body = {"account": account, "amount": money(1000), "payment_method": "tok_ax"}
    key = await killed_while_paying(patient, merchant, fake_psp, body)
    async with asyncio.timeout(PATIENCE):
        while (answer := await merchant.post("/v1/payments", body, key)).status_code == 409:
            assert int(answer.headers["retry-after"]) <= 2
            await asyncio.sleep(0.1)
    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers
    assert len(fake_psp.done("sale")) == 1
    assert len((await merchant.get("/v1/payments")).json()["data"]) == 1
    assert await merchant.balance(account) == (985, 0, 985)


async def test_the_worker_settles_what_a_killed_replica_left_and_stops_when_told(
    environment: dict[str, str], patient: dict[str, str], merchant: Merchant, fake_psp: FakePsp
) -> None:
    account = await merchant.account()
    body = {"account": account, "amount": money(1000), "payment_method": "tok_ax"}
    key = await killed_while_paying(patient, merchant, fake_psp, body)
    with (
        process(environment, "-m", "payments.worker") as one,
        process(environment, "-m", "payments.worker") as two,
    ):
        async with asyncio.timeout(PATIENCE):
            while await merchant.balance(account) != (985, 0, 985):
                await asyncio.sleep(0.05)
        for worker in (one, two):
            assert worker.stdout is not None
            assert b"worker_started" in await asyncio.to_thread(worker.stdout.readline)
            worker.send_signal(signal.SIGTERM)
        for worker in (one, two):
            assert await asyncio.to_thread(worker.wait, PATIENCE) == 0
    answer = await merchant.post("/v1/payments", body, key)
    assert (answer.status_code, answer.json()["status"]) == (201, "captured")
    assert len(fake_psp.done("sale")) == 1
    assert len(await merchant.entries(account)) == 1


def test_a_wrong_environment_is_one_sentence(environment: dict[str, str]) -> None:
    wrong = environment | {"PSP_URL": "ftp://psp", "FEE_BPS": ""}
    for module in (("-m", "payments.worker"), ("-c", "import payments.app as a; a.create_app()")):
        ended = subprocess.run(
            [sys.executable, *module],
            cwd=PROJECT,
            env=os.environ | wrong,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ended.returncode == 1
        assert "PSP_URL" in ended.stderr
        assert "Traceback" not in ended.stderr
