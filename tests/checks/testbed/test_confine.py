"""Every way of confining a process holds by itself: Landlock without another user, bubblewrap."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.testbed import landlock
from checks.testbed.confine import Confinement, Limits, Mechanism
from checks.testbed.errors import UsageError
from checks.testbed.isolation import Offer, choose, offer
from checks.testbed.order import Order
from checks.testbed.process import CommandError, Exit, Process
from checks.testbed.users import private_user

_OFFERED = offer()
MECHANISMS = [
    pytest.param(
        "landlock", marks=pytest.mark.skipif(not _OFFERED.landlock, reason="no Landlock here")
    ),
    pytest.param(
        "bubblewrap",
        marks=pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap here"),
    ),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="assay-test-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


async def run(command: str, folder: Path, confinement: Confinement) -> Exit:
    order = Order(["sh", "-c", command], {"PATH": "/usr/bin:/bin"}, str(folder), confinement)
    process = await Process.start(order)
    try:
        return await process.exited
    finally:
        await process.end()


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("other_user", [False, True])
async def test_files_outside_are_out_of_reach(
    mechanism: Mechanism, other_user: bool, folder: Path
) -> None:
    if other_user and os.geteuid() != 0:
        pytest.skip("only root can give a process another user")
    with private_user() as uid, tempfile.NamedTemporaryFile("w", prefix="assay-") as secret:
        secret.write("secret")
        secret.flush()
        Path(secret.name).chmod(0o666)
        confinement = Confinement(
            mechanism=mechanism, uid=uid if other_user else None, write=(str(folder),)
        )
        done = await run("echo mine > file; cat file", folder, confinement)
        assert (done.status, done.log) == (0, "mine\n")
        done = await run(f"cat {secret.name}", folder, confinement)
        assert done.status != 0
        assert "secret" not in done.log.replace(secret.name, "")
        done = await run(f"echo more >> {secret.name}", folder, confinement)
        assert done.status != 0
        assert Path(secret.name).read_text() == "secret"
        for path in (str(Path.home()), "/var"):
            done = await run(f"ls {path}", folder, confinement)
            assert done.status != 0


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_processes_outside_are_out_of_reach(mechanism: Mechanism, folder: Path) -> None:
    confinement = Confinement(mechanism=mechanism, write=(str(folder),))
    if mechanism == "landlock" and _OFFERED.landlock < landlock.ABI_SCOPES:
        pytest.skip("this version does not scope signals")
    done = await run(f"kill -0 {os.getpid()}", folder, confinement)
    assert done.status != 0


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_the_filter_holds(mechanism: Mechanism, folder: Path) -> None:
    confinement = Confinement(mechanism=mechanism, write=(str(folder),))
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
    if not shutil.which("python3", path="/usr/bin:/bin"):
        pytest.skip("the system has no Python of its own")
    done = await run(f"python3 -c '{code}'", folder, confinement)
    assert "PermissionError" in done.log


@pytest.mark.parametrize("other_user", [False, True])
async def test_a_fork_bomb_is_ended(other_user: bool, folder: Path) -> None:
    """Ending it is what is proved: the keeper only reports once nothing of it is left."""
    if other_user and os.geteuid() != 0:
        pytest.skip("only root can give a process another user")
    with private_user() as uid:
        confinement = Confinement(
            mechanism="landlock" if _OFFERED.landlock else "none",
            uid=uid if other_user else None,
            write=(str(folder),),
            limits=Limits(processes=40),
        )
        # Alone as root the kernel does not bound processes, so this one bounds itself.
        bomb = "b() { [ $1 -gt 5 ] || { b $(($1+1)) & b $(($1+1)) & sleep 987654; }; }; b 0"
        order = Order(["sh", "-c", bomb], {"PATH": "/usr/bin:/bin"}, str(folder), confinement)
        process = await Process.start(order)
        await process.end()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                assert b"987654" not in words


async def test_pausing_and_resuming_stop_and_go_on(folder: Path) -> None:
    order = Order(
        ["sh", "-c", "while :; do :; done"],
        {"PATH": "/usr/bin:/bin"},
        str(folder),
        Confinement(seccomp=False),
    )
    process = await Process.start(order)
    try:
        await process.pause()
        status = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        assert status == "T"
        await process.resume()
        status = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        assert status != "T"
    finally:
        await process.end()


async def test_a_command_that_is_not_there(folder: Path) -> None:
    order = Order(["no-such-command"], {"PATH": "/usr/bin"}, str(folder), Confinement())
    with pytest.raises(CommandError):
        await Process.start(order)


async def test_too_much_memory_ends_the_tree(folder: Path) -> None:
    limits = Limits(memory=64 * 2**20)
    code = "exec tail /dev/zero"
    done = await run(code, folder, Confinement(limits=limits, seccomp=False))
    assert done.limit == "memory" or "memory" in done.log


def test_the_best_that_there_is_is_chosen() -> None:
    everything = Offer(landlock=7, bubblewrap=True, seccomp=True, other_user=True)
    assert choose(everything, trusted=False).mechanism == "landlock"
    assert choose(everything, trusted=False).network
    old = Offer(landlock=3, bubblewrap=False, seccomp=True, other_user=False)
    assert not choose(old, trusted=True).network
    assert len(choose(old, trusted=True).notes) == 3
    fallback = Offer(landlock=0, bubblewrap=True, seccomp=True, other_user=True)
    assert choose(fallback, trusted=False).mechanism == "bubblewrap"


def test_without_any_only_the_trusted_are_run() -> None:
    nothing = Offer(landlock=0, bubblewrap=False, seccomp=True, other_user=True)
    with pytest.raises(UsageError, match="--trusted"):
        choose(nothing, trusted=False)
    chosen = choose(nothing, trusted=True)
    assert chosen.mechanism == "none"
    assert chosen.notes
