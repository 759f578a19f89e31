"""What a check can ask of the broker, and what becomes of testbeds when it goes away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio

from checks.testbed.broker import Broker
from checks.testbed.control import Control
from checks.testbed.driving.schedule import Interleaving, Place, Schedule, Switch
from checks.testbed.errors import SubmissionError, TestbedError
from checks.testbed.fx import true_rate
from checks.testbed.host import Host
from checks.testbed.lease import Lease
from checks.testbed.outside import Bank, Fx, Names, Notifier, Psp, Receiver
from checks.testbed.testbed import Submission
from tests.checks.testbed.probing import RESOLVE

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broker(hostile: Submission) -> AsyncIterator[Broker]:
    async with Broker.open(hostile) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def control(broker: Broker) -> AsyncIterator[Control]:
    async with await Control.connect(broker.socket) as connected:
        yield connected


async def run(lease: Lease, code: str, replica: int = 0) -> object:
    async with httpx.AsyncClient(timeout=30) as client:
        answer = (await client.post(lease.replicas[replica], content=code)).json()
    assert "error" not in answer, answer
    return answer["result"]


async def up(url: str) -> bool:
    async with httpx.AsyncClient(timeout=30) as client:
        try:
            return (await client.get(url)).status_code == 200
        except httpx.TransportError:
            return False


async def test_the_shared_testbed_is_one_and_outlives_its_borrowers(broker: Broker) -> None:
    async with (
        await Control.connect(broker.socket) as one,
        await Control.connect(broker.socket) as other,
    ):
        first, second = await asyncio.gather(one.lease("shared"), other.lease("shared"))
        assert first == second
        await one.release(first)
    assert await up(first.replicas[0])


async def test_an_exclusive_testbed_has_its_own_database_settings_and_end(
    control: Control,
) -> None:
    one = await control.lease("exclusive", worker=False, settings={"FEE_BPS": "77"})
    other = await control.lease("exclusive", worker=False)
    assert await run(one, "import os; result = os.environ['FEE_BPS']") == "77"
    assert one.settings == {"FEE_BPS": "77"}
    assert await run(other, "import os; result = os.environ.get('FEE_BPS')") is None
    observer = await asyncpg.connect(one.observer_dsn)
    await observer.execute("INSERT INTO notes (text) VALUES ('only here')")
    await observer.close()
    observer = await asyncpg.connect(other.observer_dsn)
    assert await observer.fetchval("SELECT count(*) FROM notes") == 1
    await observer.close()
    await control.release(one)
    assert not await up(one.replicas[0])
    assert await up(other.replicas[0])
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(one.observer_dsn)


async def test_hanging_up_ends_what_was_lent(broker: Broker) -> None:
    async with await Control.connect(broker.socket) as borrower:
        lease = await borrower.lease("exclusive", worker=False)
        assert await up(lease.replicas[0])
    async with asyncio.timeout(30):
        while await up(lease.replicas[0]):
            await asyncio.sleep(0.02)


async def test_replicas_are_killed_and_started(control: Control) -> None:
    lease = await control.lease("exclusive", worker=False)
    await control.replica_kill(lease, 1)
    assert [await up(url) for url in lease.replicas] == [True, False]
    await control.replica_start(lease, 1)
    assert await up(lease.replicas[1])
    await control.release(lease)


async def test_the_worker_is_there_only_when_asked_for(control: Control) -> None:
    lease = await control.lease("exclusive", worker=False)
    assert (await control.sql_count(lease, "worker")).sessions == 0
    await control.worker_start(lease)
    async with asyncio.timeout(30):
        while not (await control.sql_count(lease, "worker")).statements:
            await asyncio.sleep(0.02)
    await control.worker_pause(lease)
    await control.worker_resume(lease)
    await control.worker_stop(lease)
    statements = await control.sql_statements(lease, "worker")
    assert any("INSERT INTO notes" in statement.text for statement in statements)
    await control.release(lease)


async def test_statements_are_told_apart_by_replica(control: Control) -> None:
    lease = await control.lease("exclusive", worker=False)
    code = """
import asyncio, asyncpg, os
async def main():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    async with connection.transaction():
        await connection.fetch("SELECT generate_series(1, $1::int)", 5)
    await connection.execute("SELECT 'alone'")
    await connection.close()
