"""The receiver simulator takes calls at two addresses, by TLS too, and behaves as scripted."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from checks.testbed.receiver import Receiver
from checks.testbed.taking import ALLOWED, DOMAIN, FORBIDDEN, Taking
from tests.checks.testbed.probing import Prober

#: How a service calls a merchant's server: what it finds in its environment, and the sandbox.
CALL = """
import http.client, os, socket, ssl
def call(address, port, name=None, path="/hooks/inside"):
    connection = socket.create_connection((address, port), timeout=10)
    if name is not None:
        trusted = ssl.create_default_context(cafile=os.environ["WEBHOOK_CA_FILE"])
        connection = trusted.wrap_socket(connection, server_hostname=name)
    client = http.client.HTTPConnection(address, port)
    client.sock = connection
    client.request("POST", path, b"{}", {"webhook-id": "evt_1"})
    return client.getresponse().status
"""


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as running:
        yield running


@pytest_asyncio.fixture
async def client(receiver: Receiver) -> AsyncIterator[httpx.AsyncClient]:
    trusted = ssl.create_default_context(cadata=receiver.certificate.decode())
    once = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(verify=trusted, limits=once, timeout=20) as opened:
        yield opened


async def called(client: httpx.AsyncClient, url: str, **rest: Any) -> httpx.Response:
    return await client.post(url, content=b'{"a": "\xc3\xa9"}', **rest)


async def test_a_call_is_taken_and_stands_in_the_journal(
    receiver: Receiver, client: httpx.AsyncClient
) -> None:
    url = f"http://{ALLOWED}:{receiver.port}/hooks/one?shop=1"
    assert (await called(client, url, headers={"Webhook-Id": "evt_1"})).status_code == 204
    await called(client, f"http://{ALLOWED}:{receiver.port}/hooks/two")
    (entry,) = receiver.journal("/hooks/one")
    assert (entry.simulator, entry.method, entry.path) == ("receiver", "POST", "/hooks/one")
    assert entry.body.encode() == b'{"a": "\xc3\xa9"}'
    assert dict(entry.headers)["webhook-id"] == "evt_1"
    assert (entry.address, entry.server_name) == (ALLOWED, None)
    assert (entry.effect, entry.status) == (True, 204)


async def test_both_addresses_have_the_same_ports(
    receiver: Receiver, client: httpx.AsyncClient
) -> None:
    for scheme, port in (("http", receiver.port), ("https", receiver.tls_port)):
        for address in (ALLOWED, FORBIDDEN):
            await called(client, f"{scheme}://{address}:{port}/hooks/{scheme}")
        assert [entry.address for entry in receiver.journal(f"/hooks/{scheme}")] == [
            ALLOWED,
            FORBIDDEN,
        ]


async def test_tls_is_for_names_of_its_domain_alone(
    receiver: Receiver, client: httpx.AsyncClient
) -> None:
    url = f"https://{ALLOWED}:{receiver.tls_port}/hooks/one"
    for name in (f"alice.{DOMAIN}", f"bob.{DOMAIN}"):
        await called(client, url, extensions={"sni_hostname": name})
    with pytest.raises(httpx.ConnectError, match="certificate"):
        await called(client, url, extensions={"sni_hostname": "alice.example"})
    names = [entry.server_name for entry in receiver.journal("/hooks/one")]
    assert names == [f"alice.{DOMAIN}", f"bob.{DOMAIN}"]


async def test_nobody_else_vouches_for_it(receiver: Receiver) -> None:
    async with Receiver() as stranger, httpx.AsyncClient(timeout=20) as client:
        for one in (receiver, stranger):
            with pytest.raises(httpx.ConnectError):
                await called(client, f"https://{ALLOWED}:{one.tls_port}/")
        assert receiver.certificate != stranger.certificate


@pytest.mark.parametrize(
    ("taking", "status", "headers"),
    [
        (Taking(status=500), 500, {}),
        (Taking(status=410), 410, {}),
        (Taking(status=503, retry_after=7), 503, {"retry-after": "7"}),
        (Taking(status=302, location="http://127.0.0.2:1/"), 302, {"location": "http://127.0.0.2:1/"}),
    ],
)  # fmt: skip
async def test_a_path_is_answered_as_scripted_and_no_other(
    receiver: Receiver,
    client: httpx.AsyncClient,
    taking: Taking,
    status: int,
    headers: dict[str, str],
) -> None:
    base = f"http://{ALLOWED}:{receiver.port}/hooks"
    receiver.conduct("/hooks/one", taking)
    answer = await called(client, f"{base}/one")
    assert answer.status_code == status
    assert headers.items() <= answer.headers.items()
    assert (await called(client, f"{base}/two")).status_code == 204
    receiver.conduct("/hooks/one", None)
    assert (await called(client, f"{base}/one")).status_code == 204
    assert [entry.status for entry in receiver.journal("/hooks/one")] == [status, 204]


async def test_a_path_may_be_scripted_for_a_few_calls(
    receiver: Receiver, client: httpx.AsyncClient
) -> None:
    url = f"http://{ALLOWED}:{receiver.port}/hooks/one"
    receiver.conduct("/hooks/one", Taking(status=500, times=2))
    told = [(await called(client, url)).status_code for _ in range(4)]
    assert told == [500, 500, 204, 204]
    assert [entry.status for entry in receiver.journal("/hooks/one")] == told


async def test_a_call_may_get_no_answer(receiver: Receiver, client: httpx.AsyncClient) -> None:
    url = f"http://{ALLOWED}:{receiver.port}/hooks/one"
    receiver.conduct("/hooks/one", Taking(withheld="drop", done=False))
    with pytest.raises(httpx.TransportError):
        await called(client, url)
    receiver.conduct("/hooks/one", Taking(withheld="hang", done=False))
    hanging = asyncio.create_task(called(client, url))
    await receiver.wait(2, 10, "/hooks/one")
    assert not hanging.done()
    receiver.lift()
    with pytest.raises(httpx.TransportError):
        await hanging
    entries = receiver.journal("/hooks/one")
    assert [(entry.effect, entry.status) for entry in entries] == [(False, None)] * 2


@pytest.mark.asyncio(loop_scope="session")
async def test_a_sandboxed_service_reaches_it_by_what_it_is_told(prober: Prober) -> None:
    receiver = prober.testbed.simulators.receiver
    name = f"inside.{DOMAIN}"
    code = f"""{CALL}
