"""``assay check``: the practice checks, on the candidate's own machine, once or at each save."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.text import Text
from watchfiles import Change, awatch

from checks.evidence import CheckVerdict, LogTail, Verdict
from checks.testbed.errors import SubmissionError
from checks.testbed.errors import UsageError as TestbedUsageError
from checks.testbed.testbed import Host
from exercises.bank import load_bank
from exercises.exercise import load_exercise
from exercises.tree import is_leaving
from harness import endings
from harness.errors import DONE, FOUND, UsageError
from harness.exchanges import print_verdict
from harness.loop import run
from harness.progress import STYLES, Progress, verdict_line
from harness.selection import chosen_checks
from harness.session import Check, checking, fresh_seed, prepared, session
from harness.start import command
from harness.submission import Submission, take_in

#: Milliseconds within which an editor's several writes are one save.
SAVE = 200
LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one run of the practice checks found.

    ``failure`` says why the service did not run, ``ended`` which of its processes did not run on.
    """

    verdicts: tuple[CheckVerdict, ...] = ()
    failure: str = ""
    ended: str | None = None
    logs: tuple[LogTail, ...] = ()

    @property
    def wrong(self) -> tuple[CheckVerdict, ...]:
        """The verdicts that are not secure, in the order of the checks."""
        return tuple(one for one in self.verdicts if one.verdict is not Verdict.SECURE)

    @property
    def clean(self) -> bool:
        """Whether everything that was asked is secure."""
        return not self.failure and not self.ended and not self.wrong


def practice(folder: Path, only: Sequence[str], *, watch: bool, as_json: bool) -> int:
    """Status 1 while something is wrong; raises ``UsageError`` for what is no submission."""
    if watch and as_json:
        raise UsageError("--watch is for people and --json for scripts: choose one.")
    if watch and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder, so there is nothing to watch.")
    submission = take_in(folder)
    names = chosen_checks(only, _flaws_of(submission))
    with Progress() as progress:
        if watch:
            return run(_watch(folder, names, progress))
        attempt = run(_once(submission, names, progress))
    if as_json:
        json.dump([one.model_dump(mode="json") for one in attempt.verdicts], sys.stdout, indent=1)
        sys.stdout.write("\n")
        if attempt.failure or attempt.ended:
            sys.stderr.write(f"assay: {attempt.failure or attempt.ended}\n")
    else:
        show(attempt, Console(highlight=False, markup=False), every=True)
    return DONE if attempt.clean else FOUND


def show(attempt: Attempt, console: Console, *, every: bool) -> None:
    """The result: all that is wrong, or only what to mend next; and how far it is."""
    if attempt.failure:
        console.print(Text("The service does not run.", "bold red"))
        console.print(Text(attempt.failure))
        _show_logs(attempt.logs, console)
        console.print(Text("\nNext: make the service start; what it printed is above.", "cyan"))
        return
    reached = [one for one in attempt.wrong if one.verdict is not Verdict.NOT_REACHED]
    # Where no other check is behind it, nothing else says why.
    reached += [one for one in attempt.wrong if one not in reached and one.blocked_by is None]
    for verdict in reached if every else reached[:1]:
        # How a flaw is mended is for who asks: 'assay hint' goes there step by step.
        shown: Literal["none", "attacks"] = "none" if every else "attacks"
        print_verdict(verdict, console, probes=shown, hint=verdict.flaw is None)
        console.print()
    if attempt.ended:
        console.print(Text(attempt.ended, "bold red"))
        _show_logs(attempt.logs, console)
        console.print()
    total, held = len(attempt.verdicts), len(attempt.verdicts) - len(attempt.wrong)
    console.print(_bar(held, total))
    if attempt.clean:
        console.print(Text("All of it holds. Commit, and say why in the message.", "green"))
    elif reached:
        console.print(Text(f"Next: {reached[0].check}. {_advice(reached[0])}", "cyan"))
        if reached[0].flaw is not None and reached[0].verdict is not Verdict.NOT_REACHED:
            console.print(Text(f"Stuck? {command()} hint {reached[0].check}", "dim"))


def _show_logs(logs: Sequence[LogTail], console: Console) -> None:
    for log in logs:
        console.print(Text(f"\n{log.source}", "dim"))
        console.print(Text("\n".join(log.text.splitlines()[-LOG_LINES:])))


async def _once(submission: Submission, names: tuple[str, ...], progress: Progress) -> Attempt:
    async with checking(names, fresh_seed()) as check, Host.open(trusted=True) as host:
        return await _attempt(host, check, submission, names, progress)


