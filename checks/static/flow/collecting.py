"""Lists, sets and dictionaries as they are written, and comprehensions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from checks.static.flow import binding, places
from checks.static.flow.frames import Frame
from checks.static.flow.heap import Object
from checks.static.flow.values import (
    NOTHING,
    UNKNOWN,
    Const,
    Ref,
    Site,
    Value,
    either,
    only,
)

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine


#: Items of a set that are held against one another.
_TELLING = 32

#: How sequences are told apart whose items are found by their hashes.
_NAMES: dict[type[ast.expr], str] = {ast.Set: "set", ast.SetComp: "set"}


def sequence(machine: Machine, node: ast.List | ast.Tuple | ast.Set, frame: Frame) -> Value:
    """A list, a tuple or a set; a set looks for each item among those before it."""
    values = [machine.evaluate(one, frame) for one in node.elts]
    if any(isinstance(one, ast.Starred) for one in node.elts):
        found = [
            places.element(machine, value) if isinstance(one, ast.Starred) else value
            for one, value in zip(node.elts, values, strict=True)
        ]
        name = _NAMES.get(type(node), "")
        return machine.heap.ref(Object("sequence", rest=either(*found), name=name))
    if isinstance(node, ast.Set):
        return gathered(machine, values, frame.site(node))
    return machine.heap.ref(Object("sequence", items=tuple(values)))


def gathered(machine: Machine, values: Sequence[Value], site: Site) -> Value:
    """A set of some values: each is looked for among those before it, if it tells of anything."""
    telling = [value for value in values if machine.marks(value)]
    for number, value in enumerate(telling[:_TELLING]):
        before = Object("sequence", items=tuple(telling[:number]), name="set")
        machine.observer.within(value, machine.heap.ref(before), site)
    return machine.heap.ref(Object("sequence", items=tuple(values), name="set"))


def mapping(machine: Machine, node: ast.Dict, frame: Frame) -> Value:
    """A dictionary."""
    fields: dict[str, Value] = {}
    keys = rest = NOTHING
    for key, value in zip(node.keys, node.values, strict=True):
        found = machine.evaluate(value, frame)
        if key is None:
            atom = only(found)
            held = machine.heap[atom.id] if isinstance(atom, Ref) else Object("mapping", rest=found)
            fields |= held.fields
            rest = either(rest, held.rest)
            continue
        name = machine.evaluate(key, frame)
        constant = only(name)
        if isinstance(constant, Const) and isinstance(constant.value, str):
            fields[constant.value] = found
        else:
            keys, rest = either(keys, name), either(rest, found)
    return machine.heap.ref(Object("mapping", fields, (keys,), rest))


def comprehension(
    machine: Machine, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, frame: Frame
) -> Value:
    """A list, a set or a generator that is made item by item."""
    found = _through(machine, node.generators, frame, lambda: machine.evaluate(node.elt, frame))
    return machine.heap.ref(Object("sequence", rest=found, name=_NAMES.get(type(node), "")))


def mapping_comprehension(machine: Machine, node: ast.DictComp, frame: Frame) -> Value:
    """A dictionary that is made so."""

    def pair() -> Value:
        items = (machine.evaluate(node.key, frame), machine.evaluate(node.value, frame))
        return machine.heap.ref(Object("sequence", items=items))

    atom = only(_through(machine, node.generators, frame, pair))
    key, value = (machine.heap[atom.id].items if isinstance(atom, Ref) else None) or (UNKNOWN,) * 2
    return machine.heap.ref(Object("mapping", items=(key,), rest=value))


def _through(
    machine: Machine,
    generators: list[ast.comprehension],
    frame: Frame,
    made: Callable[[], Value],
) -> Value:
    """What is made for any item that some generators come to."""
    own = {
        node.id for one in generators for node in ast.walk(one.target) if isinstance(node, ast.Name)
    }
    outside = {name: machine.heap[frame.scope].fields.get(name) for name in own}
    for one in generators:
        iterated = machine.evaluate(one.iter, frame)
        machine.loops += 1
        binding.assign(machine, one.target, places.element(machine, iterated), frame)
        for test in one.ifs:
            machine.observer.tested(machine.evaluate(test, frame))
    found = made()
    machine.loops -= len(generators)
    scope = machine.heap[frame.scope]
    fields = {name: value for name, value in scope.fields.items() if name not in own}
    fields |= {name: value for name, value in outside.items() if value is not None}
    machine.heap.put(frame.scope, replace(scope, fields=fields))
    return found
