"""Where the machine is: functions under way, their arguments, and the loops in them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from checks.static.flow.heap import Way
from checks.static.flow.program import Module
from checks.static.flow.values import NOTHING, Function, Site, Value


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a call is given; ``rest`` is what ``*`` and ``**`` may bring besides."""

    positional: tuple[Value, ...] = ()
    named: Mapping[str, Value] = field(default_factory=dict)
    rest: Value = NOTHING

    @property
    def values(self) -> tuple[Value, ...]:
        """All of them."""
        rest = (self.rest,) if self.rest else ()
        return (*self.positional, *self.named.values(), *rest)

    def get(self, place: int | None, *names: str) -> Value:
        """The one of that place or of one of these names; nothing where there is none."""
        if place is not None and place < len(self.positional):
            return self.positional[place]
        return next((self.named[name] for name in names if name in self.named), NOTHING)

    def behind(self, count: int) -> Arguments:
        """The same without so many of the first."""
        return Arguments(self.positional[count:], self.named, self.rest)


@dataclass(slots=True)
class Loop:
    """A loop under way: how many ways were open when its body began, and where it was left."""

    level: int
    exits: list[Way] = field(default_factory=list)


@dataclass(slots=True)
class Frame:
    """A function under way, or a module's or a class's own code.

    ``scope`` holds its names; ``level`` is how many ways were open when it began.
    """

    module: Module
    scope: int
    level: int
    function: Function | None = None
    first: Value = NOTHING
    returns: list[tuple[Value, Way]] = field(default_factory=list)
    yields: list[Value] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    shared: dict[str, int] = field(default_factory=dict)

    def site(self, node: ast.AST) -> Site:
        """Where a node is."""
        return Site(self.module.path, getattr(node, "lineno", 0))
