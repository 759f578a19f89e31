"""The objects that a program has made so far, along one way through it or several.

Ways are tried one after another: ``begin`` opens one, ``end`` takes back what it changed and hands
that out, and ``merge`` makes it so that any of some ways may have been gone.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from checks.static.flow.values import NOTHING, Ref, Value, either, just

Kind = Literal[
    "scope",
    "class",
    "instance",
    "sequence",
    "mapping",
    "partial",
    "hmac",
    "digest",
    "router",
    "registrar",
    "depends",
    "annotated",
    "field",
    "super",
]

#: What a way has changed: objects by id, as it left them.
Way = Mapping[int, "Object"]


@dataclass(frozen=True, slots=True)
class Object:
    """An object: its fields; ``items`` where all of them are known, and ``rest`` for any other.

    ``node`` is what defines it, ``parent`` the scope around a scope, or an instance's class.
    """

    kind: Kind
    fields: Mapping[str, Value] = field(default_factory=dict)
    items: tuple[Value, ...] | None = None
    rest: Value = NOTHING
    node: ast.AST | None = None
    name: str = ""
    parent: int | None = None

    def with_field(self, name: str, value: Value) -> Object:
        """The same but for one field."""
        return replace(self, fields={**self.fields, name: value})

    @property
    def element(self) -> Value:
        """Any of its items."""
        return either(self.rest, *(self.items or ()))


#: What was made on a way that came to nothing.
_LOST = Object("instance")


def _joined(one: Object, other: Object) -> Object:
    """What may be either."""
    if one is other:
        return one
    fields = dict(one.fields)
    for name, value in other.fields.items():
        fields[name] = either(fields.get(name, NOTHING), value)
    rest, items = either(one.rest, other.rest), one.items
    if one.items is None or other.items is None or len(one.items) != len(other.items):
        if one.items is not None or other.items is not None:
            rest, items = either(one.element, other.element), None
    else:
        items = tuple(either(a, b) for a, b in zip(one.items, other.items, strict=True))
    return replace(one, fields=fields, items=items, rest=rest)


class Heap:
    """All objects, by id."""

    def __init__(self) -> None:
        self._objects: dict[int, Object] = {}
        self._before: list[dict[int, Object | None]] = []
        self._next = 1

    def new(self, made: Object) -> int:
        """Keep a new object; its id."""
        number = self._next
        self._next += 1
        self.put(number, made)
        return number

    def ref(self, made: Object) -> Value:
        """Keep a new object; the value that it is."""
        return just(Ref(self.new(made)))

    def __getitem__(self, number: int) -> Object:
        return self._objects.get(number, _LOST)

    def __contains__(self, number: int) -> bool:
        return number in self._objects

    def put(self, number: int, made: Object) -> None:
        """Have an object be another from now on."""
        if self._before:
            self._before[-1].setdefault(number, self._objects.get(number))
        self._objects[number] = made

    @property
    def level(self) -> int:
        """How many ways are open, one inside another."""
        return len(self._before)

    def begin(self) -> None:
        """Open a way."""
        self._before.append({})

    def so_far(self, level: int) -> Way:
        """What was changed since so many ways were open."""
        changed = {number for before in self._before[level:] for number in before}
        return {number: self._objects[number] for number in changed}

    def end(self) -> Way:
        """Take back the way that was opened last; what it had changed."""
        before = self._before.pop()
        way = {number: self._objects[number] for number in before}
        for number, earlier in before.items():
            if earlier is None:
                del self._objects[number]
            else:
                self._objects[number] = earlier
        return way

    def merge(self, ways: Sequence[Way], *, or_none: bool = False) -> None:
        """Any of these ways may have been gone; with ``or_none``, perhaps none was."""
        for number in {number for way in ways for number in way}:
            earlier = self._objects.get(number)
            found = [way[number] for way in ways if number in way]
            if earlier is not None and (or_none or len(found) < len(ways)):
                found.append(earlier)
            joined = found[0]
            for other in found[1:]:
                joined = _joined(joined, other)
            self.put(number, joined)
