"""``assay explore``: reads the specification, explores or replays, and says what was found."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from rich.console import Console

from checks.explorer import Exploration, in_words
from checks.lining_up import hold, written
from checks.probes import Recorder, recording
from checks.schedules import Solo
from checks.verdicts import Decision, Inconclusive, Vulnerable
from harness.errors import DONE, FOUND, UsageError
from harness.explore.play import Play
from harness.explore.reading import read_spec
from harness.explore.record import Counts, Decisive, Explored, read_record
from harness.explore.show import show
from harness.explore.spec import Spec
from harness.explore.stand import Stand, open_stand
from harness.loop import run
from harness.progress import Progress
from harness.version import assay_version

_FITS_NO_LONGER = "The schedule no longer fits"


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: a specification, and schedules of two interruptions, up to ``deeper``.

    ``json_file`` is where to write what was found, ``replay`` what was written there before.
    """

    spec: Path
    deeper: int
    json_file: Path | None = None
    replay: Path | None = None


def explore(order: Order) -> int:
    """Explores, or runs a race again; raises ``UsageError`` where the specification is wrong."""
    spec = read_spec(order.spec)
    digest = hashlib.sha256(order.spec.read_bytes()).hexdigest()
    before, again = read_record(order.replay) if order.replay else (None, None)
    if order.json_file is not None and not order.json_file.absolute().parent.is_dir():
        raise UsageError(f"{order.json_file} cannot be written: there is no such folder.")
    with Progress() as progress, progress.stage(f"exploring {spec.title}"):
        work = _Work(spec, order.spec.absolute().parent, order.deeper, digest)
        found = run(work.found(again))
    console = Console(highlight=False, markup=False)
    if before is not None and before.specification != digest:
        console.print("The specification has changed since.")
    show(found, console, replayed=again is not None)
    if order.json_file is not None:
        order.json_file.write_text(found.to_json() + "\n", encoding="utf-8")
        if found.decisive is not None and again is None:
            repeat = f"assay explore {order.spec} --replay {order.json_file}"
            console.print(f"Run it again: {repeat}", soft_wrap=True)
    sys.stdout.flush()
    return DONE if found.verdict == "no race" else FOUND


class _Work:
    """One exploration, from the service's start to its end."""

    def __init__(self, spec: Spec, home: Path, deeper: int, digest: str) -> None:
        self._spec = spec
        self._home = home
        self._deeper = deeper
        self._digest = digest
        self._count = len(spec.requests)
        self._gates: list[str] = []
        self._at: Decisive | None = None

    async def found(self, again: Decisive | None) -> Explored:
        """What is found: of all schedules, or of the one that is run again."""
        began, recorder = time.monotonic(), Recorder("explore")
        async with open_stand(self._spec, self._home) as stand:
            play = Play(self._spec, stand)
            exploration = Exploration(
                stand, play.prepare, "request", play.judge, count=self._count, terms=play.terms
            )
            decided: Decision | None = None
            try:
                with recording(recorder):
                    await self._explore(stand, play, exploration, again)
            except (Vulnerable, Inconclusive) as decision:
                decided = decision
            finally:
                await play.close()
            version = stand.access.server.version
        race = isinstance(decided, Vulnerable)
        probes = [probe for probe in recorder.probes() if probe.decisive]
        return Explored(
            title=self._spec.title,
            specification=self._digest,
            requests=tuple(one.request for one in self._spec.requests),
            verdict="no race" if decided is None else "race" if race else "inconclusive",
            because="" if decided is None else decided.because,
            figures=Counts.of(exploration.figures, tuple(self._gates)),
            settled=play.outcomes.settled,
            varying=play.outcomes.varying,
            decisive=self._decisive(exploration) if race else None,
            probe=probes[-1] if probes else None,
            versions={"assay": assay_version()} | ({"postgresql": version} if version else {}),
            seconds=round(time.monotonic() - began, 3),
        )

    def _decisive(self, exploration: Exploration) -> Decisive:
        return self._at or Decisive(schedule=exploration.under_way)

    async def _explore(
        self, stand: Stand, play: Play, exploration: Exploration, again: Decisive | None
    ) -> None:
        """Raises ``Vulnerable`` or ``Inconclusive``, or has found no race."""
        solos = await exploration.solos()
        self._look_at(solos)
        if again is not None:
            await self._replay(stand, play, exploration, again)
            return
        await exploration.walk(solos, self._deeper)
        figures = exploration.figures
        if figures.run and not figures.driven:
            why = ", ".join(figures.undriven)
            raise Inconclusive(f"None of {figures.run} schedules could be driven: {why}.")
        if figures.opaque:
            try:
                tables = await written(stand, play.prepare, self._count)
            except Vulnerable as seen:
                raise Inconclusive(f"Without any race: {seen.because} Mend that first.") from seen
            await self._hold(stand, play, tables)

    def _look_at(self, solos: Sequence[Solo]) -> None:
        for number, solo in enumerate(solos, 1):
            if not solo.places:
                raise Inconclusive(
                    f"Request {number} sent no SQL through the proxy that others could tell: there"
                    " is nothing to interrupt. Does the service take its database's address from"
                    " where the specification says?"
                )

    async def _hold(self, stand: Stand, play: Play, tables: Sequence[str]) -> None:
        """Hold the requests inside their statements, at the gate of one table after the other."""
        missed: list[str] = []
        for table in tables:
            self._at = Decisive(table=table)
            try:
                await hold(
                    stand,
                    play.prepare,
                    "request",
                    [table],
                    racers=self._count,
                    terms=play.terms,
                )
                self._gates.append(table)
            except asyncpg.InsufficientPrivilegeError as error:
                raise Inconclusive(
                    "Statements that look and write in themselves could not be interrupted: the"
                    f" database's user may put no gate at {table}: {error}."
                ) from error
            except Inconclusive as said:
                missed.append(said.because)
        if missed and not self._gates:
            raise Inconclusive(missed[0])

    async def _replay(
        self, stand: Stand, play: Play, exploration: Exploration, again: Decisive
    ) -> None:
        self._at = again
        if again.table is not None:
            try:
                await self._hold(stand, play, [again.table])
            except asyncpg.UndefinedTableError as error:
                raise Inconclusive(f"{_FITS_NO_LONGER}: {error}.") from error
            return
        schedule = again.schedule
        threads = {schedule.first, *(one.to for one in schedule.switches)} if schedule else {-1}
        if schedule is None or not threads <= set(range(self._count)):
            raise Inconclusive(f"{_FITS_NO_LONGER}: there are {self._count} requests now.")
        await exploration.run([schedule])
        if why := next(iter(exploration.figures.undriven), ""):
            raise Inconclusive(f"{_FITS_NO_LONGER} ({in_words(schedule)}): {why}.")
