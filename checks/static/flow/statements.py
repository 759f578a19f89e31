"""Statements: what each does to what the machine has made, and whether the way goes on."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from checks.static.flow import (
    binding,
    classes,
    definitions,
    operators,
    patterns,
    places,
    promises,
)
from checks.static.flow.frames import Arguments, Frame, Loop
from checks.static.flow.heap import Way
from checks.static.flow.values import (
    UNKNOWN,
    Const,
    Outer,
    Ref,
    Value,
    either,
    just,
    truth_of,
)

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine

#: How often a loop's body is gone through.
_ROUNDS = 2


def execute(machine: Machine, node: ast.stmt, frame: Frame) -> bool:
    """Go through one statement; whether the way goes on behind it."""
    handler = _HANDLERS.get(type(node))
    return True if handler is None else handler(machine, node, frame) is not False


def _expression(machine: Machine, node: ast.Expr, frame: Frame) -> None:
    machine.evaluate(node.value, frame)


def _assign(machine: Machine, node: ast.Assign, frame: Frame) -> None:
    value = machine.evaluate(node.value, frame)
    for target in node.targets:
        binding.assign(machine, target, value, frame)


def _annotate(machine: Machine, node: ast.AnnAssign, frame: Frame) -> None:
    if node.value is not None:
        value = machine.evaluate(node.value, frame)
        promised = promises.promise(machine, node.annotation, frame, value)
        binding.assign(machine, node.target, promised, frame)


def _augment(machine: Machine, node: ast.AugAssign, frame: Frame) -> None:
    left, right = machine.evaluate(node.target, frame), machine.evaluate(node.value, frame)
    value = operators.combined(machine, left, node.op, right, frame.site(node))
    binding.assign(machine, node.target, value, frame)


def _return(machine: Machine, node: ast.Return, frame: Frame) -> bool:
    value = just(Const(None)) if node.value is None else machine.evaluate(node.value, frame)
    frame.returns.append((value, machine.heap.so_far(frame.level)))
    return False


def _raise(machine: Machine, node: ast.Raise, frame: Frame) -> bool:
    if node.exc is not None:
        machine.evaluate(node.exc, frame)
    return False


def _assert(machine: Machine, node: ast.Assert, frame: Frame) -> None:
    machine.observer.tested(machine.evaluate(node.test, frame))


def _leave(machine: Machine, node: ast.stmt, frame: Frame) -> bool:
    """``break`` and ``continue``: both lead behind the loop, once it has run out."""
    if frame.loops:
        loop = frame.loops[-1]
        loop.exits.append(machine.heap.so_far(loop.level))
    return False


def _branch(machine: Machine, bodies: Sequence[Callable[[], bool]]) -> bool:
    """Try some ways; whether any of them goes on."""
    ways: list[Way] = []
    for body in bodies:
        machine.heap.begin()
        goes_on = body()
        way = machine.heap.end()
        if goes_on:
            ways.append(way)
    machine.heap.merge(ways)
    return bool(ways)


def _if(machine: Machine, node: ast.If, frame: Frame) -> bool:
    test = machine.evaluate(node.test, frame)
    machine.observer.tested(test)
    known = truth_of(test)
    if test == just(Outer("typing.TYPE_CHECKING")):
        known = True
    if known is not None:
        return machine.execute(node.body if known else node.orelse, frame)
    return _branch(
        machine,
        [
            lambda: machine.execute(node.body, frame),
            lambda: machine.execute(node.orelse, frame),
        ],
    )


def _for(machine: Machine, node: ast.For | ast.AsyncFor, frame: Frame) -> bool:
    iterated = machine.evaluate(node.iter, frame)
    found = places.element(machine, iterated)
    return _loop(machine, node, frame, lambda: binding.assign(machine, node.target, found, frame))


def _while(machine: Machine, node: ast.While, frame: Frame) -> bool:
    return _loop(
        machine,
        node,
        frame,
        lambda: machine.observer.tested(machine.evaluate(node.test, frame)),
    )


def _loop(
    machine: Machine,
    node: ast.For | ast.AsyncFor | ast.While,
    frame: Frame,
    begin: Callable[[], None],
) -> bool:
    """A loop's body some times over, or not at all; then what follows it."""
    for _ in range(_ROUNDS):
        loop = Loop(machine.heap.level)
        frame.loops.append(loop)
        machine.heap.begin()
        machine.loops += 1
        begin()
        goes_on = machine.execute(node.body, frame)
        machine.loops -= 1
        way = machine.heap.end()
        frame.loops.pop()
        machine.heap.merge([*loop.exits, *([way] if goes_on else [])], or_none=True)
    return machine.execute(node.orelse, frame) if node.orelse else True