asyncio.run(main())
"""
    before = await control.sql_count(lease, 1)
    await run(lease, code + "result = 1", replica=1)
    after = await control.sql_count(lease, 1)
    assert after.statements - before.statements == 4
    assert after.transactions - before.transactions == 2
    assert after.rows - before.rows == 6
    texts = [s.text for s in await control.sql_statements(lease, 1, since=before.statements)]
    assert texts == ["BEGIN;", "SELECT generate_series(1, $1::int)", "COMMIT;", "SELECT 'alone'"]
    assert (await control.sql_count(lease, 0)).statements == 0
    await control.release(lease)


async def test_the_psp_is_scripted_and_its_journal_read(control: Control) -> None:
    lease = await control.lease("shared")
    psp = Psp(control, lease)
    code = """
import http.client, json, os
host = os.environ["PSP_URL"].removeprefix("http://")
connection = http.client.HTTPConnection(host, timeout=20)
body = json.dumps({"token": "tok_b", "amount": "12.50", "currency": "GBP", "capture": True,
                   "reference": "r-1"})
headers = {"Authorization": "Bearer " + os.environ["PSP_API_KEY"], "Idempotency-Key": "NTH",
           "Content-Type": "application/json"}
connection.request("POST", "/v1/authorisations", body, headers)
result = json.loads(connection.getresponse().read())["status"]
"""
    await psp.fault("decline", "sale", token="tok_b", times=1)
    assert await run(lease, code.replace("NTH", "k-1")) == "declined"
    assert await run(lease, code.replace("NTH", "k-2")) == "succeeded"
    hold = await psp.fault("hold", token="tok_b", times=1, effect=True)
    held = asyncio.create_task(run(lease, code.replace("NTH", "k-3")))
    entries = await psp.wait("tok_b", 3, 30)
    assert [entry.effect for entry in entries] == [False, True, True]
    assert not held.done()
    await psp.lift(hold)
    assert await held == "succeeded"
    assert await psp.journal("tok_b", since=1) != entries
    assert await psp.journal("tok_other") == ()


async def test_rates_are_scripted_pair_by_pair_until_all_is_lifted(control: Control) -> None:
    lease = await control.lease("shared")
    fx = Fx(control, lease)
    code = """
import json, os, urllib.request
asked = urllib.request.Request(os.environ["FX_URL"] + "/v1/rates?base=SEK&quote=TND",
                               headers={"Authorization": "Bearer " + os.environ["FX_API_KEY"]})
result = json.loads(urllib.request.urlopen(asked, timeout=20).read())["rate"]
"""
    await fx.tell("SEK", "TND", rate="7")
    await fx.tell("TND", "SEK", rate="8")
    assert await run(lease, code) == "7"
    (entry,) = await fx.journal("SEK/TND")
    assert (entry.simulator, entry.status) == ("fx", 200)
    await control.lift(lease)
    assert await run(lease, code) == f"{true_rate('SEK', 'TND'):f}"
    assert await fx.journal("TND/SEK") == ()


async def test_the_bank_is_scripted_payee_by_payee(control: Control) -> None:
    lease = await control.lease("shared")
    bank = Bank(control, lease)
    code = """
import json, os, urllib.request
order = {"amount": "1.00", "currency": "GBP", "reference": "po_7",
         "payee": {"name": "Rowan Tools", "bank_account": "GB12AB34"}}
asked = urllib.request.Request(os.environ["BANK_URL"] + "/v1/payments", json.dumps(order).encode(),
                               {"Authorization": "Bearer " + os.environ["BANK_API_KEY"],
                                "Idempotency-Key": "po_7"})
result = json.loads(urllib.request.urlopen(asked, timeout=20).read())["status"]
"""
    await bank.conduct("GB12AB34", answers="paid")
    assert await run(lease, code) == "paid"
    told = await bank.become("po_7", "returned", "closed_account")
    assert (told["status"], told["reason"]) == ("returned", "closed_account")
    assert await run(lease, code) == "returned"
    assert [entry.effect for entry in await bank.wait("GB12AB34", 2, 30)] == [True, False]
    with pytest.raises(TestbedError, match="no payment 'po_8'"):
        await bank.become("po_8", "paid")
    assert lease.bank_secret
    assert await run(lease, "import os; result = os.environ['BANK_WEBHOOK_SECRET']") == (
        lease.bank_secret
    )


async def test_messages_are_scripted_payout_by_payout(control: Control) -> None:
    lease = await control.lease("shared")
    notifier = Notifier(control, lease)
    code = """
