"""Where the service runs and how it is ended; and what of its specification only running shows."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest

from checks.testbed.host import DatabaseUpstream, Host
from checks.testbed.ports import is_free, reserve_port
from checks.testbed.sql.proxy import Endpoint
from tests.harness.commands import assay
from tests.harness.commands import environment as of_a_command
from tests.harness.explore.exploring import SERVICES, environment, explored

FASTAPI = SERVICES / "fastapi"

#: A service that is ready and knows nothing; tests add to how it is specified.
PLAIN = """
title = "t"
[service]
start = ["python", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
environment = { A = "{database_url}" }
[[concurrent]]
request = "GET /"
count = 2
"""

#: Two changes of a wallet at once, by a service that runs already.
RUNNING = """
title = "changes of a wallet"
[service]
ready = "/healthz"
running = [
  {{ url = "http://127.0.0.1:{urls[0]}", proxy_port = {proxies[0]} }},
  {{ url = "http://127.0.0.1:{urls[1]}", proxy_port = {proxies[1]} }},
]
[database]
url = "{url}"
[[prepare]]
sql = "INSERT INTO wallets (balance) VALUES (10) RETURNING id"
capture = {{ wallet = "id" }}
[[concurrent]]
request = "POST /wallets/{{wallet}}/changes"
json = {{ amount = 20 }}
count = {count}
[[view]]
request = "GET /wallets/{{wallet}}"
"""


def marked(mark: str) -> list[psutil.Process]:
    """The processes that have a mark in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MARK") == mark:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(("variant", "verdict"), [("racy", "race"), ("for_update", "no race")])
async def test_a_service_that_runs_already_is_explored(
    tmp_path: Path, variant: str, verdict: str
) -> None:
    ports = [reserve_port() for _ in range(4)]
    urls, proxies = [one.port for one in ports[:2]], [one.port for one in ports[2:]]
    async with Host.open(trusted=True) as host:
        database = await host.databases.template()
        upstream = DatabaseUpstream(host.server)
        async with Endpoint(upstream, asyncio.get_running_loop().time()) as real:
            connection = await asyncpg.connect(database.url(real.port))
            await connection.execute((FASTAPI / "schema.sql").read_text())
            await connection.close()
            spec = tmp_path / "running.toml"
            spec.write_text(
                RUNNING.format(urls=urls, proxies=proxies, url=database.url(real.port), count=2)
            )
            services = [
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-c", LATER, str(url)),
                    cwd=FASTAPI,
                    env=of_a_command(
                        VARIANT=variant, DATABASE_URL=database.url(proxy), PROXY=str(proxy)
                    ),
                )
                for url, proxy in zip(urls, proxies, strict=True)
            ]
            try:
                status, found, said = await asyncio.to_thread(explored, tmp_path, spec)
            finally:
                for service in services:
                    service.kill()
                    await service.wait()
    assert found.get("verdict") == verdict, said
    assert status == (1 if verdict == "race" else 0)
    assert all(is_free(port) for port in proxies)


#: Starts the service as soon as its database is there: the proxy listens only while it is explored.
LATER = """
import os, runpy, socket, time
while True:
    try:
        socket.create_connection(("127.0.0.1", int(os.environ["PROXY"]))).close()
        break
    except OSError:
        time.sleep(0.02)
runpy.run_path("app.py", run_name="__main__")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_service_is_ended_however_the_command_is(tmp_path: Path, number: int) -> None:
    mark = f"{tmp_path}-{number}"
    command = [sys.executable, "-m", "harness", "explore", str(FASTAPI / "wallets.toml")]
    own = of_a_command(**environment(MARK=mark, VARIANT="for_update"))
    with subprocess.Popen(command, env=own, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while not any("app.py" in one.cmdline() for one in marked(mark)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, number)
        process.wait(60)
    deadline = time.monotonic() + 30
    while left := marked(mark):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"python", "-m"', '"no-such-program", "-m"', "service: start: The service cannot be exec"),
        ('"-m", "http.server"', '"-c", "print(7); exit(4)"', "exited with status 4 before it was"),
        ("[[concurrent]]", '[database]\nschema = "none.sql"\n[[concurrent]]', "none.sql cannot be"),
        (
            "[[concurrent]]",
            '[database]\nmigrate = ["python", "-c", "exit(5)"]\n[[concurrent]]',
            "database: migrate: The migrate command",
        ),
        (
            "[[concurrent]]",
            '[[prepare]]\nsql = "SELEC 1"\n[[concurrent]]',
            "prepare 1: its SQL was",
        ),
        (
            "[[concurrent]]",
            '[[prepare]]\nrequest = "GET /none"\n[[concurrent]]',
            "prepare 1: GET /none answered 404; 2xx is needed",
        ),
        (
            "[[concurrent]]",
            '[[prepare]]\nsql = "SELECT 1 AS a"\ncapture = { x = "b" }\n[[concurrent]]',
            "prepare 1: capture: x: 'b' is missing: its SQL gave no such column.",
        ),
    ],
)
def test_what_only_running_shows_is_one_sentence(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    spec = tmp_path / "it.toml"
    spec.write_text(PLAIN.replace(old, new))
    done = assay("explore", spec, **environment())
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_and_a_database_that_is_away_are_said(tmp_path: Path) -> None:
    spec = tmp_path / "it.toml"
    nobody = reserve_port()
    url = f"postgresql://u:p@127.0.0.1:{nobody.port}/d"
    spec.write_text(RUNNING.format(urls=[1, 2], proxies=[3, 4], url=url, count=2))
    done = assay("explore", spec)
    assert done.returncode == 2
    assert "database: url: the database cannot be used" in done.stderr


@pytest.mark.parametrize(("variant", "verdict"), [("racy", "race"), ("serializable", "no race")])
def test_three_requests_are_explored_at_once(tmp_path: Path, variant: str, verdict: str) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    for name in ("app.py", "schema.sql", "wallets.toml"):
        (folder / name).write_text((FASTAPI / name).read_text())
    spec = folder / "wallets.toml"
    third = '\n[[concurrent]]\nrequest = "POST /wallets/{wallet}/changes"\njson = { amount = 50 }\n'
    spec.write_text(spec.read_text() + third)
    _, found, said = explored(tmp_path, spec, "--deeper", "4", VARIANT=variant)
    assert found.get("verdict") == verdict, said
    assert len(found["requests"]) == 3
    assert json.dumps(found["probe"]).count("request 3") or verdict == "no race"
