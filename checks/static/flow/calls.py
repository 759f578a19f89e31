"""Calls: of the source's own functions and classes, and of what binds arguments to them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checks.static.flow import classes, library, places, promises
from checks.static.flow.frames import Arguments, Frame
from checks.static.flow.heap import Object
from checks.static.flow.values import (
    NOTHING,
    UNKNOWN,
    Atom,
    Const,
    Function,
    Label,
    Ref,
    Site,
    Value,
    data,
    either,
    just,
)

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine

#: Calls inside one another, and how often a function may be among them.
_DEPTH = 40
_AGAIN = 2

#: Things that one call may be of, beyond which the others are passed over.
_ALIKE = 24


def call(machine: Machine, callee: Value, given: Arguments, site: Site) -> Value:
    """What a call comes to, whichever of some things is called."""
    atoms = sorted(callee, key=_order)
    if len(atoms) <= 1:
        return either(*(_one(machine, atom, given, site) for atom in atoms))
    ways, values = [], []
    for atom in atoms[:_ALIKE]:
        machine.heap.begin()
        values.append(_one(machine, atom, given, site))
        ways.append(machine.heap.end())
    machine.heap.merge(ways)
    if len(atoms) > _ALIKE:
        values.append(_lost(machine, given, site))
    return either(*values)


def _lost(machine: Machine, given: Arguments, site: Site) -> Value:
    """What comes of a call that is not followed."""
    machine.observer.lost(given.values, site)
    return data(machine.marks(*given.values) | {Label.UNSURE})


def _order(atom: Atom) -> tuple[str, int, int]:
    """The same order in each reading, whatever the atoms' hashes are."""
    place = getattr(atom.node, "lineno", 0) if isinstance(atom, Function) else 0
    return type(atom).__name__, atom.id if isinstance(atom, Ref) else 0, place


def _one(machine: Machine, atom: Atom, given: Arguments, site: Site) -> Value:
    match atom:
        case Function():
            return run(machine, atom, given)
        case Ref(id=number):
            return _of_object(machine, atom, number, given, site)
        case _:
            return library.call(machine, atom, given, site)


def _of_object(machine: Machine, ref: Ref, number: int, given: Arguments, site: Site) -> Value:
    held = machine.heap[number]
    if held.kind == "class":
        return classes.instantiate(machine, number, given, site)
    if held.kind == "partial":
        together = Arguments(
            (*(held.items or ()), *given.positional),
            {**held.fields, **given.named},
            given.rest,
        )
        return machine.call(held.rest, together, site)
    if held.kind == "instance" and held.parent is not None:
        found = classes.in_class(machine, held.parent, "__call__")
        if found:
            return machine.call(classes.attribute(machine, ref, "__call__"), given, site)
    return library.call(machine, ref, given, site)


def run(machine: Machine, function: Function, given: Arguments) -> Value:
    """What a function of the source's own returns; the machine is as it leaves it."""
    node, stack = function.node, machine.stack
    module = machine.program.modules[function.module]
    if len(stack) >= _DEPTH:
        return _lost(machine, given, Site(module.path, node.lineno))
    if stack.count(node) >= _AGAIN:
        # What it does was seen; what it comes to is not.
        return data(machine.marks(*given.values) | {Label.UNSURE})
    scope = machine.heap.new(Object("scope", parent=function.scope))
    frame = Frame(module, scope, machine.heap.level, function)
    stack.append(node)
    try:
        fields = dict(_bind(machine, function, given))
        frame.first = next(iter(fields.values()), NOTHING)
        machine.heap.put(scope, Object("scope", fields, parent=function.scope))
        if isinstance(node, ast.Lambda):
            return machine.evaluate(node.body, frame)
        return _run_body(machine, node, frame)
    finally:
        stack.pop()


def _run_body(
    machine: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame
) -> Value:
    machine.heap.begin()
    goes_on = machine.execute(node.body, frame)
    last = machine.heap.end()
    ways = [way for _, way in frame.returns]
    values = [value for value, _ in frame.returns]
    if goes_on:
        ways.append(last)
        values.append(just(Const(None)))
    machine.heap.merge(ways)
    if frame.yields:
        return machine.heap.ref(Object("sequence", rest=either(*frame.yields)))
    return either(*values)


@dataclass(frozen=True, slots=True)
class _Binding:
    """What a call gives for a function's parameters, which stand in the frame ``outside``."""

    machine: Machine
    given: Arguments
    outside: Frame

    def of(self, parameter: ast.arg, value: Value | None, default: ast.expr | None) -> Value:
        """What a parameter is: what it is given, its default, or what its annotation promises."""
        if value is None and default is not None:
            value = either(self.machine.evaluate(default, self.outside), self.given.rest)
        found = promises.promise(
            self.machine, parameter.annotation, self.outside, value or self.given.rest or UNKNOWN
        )
        return places.named(found, parameter.arg)


def _bind(machine: Machine, function: Function, given: Arguments) -> Iterator[tuple[str, Value]]:
    """The names of a function's parameters, and what they are."""
    arguments = function.node.args
    module = machine.program.modules[function.module]
    binding = _Binding(machine, given, Frame(module, function.scope, machine.heap.level))
    positional = list(given.positional)
    if function.bound is not None:
        positional.insert(0, function.bound)
    named = dict(given.named)
    parameters = defaulted(arguments)
    for number, (parameter, default) in enumerate(parameters):
        value = positional[number] if number < len(positional) else named.pop(parameter.arg, None)
        yield parameter.arg, binding.of(parameter, value, default)
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield parameter.arg, binding.of(parameter, named.pop(parameter.arg, None), default)
    if arguments.vararg is not None:
        extra = tuple(positional[len(parameters) :])
        known = None if given.rest else extra
        rest = either(given.rest, *extra) if given.rest else NOTHING
        yield arguments.vararg.arg, machine.heap.ref(Object("sequence", items=known, rest=rest))
    if arguments.kwarg is not None:
        yield arguments.kwarg.arg, machine.heap.ref(Object("mapping", named, rest=given.rest))


def defaulted(arguments: ast.arguments) -> list[tuple[ast.arg, ast.expr | None]]:
    """The positional parameters of a function, each with its default."""
    parameters = [*arguments.posonlyargs, *arguments.args]
    without = len(parameters) - len(arguments.defaults)
    defaults: list[ast.expr | None] = [*[None] * without, *arguments.defaults]
    return list(zip(parameters, defaults, strict=True))
