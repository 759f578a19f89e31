"""Names and other targets, and what they are bound to."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from checks.static.flow import places
from checks.static.flow.frames import Frame
from checks.static.flow.heap import Object
from checks.static.flow.values import (
    Function,
    Ref,
    Value,
    only,
)

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine


def bind(machine: Machine, name: str, value: Value, frame: Frame) -> None:
    """Give a name a value."""
    number = frame.shared.get(name, frame.scope)
    machine.heap.put(number, machine.heap[number].with_field(name, value))


def assign(machine: Machine, target: ast.expr, value: Value, frame: Frame) -> None:
    """Give a target a value."""
    match target:
        case ast.Name(id=name):
            bind(machine, name, value, frame)
        case ast.Attribute(value=of, attr=name):
            places.write(machine, machine.evaluate(of, frame), name, value)
        case ast.Subscript(value=of, slice=index):
            where = machine.evaluate(index, frame)
            places.put_item(machine, machine.evaluate(of, frame), where, value)
        case ast.Starred(value=inner):
            rest = places.element(machine, value)
            assign(machine, inner, machine.heap.ref(Object("sequence", rest=rest)), frame)
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            for one, part in zip(targets, _parts(machine, value, targets), strict=True):
                assign(machine, one, part, frame)
        case _:
            return


def _parts(machine: Machine, value: Value, targets: list[ast.expr]) -> list[Value]:
    """The items of a value that some targets take apart."""
    atom = only(value)
    if isinstance(atom, Ref) and not any(isinstance(one, ast.Starred) for one in targets):
        items = machine.heap[atom.id].items
        if machine.heap[atom.id].kind == "sequence" and items and len(items) == len(targets):
            return list(items)
    return [places.element(machine, value)] * len(targets)


def function(
    machine: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, frame: Frame
) -> Function:
    """A function as it is made here."""
    owner = frame.scope if machine.heap[frame.scope].kind == "class" else None
    scope = frame.scope
    while machine.heap[scope].kind == "class":
        scope = machine.heap[scope].parent or 0
    return Function(node, frame.module.name, scope, owner)