import json, os, urllib.error, urllib.request
asked = urllib.request.Request(os.environ["NOTIFIER_URL"] + "/v1/messages",
                               json.dumps({"payout": "po_7", "code": "1234"}).encode(),
                               {"Authorization": "Bearer " + os.environ["NOTIFIER_API_KEY"]})
try:
    result = urllib.request.urlopen(asked, timeout=20).status
except urllib.error.HTTPError as error:
    result = error.code
"""
    await notifier.conduct("po_7", status=500)
    assert await run(lease, code) == 500
    await notifier.conduct("po_7")
    assert await run(lease, code) == 202
    assert [entry.status for entry in await notifier.journal("po_7")] == [500, 202]


async def test_the_receiver_is_scripted_and_read(control: Control) -> None:
    lease = await control.lease("shared")
    receiver = Receiver(control, lease)
    code = f"""
import urllib.error, urllib.request
try:
    result = urllib.request.urlopen({receiver.url("/hooks/seven")!r}, b"{{}}", timeout=20).status
except urllib.error.HTTPError as error:
    result = [error.code, error.headers["Retry-After"]]
"""
    await receiver.conduct("/hooks/seven", status=503, retry_after=9)
    assert await run(lease, code) == [503, "9"]
    await receiver.conduct("/hooks/seven")
    assert await run(lease, code) == 204
    entries = await receiver.wait("/hooks/seven", 2, 20)
    assert [(entry.status, entry.address) for entry in entries] == [
        (503, "127.0.0.1"),
        (204, "127.0.0.1"),
    ]
    assert receiver.secure_url("/x", "a") == f"https://a.shops.example:{lease.receiver_tls_port}/x"


async def test_the_name_server_is_scripted_and_read(control: Control) -> None:
    lease = await control.lease("shared")
    names = Names(control, lease)
    await names.point("a.shops.example", "127.0.0.1", ("127.0.0.2", "::1"))
    with pytest.raises(TestbedError, match="cannot point there"):
        await names.point("a.shops.example", "nowhere")
    code = f"{RESOLVE}\nresult = [resolve('a.shops.example') for _ in range(2)]"
    assert await run(lease, code) == ["127.0.0.1", "127.0.0.2"]
    asked = await names.journal("a.shops.example")
    assert [json.loads(entry.answer) for entry in asked] == [["127.0.0.1"], ["127.0.0.2"]]
    await control.lift(lease)
    assert await run(lease, code) == [None, None]


async def test_the_logs_of_every_process_are_read(control: Control) -> None:
    lease = await control.lease("shared")
    await run(lease, "print('said by one', flush=True); result = 0", replica=1)
    async with asyncio.timeout(30):
        while "said by one" not in (logs := await control.logs(lease))[1].text:
            await asyncio.sleep(0.02)
    assert [log.source for log in logs] == ["replica 0", "replica 1", "worker"]


async def test_what_ended_of_its_own_accord_is_told(hostile: Submission) -> None:
    async with (
        Broker.open(hostile) as own,
        await Control.connect(own.socket) as control,
        asyncio.timeout(30),
    ):
        lease = await control.lease("exclusive")
        await control.replica_kill(lease, 1)
        assert await control.endings() == ()
        with suppress(httpx.TransportError):
            await run(lease, "import os; print('last words', flush=True); os._exit(4)")
        while not (told := await control.endings()):
            await asyncio.sleep(0.01)
        assert [(one.how, one.log.source) for one in told] == [
            ("exited with status 4", "replica 0")
        ]
        assert "last words" in told[0].log.text
        await control.release(lease)
        assert await control.endings() == told


async def test_a_request_that_makes_no_sense_is_a_sentence(control: Control) -> None:
    lease = await control.lease("shared")
    for method, params in (
        ("no.such", {}),
        ("logs", {"lease": "unknown"}),
        ("logs", {"lease": lease.id, "surprise": 1}),
        ("sql.count", {"lease": lease.id, "replica": 7}),
        ("psp.fault", {"lease": lease.id, "kind": "unknown"}),
        ("lease", {"kind": "shared", "settings": {"A": "b"}}),
    ):
        with pytest.raises(TestbedError) as raised:
            await control.call(method, **params)
        assert type(raised.value) is TestbedError
        assert str(raised.value).endswith(".")


async def test_nonsense_on_the_socket_ends_that_connection_only(
    broker: Broker, control: Control
) -> None:
    reader, writer = await asyncio.open_unix_connection(str(broker.socket))
    writer.write(b"nonsense\n" + json.dumps([1]).encode() + b"\n")
    assert await reader.read() == b""
    writer.close()
    assert await control.lease("shared")


async def test_a_service_that_does_not_start_is_told_with_its_log(
    host: Host, submission: Callable[..., Path]
) -> None:
    folder = submission("print('a reason'); exit(3)")
    async with (
        Submission.prepare(host, folder) as prepared,
        Broker.open(prepared) as broker,
        await Control.connect(broker.socket) as control,
    ):
        for kind in ("shared", "exclusive"):
            with pytest.raises(SubmissionError) as raised:
                await control.lease(kind)
            assert raised.value.stage == "start"
            assert "a reason" in raised.value.logs[0].text


async def test_the_control_socket_is_out_of_the_service_s_reach(
    control: Control, broker: Broker
) -> None:
    lease = await control.lease("shared")
    code = f"""
