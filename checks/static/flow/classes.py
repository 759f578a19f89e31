"""Classes and their instances: attributes, construction, and what an annotation promises."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from checks.static.flow import places, promises
from checks.static.flow.frames import Arguments, Frame
from checks.static.flow.heap import Object
from checks.static.flow.values import (
    NOTHING,
    UNKNOWN,
    Function,
    Member,
    Outer,
    Ref,
    Site,
    Value,
    data,
    either,
    just,
)

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine

#: The field of an instance whose initialiser need not be run any more.
_READY = "#ready"

#: How deep classes inherit from one another.
_DEPTH = 12


def lineage(machine: Machine, number: int, depth: int = _DEPTH) -> Iterator[int]:
    """A class and those that it inherits from, as far as they are the source's own."""
    yield number
    if depth:
        for base in machine.heap[number].items or ():
            for atom in base:
                if isinstance(atom, Ref) and machine.heap[atom.id].kind == "class":
                    yield from lineage(machine, atom.id, depth - 1)


def in_class(machine: Machine, number: int, name: str) -> Value:
    """What a class has by this name, itself or from another; nothing where it has none."""
    for one in lineage(machine, number):
        found = machine.heap[one].fields.get(name)
        if found:
            return found
    return NOTHING


def attribute(machine: Machine, ref: Ref, name: str) -> Value:
    """An attribute of a class, an instance, or of what ``super()`` gives."""
    held = machine.heap[ref.id]
    if held.kind == "class":
        return _of_class(machine, ref, name)
    if held.kind == "super":
        return _of_super(machine, ref, name)
    found = held.fields.get(name) or _of_its_class(machine, ref, name)
    return found or just(Member(ref, name, places.part_of(machine.marks(held.rest), name)))


def _of_class(machine: Machine, ref: Ref, name: str) -> Value:
    if name == "__name__":
        return UNKNOWN
    found = in_class(machine, ref.id, name)
    return _bound(found, None, just(ref)) or just(Member(ref, name))


def _of_its_class(machine: Machine, ref: Ref, name: str) -> Value:
    """What an instance has by its class; nothing where that does not tell."""
    parent = machine.heap[ref.id].parent
    if parent is None:
        return NOTHING
    if name == "__class__":
        return just(Ref(parent))
    found = in_class(machine, parent, name)
    if found:
        return _of_instance(machine, _implemented(machine, parent, name, found), ref)
    return _promised(machine, ref, name)


def _implemented(machine: Machine, number: int, name: str, found: Value) -> Value:
    """What stands behind a method that is only declared: all that other classes make of it."""
    if not all(isinstance(atom, Function) and _is_stub(atom.node) for atom in found):
        return found
    asked = {word for word, value in machine.heap[number].fields.items() if _declares(value)}
    behind = [
        in_class(machine, other, name)
        for other in machine.classes
        if other != number
        and (
            number in lineage(machine, other)
            or ("Protocol" in _outer_bases(machine, number) and asked <= _words(machine, other))
        )
    ]
    return either(*behind) or found


def _declares(value: Value) -> bool:
    return any(isinstance(atom, Function) for atom in value)


def _words(machine: Machine, number: int) -> set[str]:
    return {name for one in lineage(machine, number) for name in machine.heap[one].fields}


def _is_stub(node: ast.AST) -> bool:
    """Whether a function's body does nothing, or only raises."""
    body = getattr(node, "body", None)
    return isinstance(body, list) and all(
        isinstance(one, ast.Pass | ast.Raise)
        or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
        for one in body
    )


def _of_super(machine: Machine, ref: Ref, name: str) -> Value:
    held = machine.heap[ref.id]
    found = NOTHING
    for number in list(lineage(machine, held.parent or 0))[1:]:
        found = found or machine.heap[number].fields.get(name, NOTHING)
    return _bound(found, held.rest, held.rest) or just(Member(ref, name, machine.marks(held.rest)))


def _of_instance(machine: Machine, found: Value, ref: Ref) -> Value:
    """What an instance makes of what its class has: methods bound, properties read."""
    values = []
    for atom in found:
        if isinstance(atom, Function) and atom.flavour == "property":
            got = replace(atom, flavour="", bound=just(ref))
            values.append(machine.call(just(got), Arguments(), Site("", 0)))
        else:
            owner = machine.heap[ref.id].parent
            of_class = NOTHING if owner is None else just(Ref(owner))
            values.append(_bound(just(atom), just(ref), of_class))
    return either(*values)


