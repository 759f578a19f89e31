"""Which ports testbeds are given."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import subprocess
import sys

import pytest

from checks.testbed import ports
from checks.testbed.errors import MachineError

RESERVING = """
import random, sys
from checks.testbed import ports
ports.random = random.Random(int(sys.argv[1]))
reserved = ports.reserve_port()
print(reserved.port, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def one_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """The only port that there is to choose."""
    reserved = ports.reserve_port()
    reserved.release()
    monkeypatch.setattr(ports, "_PORTS", range(reserved.port, reserved.port + 1))
    monkeypatch.setattr(random, "sample", lambda among, _: list(among))
    return reserved.port


def test_a_reserved_port_is_nobody_elses_though_nobody_listens_on_it_yet(one_port: int) -> None:
    mine = ports.reserve_port()
    assert mine.port == one_port
    assert ports.is_free(one_port)
    with pytest.raises(MachineError, match="No free TCP port"):
        ports.reserve_port()
    mine.release()
    assert ports.reserve_port().port == one_port


def test_another_harness_is_given_another_port_and_its_end_frees_its_own() -> None:
    seed = 20_261_121
    with subprocess.Popen(
        [sys.executable, "-c", RESERVING, str(seed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        theirs = int(other.stdout.readline())
        mine = _reserve(seed)
        assert mine.port != theirs
        other.kill()
    again = _reserve(seed)
    assert again.port == theirs
    for one in (mine, again):
        one.release()


def _reserve(seed: int) -> ports.Reservation:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ports, "random", random.Random(seed))
        return ports.reserve_port()


async def test_who_begins_to_listen_has_not_answered_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = itertools.chain([False], itertools.repeat(True))
    monkeypatch.setattr(ports, "listens", lambda port: next(looks))
    with socket.socket() as silent, pytest.raises(TimeoutError):
        silent.bind(("127.0.0.1", 0))
        async with asyncio.timeout(0.3):
            await ports.until_answering(silent.getsockname()[1], "/readyz")
