"""What defines names for good: functions, classes and imports."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from checks.static.flow import binding, places
from checks.static.flow.frames import Arguments, Frame
from checks.static.flow.heap import Object
from checks.static.flow.program import relative
from checks.static.flow.values import Function, Outer, Ref, Value, just

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine


def define_function(
    machine: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame
) -> None:
    """A function, as its decorators leave it."""
    value = just(binding.function(machine, node, frame))
    for decorator in reversed(node.decorator_list):
        by = machine.evaluate(decorator, frame)
        value = _decorated(machine, by, value, frame, decorator)
    binding.bind(machine, node.name, value, frame)


def _decorated(machine: Machine, by: Value, value: Value, frame: Frame, node: ast.expr) -> Value:
    """What a decorator makes of a function or a class."""
    last = next((atom.name.rpartition(".")[2] for atom in by if isinstance(atom, Outer)), "")
    flavour = _FLAVOURS.get(last)
    if flavour is not None:
        return frozenset(
            replace(atom, flavour=flavour) if isinstance(atom, Function) else atom for atom in value
        )
    return machine.call(by, Arguments((value,)), frame.site(node)) or value


_FLAVOURS = {
    "property": "property",
    "cached_property": "property",
    "staticmethod": "static",
    "classmethod": "class",
}


def define_class(machine: Machine, node: ast.ClassDef, frame: Frame) -> None:
    """A class, whose body is gone through at once."""
    bases = tuple(machine.evaluate(base, frame) for base in node.bases)
    number = machine.heap.new(
        Object("class", items=bases, node=node, name=frame.module.name, parent=frame.scope)
    )
    machine.classes.append(number)
    machine.execute(node.body, Frame(frame.module, number, machine.heap.level))
    value: Value = just(Ref(number))
    for decorator in reversed(node.decorator_list):
        by = machine.evaluate(decorator, frame)
        value = _decorated(machine, by, value, frame, decorator)
    binding.bind(machine, node.name, value, frame)


def import_module(machine: Machine, node: ast.Import, frame: Frame) -> None:
    """``import a.b``, ``import a.b as c``."""
    for alias in node.names:
        value = machine.outer(alias.name)
        if alias.asname is None and "." in alias.name:
            value = machine.outer(alias.name.partition(".")[0])
        name = alias.asname or alias.name.partition(".")[0]
        binding.bind(machine, name, value, frame)


def import_from(machine: Machine, node: ast.ImportFrom, frame: Frame) -> None:
    """``from a import b``; ``*`` brings what does not begin with an underscore."""
    name = relative(frame.module, node.level, node.module) if node.level else node.module or ""
    source = machine.outer(name)
    for alias in node.names:
        if alias.name == "*":
            for atom in source:
                if isinstance(atom, Ref):
                    for word, value in machine.heap[atom.id].fields.items():
                        if not word.startswith("_"):
                            binding.bind(machine, word, value, frame)
            continue
        value = places.read(machine, source, alias.name)
        binding.bind(machine, alias.asname or alias.name, value, frame)