def _try(machine: Machine, node: ast.Try, frame: Frame) -> bool:
    """The body, or part of it and one of the handlers; then what comes finally."""
    level = machine.heap.level
    machine.heap.begin()
    goes_on = machine.execute(node.body, frame)
    partly = machine.heap.so_far(level)
    if goes_on and node.orelse:
        goes_on = machine.execute(node.orelse, frame)
    body = machine.heap.end()
    ways = [body] if goes_on else []
    for handler in () if _is_there(node.body) else node.handlers:
        machine.heap.begin()
        machine.heap.merge([partly], or_none=True)
        if handler.name:
            binding.bind(machine, handler.name, UNKNOWN, frame)
        handled = machine.execute(handler.body, frame)
        way = machine.heap.end()
        if handled:
            ways.append(way)
    machine.heap.merge(ways)
    return machine.execute(node.finalbody, frame) and bool(ways)


def _is_there(body: Sequence[ast.stmt]) -> bool:
    """Whether some statements only import what Python has: that does not fail."""
    return all(
        (isinstance(one, ast.ImportFrom) and not one.level and _is_pythons(one.module or ""))
        or (isinstance(one, ast.Import) and all(_is_pythons(alias.name) for alias in one.names))
        for one in body
    )


def _is_pythons(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _with(machine: Machine, node: ast.With | ast.AsyncWith, frame: Frame) -> bool:
    for item in node.items:
        manager = machine.evaluate(item.context_expr, frame)
        entered = either(*(_entered(machine, just(atom), frame, item) for atom in manager))
        if item.optional_vars is not None:
            binding.assign(machine, item.optional_vars, entered, frame)
    return machine.execute(node.body, frame)


def _entered(machine: Machine, manager: Value, frame: Frame, item: ast.withitem) -> Value:
    """What a context manager gives when it is entered."""
    for atom in manager:
        if isinstance(atom, Ref):
            held = machine.heap[atom.id]
            if held.kind == "sequence":
                return held.element
            for name in ("__enter__", "__aenter__"):
                if held.parent is not None and classes.in_class(machine, held.parent, name):
                    site = frame.site(item.context_expr)
                    return machine.call(places.read(machine, manager, name), Arguments(), site)
    return manager


def _match(machine: Machine, node: ast.Match, frame: Frame) -> bool:
    subject = machine.evaluate(node.subject, frame)
    machine.observer.tested(subject)

    def one(case: ast.match_case) -> bool:
        patterns.take(machine, case.pattern, subject, frame)
        if case.guard is not None:
            machine.observer.tested(machine.evaluate(case.guard, frame))
        return machine.execute(case.body, frame)

    cases: list[Callable[[], bool]] = [lambda case=case: one(case) for case in node.cases]  # type: ignore[misc]
    return _branch(machine, [*cases, lambda: True])


def _share(machine: Machine, node: ast.Global | ast.Nonlocal, frame: Frame) -> None:
    """Names that are another scope's: assigned to there."""
    for name in node.names:
        number = machine.heap[frame.scope].parent
        if isinstance(node, ast.Global):
            number = machine.scopes.get(frame.module.name)
        while number is not None:
            scope = machine.heap[number]
            if name in scope.fields or scope.parent is None:
                frame.shared[name] = number
                break
            number = scope.parent


_HANDLERS: dict[type[ast.stmt], Callable[[Machine, Any, Frame], bool | None]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotate,
    ast.AugAssign: _augment,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.Assert: _assert,
    ast.Break: _leave,
    ast.Continue: _leave,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.Try: _try,
    ast.TryStar: _try,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Match: _match,
    ast.FunctionDef: definitions.define_function,
    ast.AsyncFunctionDef: definitions.define_function,
    ast.ClassDef: definitions.define_class,
    ast.Import: definitions.import_module,
    ast.ImportFrom: definitions.import_from,
    ast.Global: _share,
    ast.Nonlocal: _share,
}
