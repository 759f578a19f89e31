"""The Python that submissions' environments are made of: one that their user can reach.

Usually the harness's own. Where that lies in somebody's private folder, such as root's home, and
submissions run under another user, a copy of it goes to the cache: program, library, standard
library, nothing installed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
import sysconfig
from pathlib import Path

from checks.testbed import cache
from checks.testbed.errors import UsageError
from checks.testbed.users import other_users

_LEFT_OUT = ("site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo", "tkinter")


def python() -> Path:
    """The interpreter to build environments from. Blocks while it is copied, the first time."""
    own = Path(sys.base_prefix) / "bin" / f"python{_short()}"
    if not own.exists():
        own = Path(os.path.realpath(sys.executable))
    library = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    if not other_users() or (cache.open_to_all(own) and cache.open_to_all(library / "os.py")):
        return own
    identity = f"{own} {own.stat().st_mtime_ns} {platform.python_version()} 1"
    name = f"{_short()}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    place = cache.built(cache.cache_root() / "python" / name, _copy)
    return place / "bin" / f"python{_short()}"


def version() -> str:
    """Whose environments they are: part of the key that they are cached by."""
    return f"{platform.python_implementation()}-{platform.python_version()}-{platform.machine()}"


def readable() -> tuple[str, ...]:
    """What a confined process must read to run it, beside the system's own folders."""
    prefix = python().resolve().parents[1]
    return () if prefix in (Path("/usr"), Path("/")) else (str(prefix),)


def _short() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _copy(target: Path) -> None:
    prefix = Path(sys.base_prefix)
    library = f"lib/python{_short()}"
    shutil.copytree(
        prefix / library,
        target / library,
        symlinks=False,
        ignore=shutil.ignore_patterns(*_LEFT_OUT),
        ignore_dangling_symlinks=True,
    )
    (target / library / "site-packages").mkdir()
    for shared in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(shared, target / "lib" / shared.name)
    (target / "bin").mkdir()
    program = target / "bin" / f"python{_short()}"
    shutil.copy2(prefix / "bin" / f"python{_short()}", program)
    _find_library_beside(program, prefix / "lib")


def _find_library_beside(program: Path, library: Path) -> None:
    """The program names the folder of its shared library; here that is the copy's.

    The new name takes the old one's place in the program's table of strings.
    """
    old, new = str(library).encode() + b"\0", b"$ORIGIN/../lib\0"
    content = program.read_bytes()
    if old not in content:
        return
    if len(new) > len(old):
        raise UsageError(
            f"The Python at {library.parent} cannot be copied to where submissions reach it; "
            "install assay with one that every user can execute."
        )
    program.write_bytes(content.replace(old, new.ljust(len(old), b"\0")))
