"""How the service's own commands are run: as the user would, and ended in every case."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from checks.evidence import LogTail
from checks.testbed.box import Scratch
from checks.testbed.confine import Confinement
from checks.testbed.order import Order
from harness.explore.placeholders import in_text
from harness.explore.spec import Spec

#: Variables that are ours, and nothing to the service.
_OURS = ("ASSAY_DATABASE_URL",)

#: What stands for a port that is not chosen yet.
PORT = "{port}"

#: Lines of a log that a sentence is followed by.
_LAST = 15


@dataclass(frozen=True, slots=True)
class Unconfined:
    """No box: a command is run in its folder as the user would (``checks.testbed.box.Launcher``).

    ``held`` is as a box's.
    """

    folder: Path
    held: tuple[int, ...]

    def order(
        self,
        command: list[str],
        scratch: Scratch,
        settings: Mapping[str, str],
        *,
        bind: Iterable[int] = (),
        connect: Iterable[int] = (),
        builds: bool = False,
    ) -> Order:
        """The command with our environment and these settings, told the port that it binds."""
        kept = {name: value for name, value in os.environ.items() if name not in _OURS}
        port = next(map(str, bind), "")
        told = {name: text.replace(PORT, port) for name, text in settings.items()}
        return Order(
            argv=command,
            environment={**kept, **told},
            folder=str(self.folder),
            confinement=Confinement(limits=None, umask=_umask(), seccomp=False),
        )


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def settings_of(spec: Spec, told: Mapping[str, str]) -> dict[str, str]:
    """The service's settings, told what its database is."""
    return {name: in_text(text, told) for name, text in spec.service.environment.items()}


def with_log(sentence: str, logs: Sequence[LogTail]) -> str:
    """The sentence, and below it the last that was printed."""
    lines = [line for log in logs for line in log.text.strip().splitlines()][-_LAST:]
    return "\n".join([sentence, *(f"  {line}" for line in lines)])
