"""Services that do not run: each has one sentence, a stage and its log, and leaves nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from checks.testbed import ports, preparing, service
from checks.testbed.errors import SubmissionError
from checks.testbed.host import Host
from checks.testbed.testbed import Submission
from tests.checks.testbed.probing import READY

pytestmark = pytest.mark.asyncio(loop_scope="session")

Write = Callable[..., Path]


async def failure(host: Host, folder: Path) -> SubmissionError:
    with pytest.raises(SubmissionError) as raised:
        async with Submission.prepare(host, folder) as prepared, prepared.testbed():
            pass
    assert "\n" not in str(raised.value)
    assert str(raised.value).endswith(".")
    return raised.value


async def test_it_does_not_build(host: Host, submission: Write) -> None:
    folder = submission(READY + "serve()", build='["python", "-c", "print(7); exit(4)"]')
    raised = await failure(host, folder)
    assert raised.stage == "build"
    assert "exited with status 4" in str(raised)
    assert raised.logs[0].text == "7\n"


async def test_a_build_may_write_into_the_copy_and_not_into_the_submission(
    host: Host, submission: Write
) -> None:
    build = """["python", "-c", "open('built.txt', 'w').write('built')"]"""
    folder = submission(READY + "print(open('built.txt').read())\nserve()", build=build)
    async with Submission.prepare(host, folder) as prepared, prepared.testbed() as running:
        assert "built" in (await running.logs())[0].text
    assert not (folder / "built.txt").exists()


async def test_it_does_not_migrate(host: Host, submission: Write) -> None:
    raised = await failure(host, submission(READY, migrate='["python", "-c", "exit(1)"]'))
    assert raised.stage == "migrate"


async def test_its_migration_hangs(
    host: Host, submission: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "MIGRATE_SECONDS", 0.3)
    monkeypatch.setattr(service, "patience", lambda seconds: seconds)
    code = '["python", "-c", "import threading; threading.Event().wait()"]'
    raised = await failure(host, submission(READY, migrate=code))
    assert raised.stage == "migrate"
    assert "did not finish" in str(raised)


async def test_there_is_no_such_command(host: Host, submission: Write) -> None:
    raised = await failure(host, submission(READY, web='["gunicorn", "{port}"]'))
    assert raised.stage == "start"
    assert "gunicorn" in str(raised)


async def test_it_exits_before_it_is_ready(host: Host, submission: Write) -> None:
    raised = await failure(host, submission("import sys; print('half-way'); sys.exit(5)"))
    assert str(raised) == "The service exited with status 5 before it was ready."
    assert raised.stage == "start"
    assert "half-way" in raised.logs[0].text


async def test_it_is_never_ready(
    host: Host, submission: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "READY_SECONDS", 1.5)
    monkeypatch.setattr(service, "patience", lambda seconds: seconds)
    raised = await failure(host, submission(READY.replace("200", "503") + "serve()"))
    assert raised.stage == "ready"
    assert "/readyz did not answer 2xx" in str(raised)


async def test_it_never_listens(
    host: Host, submission: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "READY_SECONDS", 0.5)
    monkeypatch.setattr(service, "patience", lambda seconds: seconds)
    raised = await failure(host, submission("import threading; threading.Event().wait()"))
    assert raised.stage == "start"
    assert "did not listen on the port" in str(raised)


async def test_it_binds_another_port(host: Host, submission: Write) -> None:
    code = READY + "sys.argv[1] = str(int(sys.argv[1]) + 1)\nserve()"
    raised = await failure(host, submission(code))
    assert raised.stage == "start"
    assert "PermissionError" in raised.logs[0].text


async def test_it_prints_without_end(host: Host, submission: Write) -> None:
    code = (
        READY
        + """
import threading
def shout():
    while True:
        print("x" * 10_000)
threading.Thread(target=shout, daemon=True).start()
serve()
"""
    )
    async with (
        Submission.prepare(host, submission(code)) as prepared,
        prepared.testbed(replicas=1) as running,
        httpx.AsyncClient() as client,
    ):
        for _ in range(5):
            answer = await client.get(running.replicas[0].url + "/readyz", timeout=30)
            assert answer.status_code == 200
        log, _ = await running.logs()
        assert log.truncated
        assert len(log.text) <= 64 * 1024


async def test_it_leaves_children_behind(host: Host, submission: Write) -> None:
    code = (
        READY
        + """
import os
read, write = os.pipe()  # closed by the exec
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "987"])
    os._exit(0)
os.close(write)
os.read(read, 1)
serve()
"""
    )
    async with Submission.prepare(host, submission(code)) as prepared:
        async with prepared.testbed() as running:
            assert len(_sleepers()) == 2
            await running.replica(0).kill()
            assert len(_sleepers()) == 1
        assert not _sleepers()


async def test_a_port_that_is_taken_is_passed_over(
    host: Host, submission: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        unlucky = ports.Reservation(taken.getsockname()[1], socket.socket(socket.AF_UNIX))
        given = iter([unlucky, ports.reserve_port()])
        monkeypatch.setattr(service, "reserve_port", lambda: next(given))
        async with (
            Submission.prepare(host, submission(READY + "serve()")) as prepared,
            prepared.testbed(replicas=1) as running,
        ):
            assert running.replicas[0].port != taken.getsockname()[1]


async def test_a_replica_is_killed_and_started_again(host: Host, submission: Write) -> None:
    async with (
        Submission.prepare(host, submission(READY + "serve()")) as prepared,
        prepared.testbed() as running,
        httpx.AsyncClient() as client,
    ):
        replica, url = running.replica(1), running.replica(1).url
        await replica.kill()
        assert not replica.running
        with pytest.raises(httpx.ConnectError):
            await client.get(url)
        assert (await client.get(running.replica(0).url)).status_code == 200
        await replica.start()
        assert replica.url == url
        assert (await client.get(url)).status_code == 200


async def test_it_fills_the_disk_and_is_ended(host: Host, submission: Write) -> None:
    code = (
        READY
        + """
import os, threading
def fill():
    for number in range(10**9):
        with open(f"{os.environ['HOME']}/{number}", "w"):
            pass
threading.Thread(target=fill, daemon=True).start()
serve()
"""
    )
    async with (
        Submission.prepare(host, submission(code)) as prepared,
        prepared.testbed(replicas=1) as running,
    ):
        process = running.replicas[0]._process
        assert process is not None
        exited = await process.exited
        assert exited.limit == "disk"


def _sleepers() -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] == ["sleep", "987"]
    ]
