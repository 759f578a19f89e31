"""What annotations promise of a value of which nothing else is known."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from checks.static.flow import names
from checks.static.flow.frames import Frame
from checks.static.flow.heap import Object
from checks.static.flow.values import UNKNOWN, Data, Member, Ref, Value, data, either

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine

#: Annotations that promise what the first thing in their brackets does.
_TRANSPARENT = names.words("Optional Annotated Final ClassVar Awaitable")


def annotated(node: ast.AST | None) -> Iterator[tuple[str, ast.expr]]:
    """The annotated names of a class's body, in their order."""
    if isinstance(node, ast.ClassDef):
        for statement in node.body:
            match statement:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                    yield name, annotation
                case _:
                    continue


def promise(
    machine: Machine, annotation: ast.expr | None, frame: Frame, value: Value = UNKNOWN
) -> Value:
    """A value of which no more than its annotation is known: an instance, if of a class of ours."""
    if annotation is None or not _vague(value):
        return value
    marks = machine.marks(value)
    found = [
        machine.heap.ref(Object("instance", rest=data(marks), parent=number))
        for number in _classes_of(machine, annotation, frame)
    ]
    return either(*found) or value


def _vague(value: Value) -> bool:
    """Whether nothing but marks are known of a value."""
    return all(isinstance(atom, Data | Member) for atom in value)


def _classes_of(machine: Machine, annotation: ast.expr, frame: Frame) -> list[int]:
    """The classes of the source's own that an annotation names, but for those of what it holds."""
    found: list[int] = []
    waiting: list[ast.expr] = [annotation]
    while waiting:
        match waiting.pop():
            case ast.Constant(value=str() as text):
                waiting += quoted(text)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                waiting += [left, right]
            case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
                if name in _TRANSPARENT:
                    waiting.append(inner.elts[0] if isinstance(inner, ast.Tuple) else inner)
            case ast.Name() | ast.Attribute() as node:
                found += _classes_in(machine, machine.evaluate(node, frame))
            case _:
                continue
    return found


def quoted(text: str) -> list[ast.expr]:
    """The annotation that stands between quotes, if it is one."""
    try:
        return [ast.parse(text, mode="eval").body]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _classes_in(machine: Machine, value: Value) -> list[int]:
    found: list[int] = []
    for atom in value:
        if isinstance(atom, Ref):
            held = machine.heap[atom.id]
            if held.kind == "class":
                found.append(atom.id)
            elif held.kind == "annotated":
                found += _classes_in(machine, held.rest)
    return found
