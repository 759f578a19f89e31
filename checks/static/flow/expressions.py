"""Expressions: what each may come to."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from checks.static.flow import binding, collecting, operators, places
from checks.static.flow.frames import Arguments, Frame
from checks.static.flow.heap import Object
from checks.static.flow.values import (
    NOTHING,
    UNKNOWN,
    Const,
    Data,
    Outer,
    Ref,
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

_Constant = str | bytes | int | float | complex | bool | None


def evaluate(machine: Machine, node: ast.expr, frame: Frame) -> Value:
    """What an expression comes to."""
    handler = _HANDLERS.get(type(node))
    return UNKNOWN if handler is None else handler(machine, node, frame)


def _constant(machine: Machine, node: ast.Constant, frame: Frame) -> Value:
    return just(Const(node.value)) if isinstance(node.value, _Constant) else UNKNOWN


def _name(machine: Machine, node: ast.Name, frame: Frame) -> Value:
    return places.lookup(machine, node.id, frame)


def _attribute(machine: Machine, node: ast.Attribute, frame: Frame) -> Value:
    return places.read(machine, machine.evaluate(node.value, frame), node.attr)


def _subscript(machine: Machine, node: ast.Subscript, frame: Frame) -> Value:
    of = machine.evaluate(node.value, frame)
    if any(isinstance(a, Outer) and a.name.rpartition(".")[2] == "Annotated" for a in of):
        return _annotated(machine, node.slice, frame)
    index = machine.evaluate(node.slice, frame)
    if isinstance(node.slice, ast.Slice):
        return places.item(machine, of, index, node.slice)
    machine.observer.tested(index)
    marks = machine.observer.within(index, _keys(machine, of), frame.site(node))
    found = places.item(machine, of, index, node.slice)
    name = only(index)
    if isinstance(name, Const) and isinstance(name.value, str):
        found = places.named(found, name.value)
    return either(found, data(marks)) if marks else found


def _keys(machine: Machine, value: Value) -> Value:
    """The keys of mappings that are not constant."""
    held = [machine.heap[atom.id] for atom in value if isinstance(atom, Ref)]
    keys = either(*(key for one in held if one.kind == "mapping" for key in one.items or ()))
    return machine.heap.ref(Object("sequence", rest=keys, name="set")) if keys else NOTHING


def _annotated(machine: Machine, inner: ast.expr, frame: Frame) -> Value:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    first, *others = (machine.evaluate(part, frame) for part in parts)
    return machine.heap.ref(Object("annotated", items=tuple(others), rest=first, node=parts[0]))


def _call(machine: Machine, node: ast.Call, frame: Frame) -> Value:
    callee = machine.evaluate(node.func, frame)
    if callee == just(Outer("builtins.super")):
        return _super(machine, frame)
    return machine.call(callee, _arguments(machine, node, frame), frame.site(node))


def _super(machine: Machine, frame: Frame) -> Value:
    """``super()`` within a method, or within what is defined in one."""
    made = frame.function
    if made is None or made.owner is None:
        return UNKNOWN
    return machine.heap.ref(Object("super", rest=frame.first, parent=made.owner))


def _arguments(machine: Machine, node: ast.Call, frame: Frame) -> Arguments:
    positional: list[Value] = []
    named: dict[str, Value] = {}
    rest = NOTHING
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            spread = machine.evaluate(argument.value, frame)
            atom = only(spread)
            items = machine.heap[atom.id].items if isinstance(atom, Ref) else None
            if items is not None and not rest:
                positional.extend(items)
            else:
                rest = either(rest, places.element(machine, spread))
        else:
            positional.append(machine.evaluate(argument, frame))
    for keyword in node.keywords:
        value = machine.evaluate(keyword.value, frame)
        if keyword.arg is not None:
            named[keyword.arg] = value
            continue
        atom = only(value)
        held = machine.heap[atom.id] if isinstance(atom, Ref) else Object("mapping", rest=value)
        named |= held.fields if held.kind == "mapping" else {}
        rest = either(rest, held.rest)
    return Arguments(tuple(positional), named, rest)


def _same(machine: Machine, node: ast.Await | ast.Starred, frame: Frame) -> Value:
    return machine.evaluate(node.value, frame)


def _yield(machine: Machine, node: ast.Yield, frame: Frame) -> Value:
    value = just(Const(None)) if node.value is None else machine.evaluate(node.value, frame)
    frame.yields.append(value)
    return UNKNOWN


def _yield_from(machine: Machine, node: ast.YieldFrom, frame: Frame) -> Value:
    frame.yields.append(places.element(machine, machine.evaluate(node.value, frame)))
    return UNKNOWN


def _joined(machine: Machine, node: ast.JoinedStr, frame: Frame) -> Value:
    parts = [machine.evaluate(part, frame) for part in node.values]
    known = [atom.value for part in parts if isinstance(atom := only(part), Const)]
    if len(known) == len(parts):
        return just(Const("".join(str(part) for part in known)[:_TEXT]))
    return data(machine.marks(*parts))


def _formatted(machine: Machine, node: ast.FormattedValue, frame: Frame) -> Value:
    return machine.evaluate(node.value, frame)


def _lambda(machine: Machine, node: ast.Lambda, frame: Frame) -> Value:
    return just(binding.function(machine, node, frame))


def _named(machine: Machine, node: ast.NamedExpr, frame: Frame) -> Value:
    value = machine.evaluate(node.value, frame)
    binding.assign(machine, node.target, value, frame)
    return value


def _slice(machine: Machine, node: ast.Slice, frame: Frame) -> Value:
    for part in (node.lower, node.upper, node.step):
        if part is not None:
            machine.evaluate(part, frame)
    return just(Data())


_HANDLERS: dict[type[ast.expr], Callable[[Machine, Any, Frame], Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Call: _call,
    ast.BinOp: operators.binary,
    ast.UnaryOp: operators.unary,
    ast.BoolOp: operators.boolean,
    ast.IfExp: operators.choice,
    ast.Compare: operators.compare,
    ast.Await: _same,
    ast.Starred: _same,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
    ast.JoinedStr: _joined,
    ast.FormattedValue: _formatted,
    ast.Lambda: _lambda,
    ast.NamedExpr: _named,
    ast.List: collecting.sequence,
    ast.Tuple: collecting.sequence,
    ast.Set: collecting.sequence,
    ast.Dict: collecting.mapping,
    ast.ListComp: collecting.comprehension,
    ast.SetComp: collecting.comprehension,
    ast.GeneratorExp: collecting.comprehension,
    ast.DictComp: collecting.mapping_comprehension,
}
