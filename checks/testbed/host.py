"""What all testbeds of one run of the harness share: run folder, database server, isolation."""

from __future__ import annotations

import asyncio
import fcntl
import resource
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from checks.evidence import Isolation
from checks.testbed.databases import Databases
from checks.testbed.errors import UsageError
from checks.testbed.isolation import choose, offer
from checks.testbed.postgres import Server, open_server
from checks.testbed.process import Janitor

_OPEN_FILES = 65_536

#: Bytes of the temporary folder's name. A Unix socket's has 107 at most (unix(7)), and that of the
#: database server lies 45 below.
_LONGEST_PLACE = 60


@dataclass(frozen=True, slots=True)
class Host:
    """A run's own part of this machine; ``Host.open`` makes it and ends all of it.

    ``folder`` may be traversed by submissions' users, who reach only what is theirs below it;
    ``private`` is the harness's alone. ``held`` is the lock that every keeper shares: the janitor
    waits for it before it removes the folder, however the harness ended.
    """

    folder: Path
    private: Path
    server: Server
    databases: Databases
    isolation: Isolation
    held: tuple[int, ...]

    @classmethod
    @asynccontextmanager
    async def open(cls, *, trusted: bool = False) -> AsyncIterator[Self]:
        """Start the database server and look what isolation there is.

        Raises ``UsageError`` where submissions cannot be confined and are not ``trusted``, or
        ``ASSAY_DATABASE_URL`` names no usable server, or ``TMPDIR`` has too long a name;
        ``MachineError`` where PostgreSQL does not start.
        """
        isolation = choose(offer(), trusted=trusted)
        _allow_open_files()
        async with AsyncExitStack() as stack:
            folder, held = await stack.enter_async_context(_run_folder())
            server = await stack.enter_async_context(open_server(folder / "postgres", (held,)))
            databases = await stack.enter_async_context(Databases.open(server))
            yield cls(folder, folder / "private", server, databases, isolation, (held,))

    @property
    def versions(self) -> dict[str, str]:
        """What belongs into the evidence's versions."""
        return {"postgresql": self.server.version}


@dataclass(frozen=True, slots=True)
class DatabaseUpstream:
    """The database server as the SQL proxy reaches it."""

    server: Server

    async def open(
        self, factory: Callable[[], asyncio.Protocol]
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect; raises ``OSError``."""
        loop = asyncio.get_running_loop()
        if self.server.socket is not None:
            return await loop.create_unix_connection(factory, self.server.socket)
        return await loop.create_connection(factory, self.server.host, self.server.port)


@asynccontextmanager
async def _run_folder() -> AsyncIterator[tuple[Path, int]]:
    """A folder that is gone afterwards, whatever becomes of the harness; and its lock."""
    folder = _fresh_folder()
    janitor = await Janitor.start(folder)
    try:
        with _shared_lock(folder / "lock") as held:
            yield folder, held
    finally:
        await janitor.clean()


def _fresh_folder() -> Path:
    place = tempfile.gettempdir()
    if len(place.encode()) > _LONGEST_PLACE:
        raise UsageError(
            f"The temporary folder {place} has too long a name for the sockets in it: set TMPDIR"
            f" to one of at most {_LONGEST_PLACE} characters."
        )
    folder = Path(tempfile.mkdtemp(prefix="assay-", dir=place))
    folder.chmod(0o711)
    (folder / "private").mkdir(mode=0o700)
    return folder


@contextmanager
def _shared_lock(path: Path) -> Iterator[int]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield lock.fileno()


def _allow_open_files() -> None:
    """Every session of a service takes two descriptors of the SQL proxy's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
