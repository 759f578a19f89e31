"""Processes of the service that ended while the checks ran: said in a sentence, with their logs."""

from __future__ import annotations

from collections.abc import Sequence

from checks.evidence import LogTail
from checks.testbed.control import Ending


def sentence(endings: Sequence[Ending]) -> str | None:
    """What became of the first of them, and how many more there were."""
    if not endings:
        return None
    first, others = endings[0], len(endings) - 1
    name = "the worker" if first.log.source == "worker" else first.log.source
    more = f", and {others} more of its processes ended" if others else ""
    return f"While the checks ran, {name} {first.how}{more}."


def with_logs(logs: Sequence[LogTail], endings: Sequence[Ending]) -> tuple[LogTail, ...]:
    """The logs, those of the ended processes in place of, or before, what is there."""
    ended = tuple(ending.log for ending in endings)
    return (*ended, *(log for log in logs if log not in ended))
