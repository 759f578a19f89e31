"""What a keeper is told to run, as it passes from the harness to it."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict, dataclass, field
from typing import Any

from checks.testbed.confine import Confinement, Limits


@dataclass(frozen=True, slots=True)
class Order:
    """What a keeper is to run.

    ``environment`` is all that the process gets. ``end_signal`` is sent to the first process, which
    has ``grace`` seconds before the tree is killed. ``watched`` are the folders whose size counts.
    """

    argv: list[str]
    environment: dict[str, str]
    folder: str
    confinement: Confinement = field(default_factory=Confinement)
    end_signal: int = signal.SIGKILL
    grace: float = 0.0
    watched: tuple[str, ...] = ()

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Order:
        """The inverse of ``to_json``."""
        raw: dict[str, Any] = json.loads(text)
        confinement = raw.pop("confinement")
        limits = confinement.pop("limits")
        return cls(
            confinement=Confinement(limits=Limits(**limits) if limits else None, **confinement),
            **raw,
        )
