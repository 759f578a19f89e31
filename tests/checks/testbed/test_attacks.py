"""A hostile submission scans its surroundings, and finds nothing that is not its own."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import psutil
import pytest

from checks.testbed.cache import cache_root
from checks.testbed.host import Host
from checks.testbed.psp import Psp
from checks.testbed.testbed import Testbed
from exercises.places import FLAWS, REFERENCE, ROOT
from tests.checks.testbed.probing import Prober

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFUSED = (errno.EACCES, errno.EPERM)


async def refused(prober: Prober, code: str) -> None:
    answer = await prober.run(code)
    assert answer.get("errno") in REFUSED, answer


async def test_the_prober_can_do_what_a_service_must(prober: Prober) -> None:
    code = """
import asyncio, asyncpg, os, pathlib, socket, ssl, tempfile, threading, zoneinfo
async def main():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    try:
        return await connection.fetchval("SELECT text FROM notes WHERE id = 1")
    finally:
        await connection.close()
with tempfile.TemporaryFile() as stream:
    stream.write(b"mine")
pathlib.Path(os.environ["HOME"], "file").write_text("mine")
host, port = os.environ["PSP_URL"].removeprefix("http://").split(":")
socket.create_connection((host, int(port))).close()
ssl.create_default_context()
threading.Thread(target=print).start()
result = asyncio.run(main())
"""
    assert await prober.run(code) == {"result": "migrated"}


@pytest.mark.parametrize(
    "path",
    [
        "/etc/shadow",
        "/etc/passwd",
        "/proc/1/environ",
        "/proc/self/environ",
        str(ROOT / "pyproject.toml"),
        str(ROOT / "checks/evidence.py"),
        str(REFERENCE / "fastapi/assay.toml"),
        str(REFERENCE / "contract/openapi.yaml"),
        "/dev/mem",
        "/sys/kernel/notes",
    ],
)
async def test_cannot_read_files_of_others(prober: Prober, path: str) -> None:
    answer = await prober.run(f"result = open({path!r}, 'rb').read(10)")
    assert answer.get("errno") in (*REFUSED, errno.ENOENT), answer
    if answer["errno"] == errno.ENOENT:
        assert not os.path.exists(path)  # noqa: PTH110 - what the harness sees of it


@pytest.mark.parametrize(
    "folder", ["/", "/root", "/home", "/tmp", "/var/tmp", "/proc", "/run", str(FLAWS), str(ROOT)]
)
async def test_cannot_list_folders_of_others(prober: Prober, folder: str) -> None:
    await refused(prober, f"import os; result = os.listdir({folder!r})")


async def test_cannot_reach_the_harness_own_folders(prober: Prober, host: Host) -> None:
    for folder in (host.folder, host.private, host.folder / "postgres", cache_root() / "postgres"):
        await refused(prober, f"import os; result = os.listdir({str(folder)!r})")


async def test_cannot_read_another_submission(prober: Prober, host: Host, tmp_path: Path) -> None:
    from checks.testbed.testbed import Submission

    secret = tmp_path / "other"
    secret.mkdir()
    (secret / "assay.toml").write_text(
        '[runtime]\nkind = "python"\n[service]\ncontract = "v1"\nweb = ["true", "{port}"]\n'
    )
    (secret / "requirements.txt").write_text("")
    (secret / "answer.txt").write_text("the other candidate's")
    async with Submission.prepare(host, secret) as other:
        for path in (other.box.folder, other.box.source):
            await refused(prober, f"import os; result = os.listdir({str(path)!r})")
        await refused(prober, f"result = open({str(other.box.source / 'answer.txt')!r}).read()")


async def test_cannot_read_another_replica_s_scratch(prober: Prober, neighbour: Prober) -> None:
    told = await neighbour.run("import os; result = os.environ['HOME']")
    await refused(prober, f"import os; result = os.listdir({told['result']!r})")


@pytest.mark.parametrize(
    "code",
    [
        "open('service.py', 'a')",
        "open('new.py', 'w')",
        "import os; open(os.environ['VIRTUAL_ENV'] + '/bin/new', 'w')",
        "import os; os.remove(os.environ['VIRTUAL_ENV'] + '/pyvenv.cfg')",
        "open('/tmp/assay-attack', 'w')",
        "open('/dev/shm/assay-attack', 'w')",
        "import os; os.chmod('service.py', 0o777)",
        "import os; os.symlink('/etc', 'etc')",
    ],
)
async def test_cannot_write_outside_its_scratch(prober: Prober, code: str) -> None:
    await refused(prober, code)


async def test_links_out_of_its_scratch_lead_nowhere(prober: Prober) -> None:
    code = """