def _bound(found: Value, instance: Value | None, of_class: Value) -> Value:
    """Functions of a class with their first parameter given."""

    def bind(atom: Function) -> Function:
        if atom.bound is not None or atom.flavour == "static" or atom.owner is None:
            return atom
        if atom.flavour == "class":
            return replace(atom, bound=of_class)
        return atom if instance is None else replace(atom, bound=instance)

    return frozenset(bind(atom) if isinstance(atom, Function) else atom for atom in found)


def _promised(machine: Machine, ref: Ref, name: str) -> Value:
    """What an instance has by this name by its class's annotations, or when it is initialised."""
    held = machine.heap[ref.id]
    marks = machine.marks(held.rest)
    for number in lineage(machine, held.parent or 0):
        frame = _body_frame(machine, number)
        for field, annotation in promises.annotated(machine.heap[number].node):
            if field == name and frame is not None:
                given = data(places.part_of(marks, name))
                promised = places.named(promises.promise(machine, annotation, frame, given), name)
                machine.heap.put(ref.id, machine.heap[ref.id].with_field(name, promised))
                return promised
    if _READY not in held.fields:
        machine.heap.put(ref.id, held.with_field(_READY, UNKNOWN))
        initialiser = in_class(machine, held.parent or 0, "__init__")
        if initialiser:
            bound = _bound(initialiser, just(ref), NOTHING)
            machine.call(bound, Arguments(), Site("", 0))
            return machine.heap[ref.id].fields.get(name, NOTHING)
    return NOTHING


def _body_frame(machine: Machine, number: int) -> Frame | None:
    """A frame in which a class's annotations mean what they mean in its body."""
    held = machine.heap[number]
    module = machine.program.modules.get(held.name)
    return None if module is None else Frame(module, number, machine.heap.level)


def instantiate(machine: Machine, number: int, given: Arguments, site: Site) -> Value:
    """A new instance of a class."""
    marks = places.mixed(machine.marks(*given.values))
    made = machine.heap.new(
        Object("instance", fields={_READY: UNKNOWN}, rest=data(marks), parent=number)
    )
    me = just(Ref(made))
    initialiser = in_class(machine, number, "__init__")
    if initialiser:
        machine.heap.put(made, replace(machine.heap[made], rest=UNKNOWN))
        machine.call(_bound(initialiser, me, NOTHING), given, site)
        return me
    fill(machine, made, number, given)
    after = in_class(machine, number, "__post_init__")
    if after:
        machine.call(_bound(after, me, NOTHING), Arguments(), site)
    return me


def fill(machine: Machine, made: int, number: int, given: Arguments) -> None:
    """Put arguments into the fields of an instance as a dataclass's initialiser does."""
    order = list(
        dict.fromkeys(
            name
            for one in reversed(list(lineage(machine, number)))
            for name, _ in promises.annotated(machine.heap[one].node)
        )
    )
    fields = dict(machine.heap[made].fields)
    fields |= dict(zip(order, given.positional, strict=False))
    fields |= given.named
    fields |= {
        name: _default(machine, in_class(machine, number, name))
        for name in order
        if name not in fields and in_class(machine, number, name)
    }
    machine.heap.put(made, replace(machine.heap[made], fields=fields))


def _default(machine: Machine, value: Value) -> Value:
    """What a field is that nothing is given for."""
    found = []
    for atom in value:
        held = machine.heap[atom.id] if isinstance(atom, Ref) else None
        if held is not None and held.kind == "field":
            factory = held.fields.get("default_factory") or held.fields.get("factory", NOTHING)
            made = machine.call(factory, Arguments(), Site("", 0))
            found.append(held.fields.get("default") or made or UNKNOWN)
        else:
            found.append(just(atom))
    return either(*found)


def _outer_bases(machine: Machine, number: int) -> set[str]:
    """The last names of the other packages' classes that a class inherits from."""
    return {
        atom.name.rpartition(".")[2]
        for one in lineage(machine, number)
        for base in machine.heap[one].items or ()
        for atom in base
        if isinstance(atom, Outer)
    }
