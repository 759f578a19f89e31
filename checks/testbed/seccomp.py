"""A system-call filter: what no service needs, and what would slip past Landlock.

Landlock judges TCP alone, so every other kind of socket is refused here: UDP, raw, netlink,
packet, SCTP, MPTCP, and Unix sockets too, whose paths it does not judge; so is TCP fast open, which
connects without ``connect``. Standard library only, as ``landlock.py``.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

_X86_64, _AARCH64 = 0xC000003E, 0xC00000B7
_X32_BIT = 0x40000000
_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_SET, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 6
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

_AF_INET, _AF_INET6, _SOCK_STREAM, _SOCK_TYPES, _IPPROTO_TCP = 2, 10, 1, 0xF, 6
_MSG_FASTOPEN = 0x20000000
#: CLONE_NEWTIME shares its bit with CSIGNAL's and belongs to clone3 and unshare alone.
_CLONE_NEW = (
    0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
)

_Instruction = tuple[int, int, int, int]

#: Refused with EPERM: name, number on x86_64, number on aarch64.
_REFUSED: tuple[tuple[str, int, int], ...] = (
    ("ptrace", 101, 117),
    ("process_vm_readv", 310, 270),
    ("process_vm_writev", 311, 271),
    ("process_madvise", 440, 440),
    ("pidfd_getfd", 438, 438),
    ("kcmp", 312, 272),
    ("mount", 165, 40),
    ("umount2", 166, 39),
    ("pivot_root", 155, 41),
    ("chroot", 161, 51),
    ("open_tree", 428, 428),
    ("move_mount", 429, 429),
    ("fsopen", 430, 430),
    ("fsconfig", 431, 431),
    ("fsmount", 432, 432),
    ("fspick", 433, 433),
    ("mount_setattr", 442, 442),
    ("unshare", 272, 97),
    ("setns", 308, 268),
    ("keyctl", 250, 219),
    ("add_key", 248, 217),
    ("request_key", 249, 218),
    ("bpf", 321, 280),
    ("perf_event_open", 298, 241),
    ("userfaultfd", 323, 282),
    ("init_module", 175, 105),
    ("finit_module", 313, 273),
    ("delete_module", 176, 106),
    ("kexec_load", 246, 104),
    ("kexec_file_load", 320, 294),
    ("reboot", 169, 142),
    ("swapon", 167, 224),
    ("swapoff", 168, 225),
    ("syslog", 103, 116),
    ("acct", 163, 89),
    ("quotactl", 179, 60),
    ("quotactl_fd", 443, 443),
    ("settimeofday", 164, 170),
    ("clock_settime", 227, 112),
    ("clock_adjtime", 305, 266),
    ("sethostname", 170, 161),
    ("setdomainname", 171, 162),
    ("fanotify_init", 300, 262),
    ("name_to_handle_at", 303, 264),
    ("open_by_handle_at", 304, 265),
    ("personality", 135, 92),
    # What outlives the process that made it, and is counted against nobody.
    ("shmget", 29, 194),
    ("semget", 64, 190),
    ("msgget", 68, 186),
    ("mq_open", 240, 180),
    ("memfd_create", 319, 279),
    ("memfd_secret", 447, 447),
)

#: Refused with ENOSYS, so that callers fall back on what can be judged.
_UNKNOWN: tuple[tuple[str, int, int], ...] = (
    ("clone3", 435, 435),
    ("io_uring_setup", 425, 425),
    ("io_uring_enter", 426, 426),
    ("io_uring_register", 427, 427),
)


def supported() -> bool:
    """Whether a filter is known for this processor."""
    return platform.machine() in ("x86_64", "aarch64")


def program() -> bytes:
    """The filter for this processor, as an array of ``struct sock_filter``."""
    intel = platform.machine() == "x86_64"
    code: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, _X86_64 if intel else _AARCH64),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if intel:
        code += [(_JUMP_GREATER_EQUAL, 0, 1, _X32_BIT), _refuse(errno.ENOSYS)]
    for calls, number in ((_REFUSED, errno.EPERM), (_UNKNOWN, errno.ENOSYS)):
        for _, on_x86_64, on_aarch64 in calls:
            code += _on(on_x86_64 if intel else on_aarch64, [_refuse(number)])
    code += _on(41 if intel else 198, _only_tcp())
    code += _on(56 if intel else 220, _refuse_bits(0, _CLONE_NEW))
    code += _on(44 if intel else 206, _refuse_bits(3, _MSG_FASTOPEN))  # sendto
    code += _on(46 if intel else 211, _refuse_bits(2, _MSG_FASTOPEN))  # sendmsg
    code += _on(307 if intel else 269, _refuse_bits(3, _MSG_FASTOPEN))  # sendmmsg
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def install() -> None:
    """Put this process and all its children under the filter; needs ``no_new_privs``."""
    libc = ctypes.CDLL(None, use_errno=True)
    text = program()
    buffer = ctypes.create_string_buffer(text, len(text))
    header = struct.pack("@HP", len(text) // 8, ctypes.addressof(buffer))
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, header, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def _on(number: int, then: list[_Instruction]) -> list[_Instruction]:
    return [(_JUMP_EQUAL, 0, len(then), number), *then]


def _refuse(number: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERRNO | number)


def _argument(index: int) -> _Instruction:
    """Loads the lower half, which is all that the kernel reads of an ``int``."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index)


def _refuse_bits(index: int, bits: int) -> list[_Instruction]:
    return [
        _argument(index),
        (_JUMP_SET, 0, 1, bits),
        _refuse(errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _only_tcp() -> list[_Instruction]:
    return [
        _argument(0),
        (_JUMP_EQUAL, 2, 0, _AF_INET),
        (_JUMP_EQUAL, 1, 0, _AF_INET6),
        _refuse(errno.EACCES),
        _argument(1),
        (_AND, 0, 0, _SOCK_TYPES),
        (_JUMP_EQUAL, 1, 0, _SOCK_STREAM),
        _refuse(errno.EACCES),
        _argument(2),
        (_JUMP_EQUAL, 2, 0, 0),
        (_JUMP_EQUAL, 1, 0, _IPPROTO_TCP),
        _refuse(errno.EACCES),
        (_RETURN, 0, 0, _ALLOW),
    ]
