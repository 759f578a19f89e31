"""What an exploration found, as ``--json`` writes it and ``--replay`` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, ValidationError

from checks.evidence import Model, Probe
from checks.explorer import Figures
from checks.testbed.driving.schedule import Schedule
from harness.errors import UsageError

Verdict = Literal["race", "no race", "inconclusive"]


class Counts(Model):
    """How many schedules exist, were run, were driven as asked, and were distinct in their course.

    ``undriven`` counts those that were not driven by the reason; ``gates`` are the tables at whose
    gates the requests were held besides.
    """

    exist: int = 0
    run: int = 0
    driven: int = 0
    distinct: int = 0
    undriven: dict[str, int] = {}
    gates: tuple[str, ...] = ()

    @classmethod
    def of(cls, figures: Figures, gates: tuple[str, ...]) -> Self:
        """The explorer's figures."""
        return cls(
            exist=max(figures.exist, figures.run),
            run=figures.run,
            driven=figures.driven,
            distinct=len(figures.courses),
            undriven=dict(figures.undriven),
            gates=gates,
        )


class Decisive(Model):
    """Where the race was seen: in a schedule, or at the gate of a table."""

    schedule: Schedule | None = None
    table: str | None = None


class Explored(Model):
    """One exploration. ``probe`` is the run that decided, if one did; ``seconds`` its whole time.

    ``settled`` says whether the requests always came to the same when they ran one after the other;
    if not, invariants alone decided. ``varying`` are parts of answers and views of which nothing
    could be compared, since they differ from run to run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    title: str
    specification: str
    requests: tuple[str, ...]
    verdict: Verdict
    because: str = ""
    figures: Counts = Counts()
    settled: bool = True
    varying: tuple[str, ...] = ()
    decisive: Decisive | None = None
    probe: Probe | None = None
    versions: dict[str, str] = {}
    seconds: float = 0.0


def read_record(path: Path) -> tuple[Explored, Decisive]:
    """What was written, and where the race in it was seen. Raises ``UsageError``."""
    try:
        found = Explored.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise UsageError(
            f"{path} is nothing that 'assay explore --json' of this version has written."
        ) from error
    if found.decisive is None:
        raise UsageError(
            f"{path} holds no race that could be run again: its verdict is {found.verdict!r}."
        )
    return found, found.decisive
