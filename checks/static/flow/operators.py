"""Operators, and what decides between values."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from checks.static.flow import places
from checks.static.flow.frames import Frame
from checks.static.flow.heap import Object
from checks.static.flow.values import (
    UNKNOWN,
    Const,
    Difference,
    Label,
    Outer,
    Ref,
    Site,
    Value,
    data,
    either,
    just,
    only,
)

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine

#: Characters of a constant that is put together.
_TEXT = 2000


def binary(machine: Machine, node: ast.BinOp, frame: Frame) -> Value:
    """An operator between two values."""
    left, right = machine.evaluate(node.left, frame), machine.evaluate(node.right, frame)
    return combined(machine, left, node.op, right, frame.site(node))


def combined(machine: Machine, left: Value, by: ast.operator, right: Value, site: Site) -> Value:
    """What an operator makes of two values."""
    one, other = only(left), only(right)
    if isinstance(by, ast.Add) and isinstance(one, Const) and isinstance(other, Const):
        return _sum(one.value, other.value)
    if isinstance(by, ast.BitOr) and _are_types(machine, left, right):
        return either(left, right)
    marks = machine.marks(left, right)
    if isinstance(by, ast.BitXor) and Label.MAC in marks and Label.GIVEN in marks:
        return data({Difference(site, machine.loops)})
    if not _is_sequence(machine, left):
        return data(marks)
    items = either(places.element(machine, left), places.element(machine, right))
    if isinstance(by, ast.BitAnd | ast.Sub | ast.BitXor | ast.BitOr):
        found = machine.observer.within(places.element(machine, right), left, site)
        items = either(items, data(marks | found))
        return machine.heap.ref(Object("sequence", rest=items, name="set"))
    return machine.heap.ref(Object("sequence", rest=items))


def _are_types(machine: Machine, left: Value, right: Value) -> bool:
    """Whether an annotation is put together: a name of another package's, or classes of ours."""
    if any(isinstance(atom, Outer) for atom in left | right):
        return True
    return all(isinstance(atom, Ref) and _is_type(machine, atom) for atom in left)


def _is_type(machine: Machine, atom: Ref) -> bool:
    return machine.heap[atom.id].kind in ("class", "annotated")


def _is_sequence(machine: Machine, value: Value) -> bool:
    return any(isinstance(a, Ref) and machine.heap[a.id].kind == "sequence" for a in value)


def _sum(one: object, other: object) -> Value:
    for kind in (str, bytes):
        if isinstance(one, kind) and isinstance(other, kind):
            return just(Const((one + other)[:_TEXT]))  # type: ignore[operator]
    return UNKNOWN


def unary(machine: Machine, node: ast.UnaryOp, frame: Frame) -> Value:
    """An operator before a value."""
    value = machine.evaluate(node.operand, frame)
    atom = only(value)
    if isinstance(node.op, ast.Not) and isinstance(atom, Const):
        return just(Const(not atom.value))
    if isinstance(node.op, ast.Not):
        return data(machine.outcome(value))
    if isinstance(node.op, ast.USub) and isinstance(atom, Const) and isinstance(atom.value, int):
        return just(Const(-atom.value))
    return data(machine.marks(value))


def boolean(machine: Machine, node: ast.BoolOp, frame: Frame) -> Value:
    """``and`` and ``or``: any of the values, all but the last of which are tested."""
    values = [machine.evaluate(one, frame) for one in node.values]
    for value in values[:-1]:
        machine.observer.tested(value)
    return either(*values)


def choice(machine: Machine, node: ast.IfExp, frame: Frame) -> Value:
    """``a if b else c``."""
    machine.observer.tested(machine.evaluate(node.test, frame))
    return either(machine.evaluate(node.body, frame), machine.evaluate(node.orelse, frame))


def compare(machine: Machine, node: ast.Compare, frame: Frame) -> Value:
    """A comparison, or several in a row."""
    left = machine.evaluate(node.left, frame)
    if left == just(Outer("sys.version_info")):
        # No Python that this runs on is older than what is asked for.
        return just(Const(isinstance(node.ops[0], ast.Gt | ast.GtE)))
    marks = machine.outcome(left)
    for by, comparator in zip(node.ops, node.comparators, strict=True):
        right = machine.evaluate(comparator, frame)
        marks |= machine.outcome(right)
        if isinstance(by, ast.In | ast.NotIn):
            marks |= machine.observer.within(left, right, frame.site(node))
        elif not isinstance(by, ast.Is | ast.IsNot):
            marks |= machine.observer.equal(left, right, frame.site(node))
        left = right
    return data(marks)
