"""The machine that goes through a program: what it has made so far, where it is, what it saw."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from checks.static.flow import calls, expressions, statements
from checks.static.flow.frames import Arguments, Frame
from checks.static.flow.heap import Heap, Object
from checks.static.flow.program import Module, Program
from checks.static.flow.routes import Routes
from checks.static.flow.values import (
    NO_MARKS,
    Atom,
    Const,
    Data,
    Decided,
    Difference,
    Marks,
    Member,
    Outer,
    Ref,
    Site,
    Value,
)

#: Nodes of syntax that one reading passes at most, each as often as it is come to.
STEPS = 400_000

#: How deep marks are looked for inside an object.
_DEPTH = 5


class TooMuchError(Exception):
    """The program is too large to be followed to its end."""


class Observer(Protocol):
    """What is asked of the values on the way."""

    def equal(self, left: Value, right: Value, site: Site) -> Marks:
        """Two values are compared as Python does; what the outcome tells besides."""

    def within(self, item: Value, container: Value, site: Site) -> Marks:
        """One is looked for in the other."""

    def together(self, values: Sequence[Value], site: Site) -> None:
        """Some values are put in order."""

    def tested(self, value: Value) -> None:
        """The way goes on by the truth of a value."""

    def stopped(self, marks: Marks) -> Marks:
        """A loop ends at the first of its outcomes that decides; what the whole tells."""

    def knows(self, name: str) -> bool:
        """Whether ``called`` has an answer for a function of another package's."""

    def called(self, name: str, atom: Atom, given: Arguments, site: Site) -> Value | None:
        """Something of another package's is called; what comes of it, if that is known here."""

    def lost(self, values: Sequence[Value], site: Site) -> None:
        """Values go where there would be too much to follow."""

    def handed(self, name: str, values: Sequence[Value], site: Site) -> None:
        """Values go where they cannot be followed."""


class Machine:
    """One reading of a program; ``known`` is what some names of other packages' stand for."""

    def __init__(
        self,
        program: Program,
        observe: Callable[[Machine], Observer],
        known: Mapping[str, Value] | None = None,
    ) -> None:
        self.program = program
        self.heap = Heap()
        #: What was put onto things that are not the source's own, by their names.
        self.stash = self.heap.new(Object("scope", dict(known or {})))
        self.scopes: dict[str, int] = {}
        self.classes: list[int] = []
        self.stack: list[ast.AST] = []
        self.loops = 0
        self.routes = Routes(self)
        self.observer = observe(self)
        self._steps = 0

    def evaluate(self, node: ast.expr, frame: Frame) -> Value:
        """What an expression comes to."""
        self._step()
        return expressions.evaluate(self, node, frame)

    def execute(self, body: Sequence[ast.stmt], frame: Frame) -> bool:
        """Go through some statements; whether the way goes on behind them."""
        for statement in body:
            self._step()
            if not statements.execute(self, statement, frame):
                return False
        return True

    def call(self, callee: Value, given: Arguments, site: Site) -> Value:
        """What a call comes to."""
        return calls.call(self, callee, given, site)

    def marks(self, *values: Value) -> Marks:
        """What some values were made from, all that they hold included."""
        found: set[object] = set()
        seen: set[int] = set()
        for value in values:
            for atom in value:
                found |= self._marks_of(atom, _DEPTH, seen)
        return frozenset(found)  # type: ignore[arg-type]

    def outcome(self, value: Value) -> Marks:
        """What a value tells of comparisons."""
        marks = self.marks(value)
        return frozenset(mark for mark in marks if isinstance(mark, Decided | Difference))

    def _marks_of(self, atom: Atom, depth: int, seen: set[int]) -> Marks:
        match atom:
            case Data(marks=marks) | Member(marks=marks):
                return marks
            case Ref(id=number) if depth and number not in seen:
                seen.add(number)
                held = self.heap[number]
                if held.kind in ("scope", "class", "router", "super"):
                    return NO_MARKS
                inside = (*held.fields.values(), *(held.items or ()), held.rest)
                return frozenset().union(
                    *(self._marks_of(one, depth - 1, seen) for value in inside for one in value)
                )
            case _:
                return NO_MARKS

    def module(self, name: str) -> int | None:
        """The scope of a module of the program's own, run when it is first asked for."""
        found = self.program.find(name)
        if found is None:
            return None
        if self.scopes.get(found.name, 0) not in self.heap:
            scope = self.heap.new(Object("scope", name=found.name, fields=_given(found)))
            self.scopes[found.name] = scope
            loops, self.loops = self.loops, 0
            self.execute(found.tree.body, Frame(found, scope, self.heap.level))
            self.loops = loops
        return self.scopes[found.name]

    def _step(self) -> None:
        self._steps += 1
        if self._steps > STEPS:
            raise TooMuchError

    def outer(self, name: str) -> Value:
        """Something by its absolute name: what was put there, a module of ours, or another's."""
        put = self.heap[self.stash].fields.get(name)
        if put is not None:
            return put
        scope = self.module(name)
        return frozenset({Outer(name) if scope is None else Ref(scope)})


def _given(module: Module) -> dict[str, Value]:
    return {"__name__": frozenset({Const(module.name)})}