import os, socket
result = []
try:
    os.stat({str(broker.socket)!r})
except PermissionError:
    result.append("stat")
try:
    socket.socket(socket.AF_UNIX)
except PermissionError:
    result.append("socket")
"""
    assert await run(lease, code) == ["stat", "socket"]


SPEND = """
import os, asyncio, asyncpg
async def main():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    for _ in range(2):
        await connection.execute("SELECT pg_advisory_xact_lock(4)")
    await connection.close()
asyncio.run(main())
result = "spent"
"""


async def drive(control: Control, lease: Lease, schedule: Schedule) -> Interleaving:
    given = {"lease": lease.id, "schedule": schedule.model_dump(), "replicas": [0, 1]}
    await control.call("drive.begin", **given)

    async def request(replica: int) -> None:
        await run(lease, SPEND, replica)
        await control.call("drive.answered", lease=lease.id, thread=replica, said="200")

    requests = [asyncio.create_task(request(replica)) for replica in (0, 1)]
    course = Interleaving.model_validate(await control.call("drive.run", lease=lease.id))
    await asyncio.gather(*requests)
    return course


async def test_requests_are_driven_through_their_statements(control: Control) -> None:
    lease = await control.lease("exclusive")
    shape = "select pg_advisory_xact_lock(?)"
    switch = Switch(before=Place(thread=1, shape=shape, occurrence=2), to=0)
    for schedule, order in (
        (Schedule(), [0, 0, 1, 1]),
        (Schedule(first=1), [1, 1, 0, 0]),
        (Schedule(first=1, switches=(switch,)), [1, 0, 0, 1]),
    ):
        course = await drive(control, lease, schedule)
        assert course.driven
        assert [thread for thread, _ in course.order] == order
    await control.release(lease)


async def test_what_cannot_be_driven_is_a_sentence(control: Control) -> None:
    lease = await control.lease("exclusive", worker=False)
    given = {"lease": lease.id, "schedule": {}, "replicas": [0]}
    with pytest.raises(TestbedError, match="No run was begun"):
        await control.call("drive.run", lease=lease.id)
    wrongs: list[dict[str, object]] = [
        {"replicas": [7]},
        {"replicas": []},
        {"schedule": {"first": 1}},
    ]
    for wrong in wrongs:
        with pytest.raises(TestbedError, match="a replica or a thread that there is not"):
            await control.call("drive.begin", **{**given, **wrong})
    await control.call("drive.begin", **given)
    with pytest.raises(TestbedError, match="being driven already"):
        await control.call("drive.begin", **given)
    await control.call("drive.abandon", lease=lease.id)
    await control.call("drive.answered", lease=lease.id, thread=0, said="late")
    assert await run(lease, SPEND) == "spent"
    await control.call("drive.begin", **given)
    await control.release(lease)