import os
link = os.environ["HOME"] + "/link"
os.path.lexists(link) or os.symlink("/etc/shadow", link)
result = open(link).read()
"""
    await refused(prober, code)


async def test_its_environment_holds_nothing_of_the_harness(prober: Prober) -> None:
    told = await prober.run("import os; result = dict(os.environ)")
    ours = {value for value in os.environ.values() if len(value) > 8}
    allowed = {"C.UTF-8", "/usr/bin:/bin"}
    assert not ours & (set(told["result"].values()) - allowed)
    assert {"DATABASE_URL", "PSP_API_KEY", "ADMIN_TOKEN"} <= set(told["result"])


@pytest.mark.parametrize(
    "arguments",
    [
        "socket.AF_INET, socket.SOCK_DGRAM",
        "socket.AF_INET6, socket.SOCK_DGRAM",
        "socket.AF_INET, socket.SOCK_RAW, 1",
        "socket.AF_INET, socket.SOCK_STREAM, 132",
        "socket.AF_INET, socket.SOCK_STREAM, 262",
        "socket.AF_NETLINK, socket.SOCK_RAW",
        "socket.AF_PACKET, socket.SOCK_RAW",
        "socket.AF_UNIX, socket.SOCK_STREAM",
        "socket.AF_UNIX, socket.SOCK_DGRAM",
        "40, socket.SOCK_STREAM",
    ],
)
async def test_has_no_socket_but_tcp(prober: Prober, arguments: str) -> None:
    await refused(prober, f"import socket; socket.socket({arguments})")


async def test_cannot_connect_to_ports_of_others(
    prober: Prober, neighbour: Prober, host: Host
) -> None:
    other: Testbed = neighbour.testbed
    async with Psp("key") as unrelated:
        ports = [
            other.endpoints[0].port,
            other.simulators.psp.lines[0].port,
            other.replicas[0].port,
            prober.testbed.endpoints[1].port,
            prober.testbed.worker_endpoint.port,
            unrelated.lines[0].port,
            22,
        ]
        for port in ports:
            await refused(
                prober, f"import socket; socket.create_connection(('127.0.0.1', {port}), 3)"
            )


async def test_tcp_fast_open_is_no_way_around(prober: Prober, neighbour: Prober) -> None:
    target = ("127.0.0.1", neighbour.testbed.simulators.psp.lines[0].port)
    code = f"import socket; socket.socket().sendto(b'GET /', socket.MSG_FASTOPEN, {target!r})"
    await refused(prober, code)


async def test_cannot_listen_on_another_port(prober: Prober) -> None:
    await refused(prober, "import socket; socket.socket().bind(('127.0.0.1', 15999))")


async def test_cannot_signal_processes_outside(prober: Prober, neighbour: Prober) -> None:
    outside = [os.getpid(), os.getppid(), 1]
    for pid in outside:
        await refused(prober, f"import os; os.kill({pid}, 0)")
    replica = await neighbour.run("import os; result = os.getpid()")
    await refused(prober, f"import os; os.kill({replica['result']}, 0)")


async def test_cannot_end_its_keeper(prober: Prober) -> None:
    await refused(prober, "import os; os.kill(os.getppid(), 9)")


@pytest.mark.parametrize(
    "call",
    [
        "ptrace(0, 0, 0, 0)",
        "unshare(0x10000000)",
        "mount(b'none', b'/mnt', b'tmpfs', 0, None)",
        "setns(0, 0)",
        "shmget(0, 4096, 0o1600)",
        "memfd_create(b'x', 0)",
        "personality(0)",
        "syscall(250, 0, 0, 0)",
        "syscall(321, 0, 0, 0)",
        "syscall(298, 0, 0, 0, 0)",
        "syscall(304, 0, 0, 0)",
        "syscall(310, 1, 0, 0, 0, 0, 0)",
    ],
)
async def test_system_calls_that_no_service_needs_are_refused(prober: Prober, call: str) -> None:
    if call.startswith("syscall") and os.uname().machine != "x86_64":
        pytest.skip("these numbers are of x86_64")
    code = f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
assert libc.{call} == -1
raise OSError(ctypes.get_errno(), "refused")
"""
    await refused(prober, code)


async def test_clone_cannot_make_namespaces_and_io_uring_is_unknown(prober: Prober) -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.syscall(425, 8, None) == -1
result = [ctypes.get_errno()]
assert libc.syscall(435, None, 0) == -1
result.append(ctypes.get_errno())
"""
    assert (await prober.run(code)) == {"result": [errno.ENOSYS, errno.ENOSYS]}


async def test_a_fork_bomb_is_bounded(prober: Prober) -> None:
    code = """
import os, time
made = []
try:
    while len(made) < 2000:
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(0)
        made.append(pid)
except BlockingIOError:
    pass
for pid in made:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
result = len(made)
"""
    answer = await prober.run(code)
    assert 0 < answer["result"] < 256


async def test_memory_is_bounded(prober: Prober) -> None:
    answer = await prober.run("result = len(bytearray(3 * 2**30))")
    assert answer["error"] == "MemoryError"


async def test_files_are_bounded(prober: Prober) -> None:
    code = """
import os

path = os.environ["HOME"] + "/large"
try:
    with open(path, "wb") as stream:
        stream.truncate(10 * 2**30)
finally:
    os.remove(path)
"""
    assert (await prober.run(code))["errno"] == errno.EFBIG


async def test_runs_as_a_user_of_its_own(prober: Prober, neighbour: Prober) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a process another user")
    users = set()
    for where in (prober, neighbour):
        for replica in (0, 1):
            code = "import os; result = [os.getresuid(), os.getgroups()]"
            user, groups = (await where.run(code, replica))["result"]
            assert groups == [] and len(set(user)) == 1
            users.add(user[0])
    assert len(users) == 4 and 0 not in users
    owner = {psutil.Process(p.pid).uids().real for p in psutil.process_iter() if p.pid == 1}
    assert owner.isdisjoint(users)