result = [
    call({ALLOWED!r}, {receiver.port}),
    call({FORBIDDEN!r}, {receiver.port}),
    call({ALLOWED!r}, {receiver.tls_port}, {name!r}),
    os.environ["WEBHOOK_ALLOWED_CIDRS"],
]"""
    answer = await prober.run(code)
    assert answer == {"result": [204, 204, 204, f"{ALLOWED}/32"]}
    seen = [(entry.address, entry.server_name) for entry in receiver.journal("/hooks/inside")]
    assert seen == [(ALLOWED, None), (FORBIDDEN, None), (ALLOWED, name)]
    elsewhere = await prober.run(
        f"{CALL}\nresult = call({ALLOWED!r}, {receiver.tls_port}, 'a.example')"
    )
    assert elsewhere["error"] == "SSLCertVerificationError"


@pytest.mark.asyncio(loop_scope="session")
async def test_whom_a_service_believes_is_not_another_testbeds_authority(
    prober: Prober, neighbour: Prober
) -> None:
    believed = (
        "import os, pathlib; result = pathlib.Path(os.environ['WEBHOOK_CA_FILE']).read_text()"
    )
    one, other = await prober.run(believed), await neighbour.run(believed)
    assert one["result"] == prober.testbed.simulators.receiver.certificate.decode()
    assert one != other
    path = "import os; result = os.environ['WEBHOOK_CA_FILE']"
    theirs = str((await neighbour.run(path))["result"])
    assert Path(theirs).exists()
    stolen = await prober.run(f"result = open({theirs!r}).read()")
    assert stolen["error"] == "PermissionError", json.dumps(stolen)
