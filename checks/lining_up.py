"""Contests at the table gate: for what statement boundaries cannot show.

One statement that checks and writes is a single step to the explorer. At the gate of a table it is
stopped inside, when it has read what it reads.
"""

from __future__ import annotations

from functools import partial

from checks.attachment import Testbed
from checks.client import Answer
from checks.contest import Prepare
from checks.explorer import Figures
from checks.gate import Race, race
from checks.losers import follow_up, unfailed
from checks.probes import probe
from checks.tables import bare, tables_written
from checks.verdicts import Inconclusive

#: Requests in a contest, of which one may succeed.
RACERS = 3


async def line_up(testbed: Testbed, prepare: Prepare, what: str, explored: Figures) -> None:
    """Run a contest at the gate of tables that one of its requests writes when it is alone.

    At all of them, where interrupting statements was not enough; else at those alone that it looks
    at before, for requests that meet inside one replica.
    """
    alone = await prepare(1)
    answers: list[Answer] = []

    async def solo() -> None:
        answers.append(await alone.requests[0](0))

    tables = await tables_written(testbed, solo)
    alone.verify(answers, await alone.view())
    if not tables:
        raise Inconclusive(f"A {what} on its own wrote no table that could be held.")
    if not explored.opaque:
        tables = [one for one in tables if bare(one) in explored.contended] or tables
    races: list[Race] = []
    for table in tables:
        contest = await prepare(RACERS)
        with probe(f"{RACERS} {what}s at once, held at their writes to {table}"):
            sends = [
                partial(request, number % len(testbed.replicas))
                for number, request in enumerate(contest.requests)
            ]
            run = await race(testbed, table, sends, contest.read)
            races.append(run)
            settled = await follow_up(run.answers, sends)
            contest.verify(settled, await contest.view())
            await contest.agree(settled)
            unfailed((*run.answers, *settled))
    if not any(run.driven for run in races):
        raise Inconclusive(
            f"At none of {', '.join(tables)} did the {what}s line up: the race could not be driven."
        )
