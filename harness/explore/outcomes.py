"""What requests of any service come to one after the other, and what is none of that.

Nobody says which parts of an answer are fresh each time: the runs of one order do, by what differs
between them. A value that no other run had is an id, told by the order of its first appearance, so
that two of the same are seen; other values that differ tell nothing. Of an answer that is no
success only its status counts, since its wording may well depend on who came first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from checks.client import Answer
from checks.verdicts import Inconclusive

#: What view of a contest holds: what was shown, and the invariants that do not hold, in sentences.
SHOWN, BROKEN = "shown", "broken"

_TIME = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?")

#: A part of an outcome: the way to it, lists' places left out, and what is there.
_Leaf = tuple[str, Any]


class Measured:
    """Outcomes of any service; ``ignore`` are members that are left out, wherever they are."""

    def __init__(self, ignore: Collection[str] = ()) -> None:
        self._ignore = frozenset(ignore)
        self._seen: dict[tuple[int, ...], list[Any]] = {}
        self._texts: dict[tuple[int, ...], set[str]] | None = None
        self._fresh: dict[str, bool] = {}

    def learn(
        self, order: Sequence[int], answers: Sequence[Answer], view: Mapping[str, Any]
    ) -> None:
        """Remember it. Raises ``Inconclusive`` where it goes wrong without any race."""
        told = " then ".join(f"request {number + 1}" for number in order)
        for number, answer in enumerate(answers):
            if answer.failed:
                raise Inconclusive(
                    f"Without any race, {told}: {answer} to request {number + 1}; mend that first."
                )
        if view[BROKEN]:
            raise Inconclusive(f"Without any race, {told}: {view[BROKEN][0]} Mend that first.")
        self._seen.setdefault(tuple(order), []).append(self._tree(answers, view))
        self._texts = None

    @property
    def settled(self) -> bool:
        """Whether the runs of each order came to the same."""
        return all(len(texts) == 1 for texts in self._known().values())

    def holds(self, answers: Sequence[Answer], view: Mapping[str, Any]) -> bool:
        """Whether some order came to that."""
        known = self._known()
        text = self._text(self._tree(answers, view))
        return any(text in texts for texts in known.values())

    @property
    def varying(self) -> tuple[str, ...]:
        """The parts that differ from run to run, so that their values tell nothing."""
        self._known()
        return tuple(sorted(path for path, is_id in self._fresh.items() if not is_id))

    def _known(self) -> dict[tuple[int, ...], set[str]]:
        if self._texts is None:
            self._fresh = self._differing()
            self._texts = {
                order: {self._text(tree) for tree in trees} for order, trees in self._seen.items()
            }
        return self._texts

    def _differing(self) -> dict[str, bool]:
        """The parts that differ between runs of one order, and whether each is an id."""
        runs = [_by_path(tree) for trees in self._seen.values() for tree in trees]
        fresh: dict[str, bool] = {}
        for trees in self._seen.values():
            found = [_by_path(tree) for tree in trees]
            for path in {path for run in found for path in run}:
                if any(run.get(path) != found[0].get(path) for run in found[1:]):
                    values = [set(map(_key, run.get(path, ()))) for run in runs]
                    fresh[path] = sum(map(len, values)) == len(set().union(*values))
        return fresh

    def _tree(self, answers: Sequence[Answer], view: Mapping[str, Any]) -> Any:
        tree = {"answers": [_told(answer) for answer in answers], SHOWN: view[SHOWN]}
        # Through JSON: what the database gives, and what a service sends, are then alike.
        return self._without(json.loads(json.dumps(tree, default=str)))

    def _without(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: self._without(part) for key, part in value.items() if key not in self._ignore
            }
        if isinstance(value, list):
            return [self._without(part) for part in value]
        return _TIME.sub("(time)", value) if isinstance(value, str) else value

    def _text(self, tree: Any) -> str:
        seen: dict[str, str] = {}

        def named(path: str, value: Any) -> Any:
            match self._fresh.get(path):
                case None:
                    return value
                case True:
                    return seen.setdefault(_key(value), f"(fresh {len(seen) + 1})")
                case _:
                    return "(varies)"

        return json.dumps(_mapped(tree, "", named), sort_keys=True)


def _told(answer: Answer) -> dict[str, Any]:
    if not answer.ok:
        return {"status": answer.status}
    try:
        body = json.loads(answer.content)
    except ValueError:
        body = answer.content.decode(errors="replace")
    return {"status": answer.status, "body": body}


def _key(value: Any) -> str:
    """A value as it is told apart from others: ``1`` is not ``true``."""
    return json.dumps(value)


def _by_path(tree: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for path, value in _leaves(tree, ""):
        found.setdefault(path, []).append(value)
    return found


def _leaves(value: Any, path: str) -> Iterator[_Leaf]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}")
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from _leaves(part, _within(path, place))
    else:
        yield path, value


def _mapped(value: Any, path: str, named: Any) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(value[key], f"{path}.{key}", named) for key in sorted(value)}
    if isinstance(value, list):
        return [_mapped(part, _within(path, place), named) for place, part in enumerate(value)]
    return named(path, value)


def _within(path: str, place: int) -> str:
    """Answers and views are told apart by their places; what they list is not."""
    return f"{path}[{place + 1}]" if path in (".answers", f".{SHOWN}") else f"{path}[]"