async def _attempt(
    host: Host, check: Check, submission: Submission, names: tuple[str, ...], progress: Progress
) -> Attempt:
    verdicts: list[CheckVerdict] = []
    try:
        async with AsyncExitStack() as stack:
            with progress.stage("starting your service"):
                ready = await stack.enter_async_context(prepared(host, submission.tree))
                running = await stack.enter_async_context(session(ready))
            with progress.stage(f"running {len(names)} checks"):
                async for verdict in check(running):
                    verdicts.append(verdict)
                    progress.line(verdict_line(verdict))
            ended = await running.endings()
    except SubmissionError as failure:
        return Attempt(failure=str(failure), logs=failure.logs)
    order = {name: place for place, name in enumerate(names)}
    return Attempt(
        tuple(sorted(verdicts, key=lambda one: order[one.check])),
        ended=endings.sentence(ended),
        logs=tuple(ending.log for ending in ended),
    )


@dataclass(slots=True)
class _Ahead:
    """What runs the checks, started before there is anything to run them on: it takes a while."""

    names: tuple[str, ...]
    _check: Check | None = None
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> Check:
        """Starts it, unless it has been."""
        if self._check is None:
            started = checking(self.names, fresh_seed())
            self._check = await self._open.enter_async_context(started)
        return self._check

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Check]:
        """It, for one run; the next one needs another."""
        check, held = await self.start(), self._open
        self._check, self._open = None, AsyncExitStack()
        async with held:
            yield check

    async def close(self) -> None:
        """Ends what nobody has taken."""
        await self._open.aclose()


async def _watch(folder: Path, names: tuple[str, ...], progress: Progress) -> int:
    """Runs the checks now and after each save, until Ctrl-C; PostgreSQL stays up meanwhile."""
    console = Console(highlight=False, markup=False)
    home = folder.resolve()  # noqa: ASYNC240 - once, before anything runs

    def is_source(_: Change, path: str) -> bool:
        return not any(is_leaving(part) for part in Path(path).relative_to(home).parts)

    saves = awatch(home, watch_filter=is_source, debounce=SAVE, rust_timeout=500)
    ahead = _Ahead(names)
    async with Host.open(trusted=True) as host:
        attempt = asyncio.create_task(_try(host, folder, ahead, progress))
        save = asyncio.ensure_future(anext(saves))
        try:
            while True:
                done, _ = await asyncio.wait(
                    {attempt, save} if not attempt.done() else {save},
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if save in done:  # a save during a run makes that run's answer worthless
                    await _cancel(attempt)
                    save = asyncio.ensure_future(anext(saves))
                    attempt = asyncio.create_task(_try(host, folder, ahead, progress))
                elif attempt in done:
                    _redraw(attempt.result(), console)
                    await ahead.start()
        finally:
            await _cancel(attempt)
            await _cancel(save)
            await ahead.close()


async def _try(host: Host, folder: Path, ahead: _Ahead, progress: Progress) -> Attempt:
    """One run in watch mode, where even a folder that is no submission is only a result."""
    try:
        submission = await asyncio.to_thread(take_in, folder)
        async with ahead.taken() as check:
            return await _attempt(host, check, submission, ahead.names, progress)
    except (UsageError, TestbedUsageError) as failure:
        return Attempt(failure=str(failure))


async def _cancel(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _redraw(attempt: Attempt, console: Console) -> None:
    if console.is_terminal:
        console.clear()
    show(attempt, console, every=False)
    console.print(Text("Watching; save a file to run again, Ctrl-C to end.", "dim"))


def _flaws_of(submission: Submission) -> tuple[str, ...] | None:
    """The flaws of the exercise that the folder was made for; all, where it does not say."""
    kit = submission.kit
    if kit is None:
        return None
    exercise = load_exercise(kit.exercise, load_bank(), seed=kit.seed)
    if exercise.kind == "review":
        raise UsageError(f"{exercise.title} is to be read: 'assay review' opens it.")
    return tuple(exercise.flaws)


def _bar(held: int, total: int, width: int = 40) -> Text:
    done = width * held // total if total else 0
    return Text.assemble(
        ("#" * done, STYLES[Verdict.SECURE]),
        ("-" * (width - done), "dim"),
        f"  {held}/{total} hold",
    )


def _advice(verdict: CheckVerdict) -> str:
    match verdict.verdict:
        case Verdict.VULNERABLE:
            return "Find what lets this through, and mend the cause."
        case Verdict.BROKEN:
            return "This used to work: make it work again before anything else."
        case Verdict.NOT_REACHED:
            return "This check cannot tell, and says why: nothing is held against the service."
        case _:
            return "The check could give no answer; run it again."
