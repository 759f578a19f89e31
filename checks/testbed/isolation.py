"""Which confinement this machine offers, and the record of it in the evidence."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

from checks.evidence import Isolation
from checks.testbed import landlock, seccomp
from checks.testbed.confine import Mechanism
from checks.testbed.errors import UsageError
from checks.testbed.users import other_users

_PROBE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Offer:
    """What a machine has: Landlock's version (0: none), and whether bubblewrap works here."""

    landlock: int
    bubblewrap: bool
    seccomp: bool
    other_user: bool


def offer() -> Offer:
    """Looks, by trying."""
    version = landlock.abi()
    return Offer(version, not version and _bubblewrap_works(), seccomp.supported(), other_users())


def choose(offered: Offer, *, trusted: bool) -> Isolation:
    """The best that can be had. Raises ``UsageError`` for none, unless ``trusted``."""
    mechanism: Mechanism = "none"
    if offered.landlock and offered.seccomp:
        mechanism = "landlock"
    elif offered.bubblewrap and offered.seccomp:
        mechanism = "bubblewrap"
    elif not trusted:
        raise UsageError(
            "This machine can confine a submission neither by Landlock (Linux 5.13 or later) nor "
            "by bubblewrap; install bubblewrap, or give --trusted for code that you trust."
        )
    network = mechanism == "landlock" and offered.landlock >= landlock.ABI_NETWORK
    return Isolation(
        mechanism=mechanism,
        other_user=offered.other_user,
        network=network,
        notes=tuple(_notes(mechanism, offered, network=network)),
    )


def _notes(mechanism: Mechanism, offered: Offer, *, network: bool) -> list[str]:
    notes = []
    if mechanism == "none":
        notes.append("The service ran as a trusted program, with the files of its user in reach.")
    if mechanism != "none" and network:
        notes.append("TCP is bounded by port, not by address; every other protocol is refused.")
    if mechanism != "none" and not network:
        notes.append("TCP is not bounded on this kernel; every other protocol is refused.")
    scoped = mechanism == "bubblewrap" or offered.landlock >= landlock.ABI_SCOPES
    if mechanism != "none" and not scoped and not offered.other_user:
        notes.append("Signals to other processes of the same user are not bounded.")
    if mechanism != "none" and not offered.other_user:
        notes.append("The service ran under the harness's own user.")
    return notes


def _bubblewrap_works() -> bool:
    program = shutil.which("bwrap")
    if program is None:
        return False
    command = [program, "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/"]
    command += ["--proc", "/proc", "--dev", "/dev", "true"]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
