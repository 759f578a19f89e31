"""Contests at the table gate: for what statement boundaries cannot show.

One statement that checks and writes is a single step to the explorer. At the gate of a table it is
stopped inside, when it has read what it reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from checks.again import wanted
from checks.client import Answer
from checks.contest import Prepare
from checks.explorer import Figures, explore
from checks.gate import Race, race
from checks.ground import Ground
from checks.judging import Judge
from checks.probes import probe
from checks.tables import bare, tables_written
from checks.terms import CONTRACT, Terms
from checks.verdicts import Inconclusive

#: Requests in a contest, of which one may succeed.
RACERS = 3


async def contend(
    ground: Ground, prepare: Prepare, what: str, judge: Judge, terms: Terms = CONTRACT
) -> None:
    """Explore two requests of a contest, and line more of them up where that has not shown all."""
    await line_up(ground, prepare, what, await explore(ground, prepare, what, judge, terms))


async def line_up(ground: Ground, prepare: Prepare, what: str, explored: Figures) -> None:
    """Run a contest at the gate of tables that one of its requests writes when it is alone.

    At all of them, where interrupting statements was not enough; else at those alone that it looks
    at before, for requests that meet inside one replica. Not where a schedule is replayed.
    """
    if wanted() is not None:
        return
    tables = await written(ground, prepare)
    if not tables:
        raise Inconclusive(f"A {what} on its own wrote no table that could be held.")
    if not explored.opaque:
        tables = [one for one in tables if bare(one) in explored.contended] or tables
    await hold(ground, prepare, what, tables)


async def written(ground: Ground, prepare: Prepare, kinds: int = 1) -> list[str]:
    """The tables that any of so many requests writes when it comes first."""
    found: set[str] = set()
    for first in range(kinds):
        alone = await prepare(kinds)
        answers: dict[int, Answer] = {}

        async def solo(number: int = first) -> None:
            answers[number] = await alone.requests[number](number)  # noqa: B023 - run at once

        found.update(await tables_written(ground, solo))
        for other in range(kinds):
            if other != first:
                await solo(other)
        alone.verify([answers[number] for number in range(kinds)], await alone.view())
    return sorted(found)


async def hold(
    ground: Ground,
    prepare: Prepare,
    what: str,
    tables: Sequence[str],
    *,
    racers: int = RACERS,
    terms: Terms = CONTRACT,
) -> None:
    """Run a contest at each of these tables' gates; ``Inconclusive`` if none could be driven."""
    races: list[Race] = []
    for table in tables:
        contest = await prepare(racers)
        with probe(f"{racers} {what}s at once, held at their writes to {table}"):
            sends = [
                partial(request, number % len(ground.replicas))
                for number, request in enumerate(contest.requests)
            ]
            run = await race(ground, table, sends, contest.read)
            races.append(run)
            final = await terms.send_again(run.answers, sends)
            terms.settled(final)
            contest.verify(final, await contest.view())
            await contest.agree(final)
            terms.unfailed((*run.answers, *final))
    if not any(run.driven for run in races):
        raise Inconclusive(
            f"At none of {', '.join(tables)} did the {what}s line up: the race could not be driven."
        )
