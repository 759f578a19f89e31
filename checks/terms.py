"""On what terms requests are explored: how losers come to their answers, and what may come of all.

``CONTRACT`` are those of the payment service's contract; any other service has its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from checks.canonical import canonical
from checks.client import Answer
from checks.losers import sent_again, settled, unfailed

#: Contests of the contract's that are prepared at a time, which is quicker.
_AT_ONCE = 6


class Outcomes(Protocol):
    """What requests come to one after the other.

    ``settled`` while runs of one order come to the same; else rules alone decide.
    """

    @property
    def settled(self) -> bool:
        """Whether it can be told what is none of these outcomes."""
        ...

    def learn(self, order: Sequence[int], answers: Sequence[Answer], view: dict[str, Any]) -> None:
        """What came of the requests in that order. May raise a verdict, if that makes no sense."""
        ...

    def holds(self, answers: Sequence[Answer], view: dict[str, Any]) -> bool:
        """Whether that is what some order comes to."""
        ...


class Canonical:
    """Outcomes by the contract: ids have prefixes, refusals have codes."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, ...], set[str]] = {}

    @property
    def settled(self) -> bool:
        """Whether each order came to one outcome."""
        return all(len(outcomes) == 1 for outcomes in self._seen.values())

    def learn(self, order: Sequence[int], answers: Sequence[Answer], view: dict[str, Any]) -> None:
        """Remember it."""
        self._seen.setdefault(tuple(order), set()).add(canonical(answers, view))

    def holds(self, answers: Sequence[Answer], view: dict[str, Any]) -> bool:
        """Whether some order came to that."""
        outcome = canonical(answers, view)
        return any(outcome in outcomes for outcomes in self._seen.values())


@dataclass(frozen=True, slots=True)
class Terms:
    """How requests of one kind of service are explored.

    ``send_again`` gives the final answers, given the first ones and how to send each request again;
    ``settled`` raises where one of them is none. ``unfailed`` raises what no request may be
    answered in a race. ``at_once`` contests may be prepared at a time.
    """

    send_again: Callable[
        [Sequence[Answer], Sequence[Callable[[], Awaitable[Answer]]]],
        Awaitable[tuple[Answer, ...]],
    ]
    settled: Callable[[Sequence[Answer]], None]
    unfailed: Callable[[Sequence[Answer]], None]
    outcomes: Callable[[], Outcomes]
    at_once: int = 1


CONTRACT = Terms(sent_again, settled, unfailed, Canonical, _AT_ONCE)
