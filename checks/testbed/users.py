"""The system users that parts of a testbed run as, where the harness is root.

Each testbed gets a numeric user of its own, so that its processes cannot touch those of any other,
are counted apart, and can be ended all at once. A lock file keeps two harnesses from using one.
"""

from __future__ import annotations

import fcntl
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

from checks.testbed.cache import cache_root
from checks.testbed.errors import MachineError

#: Numeric users that no distribution hands out to people or packages.
_USERS = range(61_100, 61_900)


def other_users() -> bool:
    """Whether processes can be given another user at all."""
    return os.geteuid() == 0


def database_user() -> pwd.struct_passwd | None:
    """Whom the embedded PostgreSQL runs as, since it refuses to be root; ``None``: ourselves."""
    return pwd.getpwnam("nobody") if other_users() else None


@contextmanager
def private_user() -> Iterator[int | None]:
    """A numeric user that nobody else uses meanwhile; ``None`` where we cannot change users."""
    if not other_users():
        yield None
        return
    folder = cache_root() / "users"
    folder.mkdir(parents=True, exist_ok=True)
    for uid in _USERS:
        handle = (folder / str(uid)).open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            continue
        with handle:
            yield uid
        return
    raise MachineError(
        f"All {len(_USERS)} users kept for submissions are in use; end other gradings."
    )
