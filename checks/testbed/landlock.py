"""Landlock by its system calls: what a process may open, bind, connect to and signal.

Standard library only: it runs in the launcher, outside any environment. The rights and structures
are those of ``linux/landlock.h``.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1 << 0, 1 << 1

#: The rights that mean something on a file; the rest belong to folders.
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

#: The first version that knows TCP, and the first that knows signals and abstract sockets.
ABI_NETWORK, ABI_SCOPES = 4, 6

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """The version this kernel speaks; 0 where it has no Landlock, or it is switched off."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)))


def no_new_privileges() -> None:
    """Give up gaining rights by executing a file, for good."""
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def ruleset(
    read: Iterable[str], write: Iterable[str], bind: Iterable[int], connect: Iterable[int]
) -> int:
    """A descriptor of rules: what is not named is denied.

    ``read`` may be read and executed, ``write`` be changed too (paths that do not exist are left
    out); ``bind`` and ``connect`` are TCP ports. Raises ``OSError``.
    """
    version = abi()
    everything = _every_right(version)
    network = _BIND_TCP | _CONNECT_TCP if version >= ABI_NETWORK else 0
    scopes = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if version >= ABI_SCOPES else 0
    size = 24 if version >= ABI_SCOPES else 16 if version >= ABI_NETWORK else 8
    attributes = struct.pack("=QQQ", everything, network, scopes)[:size]
    rules = _libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    _checked(rules, "landlock_create_ruleset")
    for path in read:
        _allow_path(rules, path, (_EXECUTE | _READ_FILE | _READ_DIR) & everything)
    for path in write:
        _allow_path(rules, path, everything & ~_IOCTL_DEV)
    if network:
        for port in bind:
            _allow_port(rules, port, _BIND_TCP)
        for port in connect:
            _allow_port(rules, port, _CONNECT_TCP)
    return int(rules)


def restrict(rules: int) -> None:
    """Put this process and all its children under the rules, for good."""
    _checked(_libc.syscall(_RESTRICT_SELF, rules, 0), "landlock_restrict_self")


def _every_right(version: int) -> int:
    rights = (1 << 13) - 1
    if version >= 2:
        rights |= _REFER
    if version >= 3:
        rights |= _TRUNCATE
    if version >= 5:
        rights |= _IOCTL_DEV
    return rights


def _allow_path(rules: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not Path(path).is_dir():
            rights &= _ON_FILES
        rule = struct.pack("=Qi", rights, opened)
        _checked(_libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0), path)
    finally:
        os.close(opened)


def _allow_port(rules: int, port: int, rights: int) -> None:
    rule = struct.pack("=QQ", rights, port)
    _checked(_libc.syscall(_ADD_RULE, rules, _NET_PORT, rule, 0), f"port {port}")


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
