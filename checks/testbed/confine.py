"""What a submission's process is denied: applied just before it becomes the service.

Standard library only. In order: a session of its own, resource limits, another user (as root), no
new privileges, Landlock or bubblewrap, a system-call filter; and an environment that holds nothing
but what it is given.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from checks.testbed import landlock, seccomp

Mechanism = Literal["landlock", "bubblewrap", "none"]

_PR_SET_PDEATHSIG = 1

#: Parts of the system that any program needs; world-readable, and nobody's files.
SYSTEM = (
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/bin",
    "/lib",
    "/lib64",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/certs",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/mime.types",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/dev/urandom",
    "/dev/random",
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/full")

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in bytes and counts; ``memory`` and ``disk`` are of the whole process tree.

    Memory is bounded by ``RLIMIT_DATA`` for one process and watched for the tree: bounding address
    space would end runtimes that reserve far more than they use (V8, Go).
    """

    memory: int = 2048 * MEBIBYTE
    data: int = 1536 * MEBIBYTE
    processes: int = 256
    files: int = 4096
    file_size: int = 256 * MEBIBYTE
    disk: int = 512 * MEBIBYTE
    disk_entries: int = 20_000


@dataclass(frozen=True, slots=True)
class Confinement:
    """How one process is confined.

    ``uid`` and ``gid`` are ``None`` where the process keeps the harness's user. ``read`` may be
    read and executed, ``write`` be changed; ``bind`` and ``connect`` are TCP ports.
    """

    mechanism: Mechanism = "none"
    uid: int | None = None
    gid: int | None = None
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    bind: tuple[int, ...] = ()
    connect: tuple[int, ...] = ()
    limits: Limits | None = field(default_factory=Limits)
    umask: int = 0o027
    seccomp: bool = True


def apply(confinement: Confinement, argv: list[str], folder: str) -> list[str]:
    """Confine this process, and give the command to execute. Raises ``OSError``."""
    _prefer_ending()
    if confinement.limits:
        _limit(confinement.limits, own_user=confinement.uid is None)
    rules = None
    if confinement.mechanism == "landlock":
        rules = landlock.ruleset(
            (*SYSTEM, *confinement.read),
            (*DEVICES, *confinement.write),
            confinement.bind,
            confinement.connect,
        )
    _change_user(confinement)
    os.umask(confinement.umask)
    _die_with_parent()
    os.chdir(folder)
    if confinement.mechanism == "none" and not confinement.seccomp:
        return argv
    landlock.no_new_privileges()
    if confinement.mechanism == "bubblewrap":
        return _bubblewrap(confinement, argv, folder)
    if rules is not None:
        landlock.restrict(rules)
    if confinement.seccomp:
        seccomp.install()
    return argv


def _prefer_ending() -> None:
    """Should memory run out, the kernel ends this process before anything else."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        return


def _limit(limits: Limits, *, own_user: bool) -> None:
    processes = limits.processes + (_threads_of_user() if own_user else 0)
    for what, bound in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, limits.data),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        lower = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(what, (lower, lower))


def _threads_of_user() -> int:
    """RLIMIT_NPROC counts all of a user's threads, so what runs already must be added."""
    user, count = os.getuid(), 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if folder.stat().st_uid == user:
                    count += sum(1 for _ in (folder / "task").iterdir())
            except OSError:
                continue
    return count


def _change_user(confinement: Confinement) -> None:
    if confinement.uid is None:
        return
    gid = confinement.uid if confinement.gid is None else confinement.gid
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(confinement.uid, confinement.uid, confinement.uid)


def _die_with_parent() -> None:
    """The keeper ends the tree in every case but its own SIGKILL; this is for that one.

    Changing the user clears the setting, so it comes after.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _bubblewrap(confinement: Confinement, argv: list[str], folder: str) -> list[str]:
    """The same view of the file system by mounts; the network is not bounded by port."""
    command = ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    command += ["--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev"]
    for path in (*SYSTEM, *confinement.read):
        if not path.startswith(("/proc", "/dev")):
            command += ["--ro-bind-try", path, path]
    for path in confinement.write:
        command += ["--bind", path, path]
    # What bubblewrap itself lays out is memory that nobody counts.
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", folder]
    if confinement.seccomp:
        command += ["--seccomp", str(_program_file())]
    return [*command, "--", *argv]


def _program_file() -> int:
    with tempfile.TemporaryFile() as stream:
        stream.write(seccomp.program())
        stream.seek(0)
        return os.dup2(stream.fileno(), os.dup(stream.fileno()), inheritable=True)
