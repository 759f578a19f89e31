"""What can go wrong around a submission, by whose doing it is; each says so in one sentence."""

from __future__ import annotations

from typing import ClassVar, Literal

from checks.evidence import LogTail

Stage = Literal["environment", "build", "migrate", "start", "ready", "running"]


class TestbedError(Exception):
    """Base of them all; ``str()`` is the sentence to print."""

    __test__: ClassVar[bool] = False


class SubmissionError(TestbedError):
    """The candidate's doing: the service does not build, migrate, start or stay up.

    ``stage`` says how far it came and ``logs`` hold the end of what it printed; both belong in the
    report.
    """

    def __init__(self, sentence: str, stage: Stage, logs: tuple[LogTail, ...] = ()) -> None:
        super().__init__(sentence)
        self.stage: Stage = stage
        self.logs = logs


class UsageError(TestbedError):
    """The user's doing, and theirs to mend: exit status 2."""


class MachineError(TestbedError):
    """The harness's or the machine's doing: exit status 3."""
