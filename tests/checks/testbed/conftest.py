"""One database server and one hostile submission for all tests of a session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from checks.testbed.testbed import Host, Submission
from tests.checks.testbed.probing import Prober

PROBER = Path(__file__).parent / "prober"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def host() -> AsyncIterator[Host]:
    async with Host.open() as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hostile(host: Host) -> AsyncIterator[Submission]:
    async with Submission.prepare(host, PROBER) as prepared:
        yield prepared


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def prober(hostile: Submission) -> AsyncIterator[Prober]:
    async with hostile.testbed() as running:
        yield Prober(running)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def neighbour(hostile: Submission) -> AsyncIterator[Prober]:
    """Another testbed of the same submission: what one must not touch of the other."""
    async with hostile.testbed() as running:
        yield Prober(running)


@pytest.fixture
def submission(tmp_path: Path) -> Callable[..., Path]:
    """Writes a submission without requirements: ``service.py`` and a manifest around it."""

    def write(code: str, **service: str) -> Path:
        folder = tmp_path / "submission"
        folder.mkdir()
        (folder / "service.py").write_text(code)
        (folder / "requirements.txt").write_text("")
        lines = {"contract": '"v1"', "web": '["python", "service.py", "{port}"]', **service}
        table = "\n".join(f"{name} = {value}" for name, value in lines.items())
        (folder / "assay.toml").write_text(f'[runtime]\nkind = "python"\n[service]\n{table}\n')
        return folder

    return write
