"""The submission's own processes: built and migrated once, then replicas and a worker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from checks.evidence import LogTail
from checks.testbed.box import Box, Launcher, Scratch
from checks.testbed.control import Ending
from checks.testbed.errors import Stage, SubmissionError
from checks.testbed.manifest import Command, with_port
from checks.testbed.ports import Reservation, is_free, listens, reserve_port, until_answering
from checks.testbed.process import CommandError, Exit, Process

#: Seconds that each has.
BUILD_SECONDS, MIGRATE_SECONDS, READY_SECONDS = 300.0, 60.0, 20.0

_PORT_ATTEMPTS = 3
_MOST_PATIENCE = 6.0


async def run_once(
    box: Launcher,
    command: Command,
    stage: Stage,
    scratch: Scratch,
    settings: Mapping[str, str],
    *,
    seconds: float,
    connect: Iterable[int] = (),
    builds: bool = False,
) -> None:
    """Run a command to its end in the box. Raises ``SubmissionError`` unless it succeeds."""
    order = box.order(list(command), scratch, settings, connect=connect, builds=builds)
    words = f"{stage} command {' '.join(command)[:100]!r}"
    try:
        process = await Process.start(order, box.held)
    except CommandError as error:
        raise SubmissionError(f"The {words} cannot be executed: {error}.", stage) from error
    seconds = patience(seconds)
    try:
        async with asyncio.timeout(seconds):
            exited = await asyncio.shield(process.exited)
    except TimeoutError:
        ended = await process.end()
        raise SubmissionError(
            f"The {words} did not finish within {seconds:.0f} s.", stage, _logs(stage, ended)
        ) from None
    finally:
        ended = await process.end()
    if exited.status != 0 or exited.limit:
        raise SubmissionError(f"The {words} {ended.describe()}.", stage, _logs(stage, ended))


@dataclass(frozen=True, slots=True)
class Web:
    """What a replica is started from: its command, readiness path, settings and allowed ports."""

    command: Command
    ready: str
    settings: Mapping[str, str]
    connect: tuple[int, ...]


class Replica:
    """One process of the service, listening on a port that stays its own over restarts."""

    def __init__(self, box: Launcher, scratch: Scratch, web: Web, number: int) -> None:
        self._box = box
        self._scratch = scratch
        self._web = web
        self._number = number
        self._process: Process | None = None
        self._last = ("", False)
        self.port = 0
        self._reserved: Reservation | None = None

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether its first process is there."""
        return self._process is not None and not self._process.exited.done()

    async def start(self) -> None:
        """Start it and wait until it is ready; at first on a free port, later on the same.

        Raises ``SubmissionError`` when it exits or is not ready in time.
        """
        if self.running:
            return
        for attempt in range(_PORT_ATTEMPTS):
            fresh = self._reserved is None
            if self._reserved is None:
                self._reserved = reserve_port()
                self.port = self._reserved.port
            try:
                await self._start()
            except SubmissionError:
                # A stranger may have taken the port between our choosing it and the service's bind.
                taken = fresh and not is_free(self.port)
                if not taken or attempt == _PORT_ATTEMPTS - 1:
                    raise
                self.give_port_back()
            else:
                return

    def give_port_back(self) -> None:
        """Its port may be another's from now on."""
        if self._reserved is not None:
            self._reserved.release()
            self._reserved = None

    async def kill(self) -> None:
        """End its whole process tree, without warning."""
        if self._process is not None:
            ended = await self._process.end()
            self._last = (ended.log, ended.truncated)
            self._process = None

    @property
    def pid(self) -> int | None:
        """Its first process, while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def ending(self) -> Ending | None:
        """How it ended, if it did so of its own accord."""
        return _ending(self._process, f"replica {self._number}")

    async def log(self) -> LogTail:
        """The end of what it printed; of the last run, when it does not run."""
        text, truncated = await self._process.log() if self._process else self._last
        return LogTail(source=f"replica {self._number}", text=text, truncated=truncated)

    async def _start(self) -> None:
        web = self._web
        order = self._box.order(
            with_port(web.command, self.port),
            self._scratch,
            web.settings,
            bind=(self.port,),
            connect=web.connect,
        )
        try:
            process = self._process = await Process.start(order, self._box.held)
        except CommandError as error:
            raise SubmissionError(f"The service cannot be executed: {error}.", "start") from error
        try:
            await self._until_ready(process)
        except BaseException:
            await self.kill()
            raise

    async def _until_ready(self, process: Process) -> None:
        answering = asyncio.create_task(until_answering(self.port, self._web.ready))
        seconds = patience(READY_SECONDS)
        try:
            await asyncio.wait(
                (answering, process.exited),
                timeout=seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if process.exited.done():
                raise self._exited(process.exited.result())
            if not answering.done():
                raise await self._never_ready(process, seconds)
            answering.result()
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    def _exited(self, exit_: Exit) -> SubmissionError:
        return SubmissionError(
            f"The service {exit_.describe()} before it was ready.",
            "start",
            _logs(f"replica {self._number}", exit_),
        )

    async def _never_ready(self, process: Process, seconds: float) -> SubmissionError:
        listening = listens(self.port)
        if listening:
            sentence = (
                f"The service listened, but {self._web.ready} did not answer 2xx within "
                f"{seconds:.0f} s."
            )
        else:
            sentence = (
                f"The service did not listen on the port it was given within {seconds:.0f} s."
            )
        ended = await process.end()
        return SubmissionError(
            sentence, "ready" if listening else "start", _logs(f"replica {self._number}", ended)
        )


class Worker:
    """The submission's worker process; a submission may have none."""

    def __init__(
        self,
        box: Box,
        scratch: Scratch,
        command: Command,
        settings: Mapping[str, str],
        connect: tuple[int, ...],
    ) -> None:
        self._box = box
        self._scratch = scratch
        self._command = command
        self._settings = settings
        self._connect = connect
        self._process: Process | None = None
        self._last = ("", False)

    @property
    def running(self) -> bool:
        """Whether its first process is there."""
        return self._process is not None and not self._process.exited.done()

    async def start(self) -> None:
        """Start it, if it does not run. Raises ``SubmissionError`` when it cannot be executed."""
        if self.running or not self._command:
            return
        await self.stop()
        order = self._box.order(
            list(self._command), self._scratch, self._settings, connect=self._connect
        )
        try:
            self._process = await Process.start(order, self._box.held)
        except CommandError as error:
            raise SubmissionError(f"The worker cannot be executed: {error}.", "start") from error

    async def pause(self) -> None:
        """SIGSTOP its whole process tree."""
        if self._process is not None:
            await self._process.pause()

    async def resume(self) -> None:
        """SIGCONT its whole process tree."""
        if self._process is not None:
            await self._process.resume()

    async def stop(self) -> None:
        """End its whole process tree, without warning."""
        if self._process is not None:
            ended = await self._process.end()
            self._last = (ended.log, ended.truncated)
            self._process = None

    @property
    def ending(self) -> Ending | None:
        """How it ended, if it did so of its own accord."""
        return _ending(self._process, "worker")

    async def log(self) -> LogTail:
        """The end of what it printed; of the last run, when it does not run."""
        text, truncated = await self._process.log() if self._process else self._last
        return LogTail(source="worker", text=text, truncated=truncated)


def patience(seconds: float) -> float:
    """So many seconds, or more where the machine is busier than it has processors.

    A service is not at fault for what other programs take from it.
    """
    crowding = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds * min(max(crowding, 1.0), _MOST_PATIENCE)


def _ending(process: Process | None, source: str) -> Ending | None:
    if process is None or not process.exited.done():
        return None
    exit_ = process.exited.result()
    return Ending(how=exit_.describe(), log=_logs(source, exit_)[0])


def _logs(source: str, exit_: Exit) -> tuple[LogTail, ...]:
    return (LogTail(source=source, text=exit_.log, truncated=exit_.truncated),)
