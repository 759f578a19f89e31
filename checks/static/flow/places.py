"""Names, attributes and items: what is read from them, and what is put there."""

from __future__ import annotations

import ast
import builtins
import re
from typing import TYPE_CHECKING

from checks.static.flow import classes, names
from checks.static.flow.heap import Object
from checks.static.flow.values import (
    NO_MARKS,
    NOTHING,
    UNKNOWN,
    Atom,
    Const,
    Data,
    Function,
    Label,
    Marks,
    Member,
    Outer,
    Ref,
    Value,
    data,
    either,
    just,
    only,
    text_of,
)

if TYPE_CHECKING:
    from checks.static.flow.frames import Frame
    from checks.static.flow.machine import Machine

_SECRET = re.compile(r"secret|key|token|passw|pepper|salt|signing|hmac", re.IGNORECASE)

_BUILTINS = frozenset(dir(builtins))

#: Parts of a dotted name that are kept.
_DOTS = 6


def lookup(machine: Machine, name: str, frame: Frame) -> Value:
    """What a name stands for."""
    if name in frame.shared:
        return machine.heap[frame.shared[name]].fields.get(name, UNKNOWN)
    number: int | None = frame.scope
    while number is not None:
        scope = machine.heap[number]
        if name in scope.fields and (scope.kind != "class" or number == frame.scope):
            return named(scope.fields[name] or UNKNOWN, name)
        number = scope.parent
    return machine.outer(f"builtins.{name}") if name in _BUILTINS else UNKNOWN


def named(value: Value, name: str) -> Value:
    """A value as it is known by this name: what nothing is known of may be a key by its name."""
    if not _SECRET.search(name):
        return value
    return frozenset(
        Data(frozenset({Label.KEY}), atom.made)
        if isinstance(atom, Data) and not atom.marks
        else Member(atom.of, atom.name, frozenset({Label.KEY}))
        if isinstance(atom, Member) and not atom.marks
        else atom
        for atom in value
    )


def read(machine: Machine, value: Value, name: str) -> Value:
    """An attribute of a value."""
    found = either(*(_attribute(machine, atom, name) for atom in value))
    return named(found, name) or UNKNOWN


def _attribute(machine: Machine, atom: Atom, name: str) -> Value:
    match atom:
        case Ref():
            return _of_object(machine, atom, name)
        case Outer(name=outer):
            return machine.outer(f"{outer}.{name}")
        case Function():
            return just(atom) if name in ("setter", "getter", "__wrapped__") else UNKNOWN
        case _:
            return _put_there(machine, _key(atom, name), just(member(atom, name)))


def _of_object(machine: Machine, ref: Ref, name: str) -> Value:
    held = machine.heap[ref.id]
    if held.kind == "scope":
        if name in held.fields:
            return held.fields[name]
        inner = machine.module(f"{held.name}.{name}" if held.name else name)
        return UNKNOWN if inner is None else just(Ref(inner))
    if held.kind in ("class", "instance", "super"):
        return classes.attribute(machine, ref, name)
    if f".{name}" in held.fields:
        return held.fields[f".{name}"]
    return just(Member(ref, name, machine.marks(just(ref))))


def member(atom: Atom, name: str) -> Atom:
    """An attribute of something that is not the source's own."""
    marks = atom.marks if isinstance(atom, Data | Member) else NO_MARKS
    of: Data | Const | Ref | Outer | Member
    if isinstance(atom, Member):
        parts = [part for part in (_made(atom.of), atom.name) if part]
        of = Data(atom.marks, ".".join(".".join(parts).split(".")[-_DOTS:]))
    elif isinstance(atom, Function):
        of = Data()
    else:
        of = atom
    return Member(of, name, part_of(marks, name))


def _made(atom: Atom) -> str:
    match atom:
        case Data(made=made):
            return made
        case Outer(name=name):
            return name
        case _:
            return ""


def part_of(marks: Marks, name: str) -> Marks:
    """The marks of a part of something with these marks."""
    if Label.GIVEN in marks:
        if name in names.NOT_GIVEN:
            return NO_MARKS
        if name in names.BESIDE_THE_BODY:
            marks -= {Label.BODY}
    return mixed(marks)


def mixed(marks: Marks) -> Marks:
    """The marks of a part of what holds a MAC and something else: it may be either."""
    if Label.MAC in marks and marks & {Label.GIVEN, Label.BODY}:
        return marks | {Label.UNSURE}
    return marks


def _key(atom: Atom, name: str) -> str:
    """Where something that was put onto an outside object is kept."""
    last = atom.name.rpartition(".")[2] if isinstance(atom, Member | Outer) else "?"
    return f".{last}.{name}"


def write(machine: Machine, value: Value, name: str, put: Value) -> None:
    """Put a value into an attribute."""
    for atom in value:
        match atom:
            case Ref(id=number):
                held = machine.heap[number]
                inside = held.kind in ("scope", "class", "instance")
                field = name if inside else f".{name}"
                earlier = NOTHING if len(value) == 1 else held.fields.get(field, NOTHING)
                machine.heap.put(number, held.with_field(field, either(earlier, put)))
            case Outer(name=outer):
                stash(machine, f"{outer}.{name}", put)
            case _:
                stash(machine, _key(atom, name), put)


def _put_there(machine: Machine, key: str, own: Value) -> Value:
    """What was put onto something of another package's, or what it has there of its own."""
    put = machine.heap[machine.stash].fields.get(key, NOTHING)
    return either(put, own) if put and machine.marks(own) else put or own


def stash(machine: Machine, key: str, put: Value) -> None:
    """Keep what was put onto something that is not the source's own."""
    held = machine.heap[machine.stash]
    together = either(held.fields.get(key, NOTHING), put)
    machine.heap.put(machine.stash, held.with_field(key, together))


def _item_key(atom: Atom, name: str) -> str:
    """Where an item of an outside object is kept: its attributes and modules are items as well."""
    if isinstance(atom, Outer) and atom.name.endswith(".__dict__"):
        return f"{atom.name.removesuffix('.__dict__')}.{name}"
    if atom == Outer("sys.modules"):
        return name
    return _key(atom, f"[{name}]")


def element(machine: Machine, value: Value) -> Value:
    """Any item of a value that is gone through."""
    return either(*(_element(machine, atom) for atom in value)) or UNKNOWN


def _element(machine: Machine, atom: Atom) -> Value:
    match atom:
        case Ref(id=number):
            held = machine.heap[number]
            if held.kind == "mapping":
                return either(
                    *(just(Const(name)) for name in held.fields), *(held.items or (NOTHING,))
                )
            if held.kind == "instance":
                return data(mixed(machine.marks(just(atom))))
            return held.element
        case Data(marks=marks, made=made) | Member(marks=marks, of=Data(made=made)):
            whole = {Label.MAC, Label.TAG, Label.BLIND} & marks
            return data(mixed(marks | {Label.PART}) if whole else marks, made)
        case Member(marks=marks):
            return data(mixed(marks))
        case _:
            return UNKNOWN


def item(machine: Machine, value: Value, index: Value, node: ast.expr) -> Value:
    """What ``value[index]`` is; ``node`` is the index as it is written."""
    return either(*(_item(machine, atom, index, node) for atom in value)) or UNKNOWN


def _item(machine: Machine, atom: Atom, index: Value, node: ast.expr) -> Value:
    match atom:
        case Ref(id=number):
            return _item_of_object(machine, machine.heap[number], atom, index, node)
        case Data(marks=marks) | Member(marks=marks):
            found = just(atom) if _whole(node) else data(_cut(marks, node))
            name = text_of(index)
            return found if name is None else _put_there(machine, _item_key(atom, name), found)
        case Outer(name=name) if name.startswith(("typing.", "collections.", "builtins.")):
            return just(atom)
        case _:
            return UNKNOWN


def _cut(marks: Marks, node: ast.expr) -> Marks:
    """The marks of an item, or of a slice, of something with these marks."""
    if not marks & {Label.MAC, Label.TAG, Label.BLIND}:
        return marks
    alone = isinstance(node, ast.Slice) and Label.GIVEN not in marks
    return marks | {Label.PART} if alone else mixed(marks | {Label.PART})


def _whole(node: ast.expr) -> bool:
    """Whether a slice leaves nothing of a digest out."""
    if not isinstance(node, ast.Slice) or node.lower is not None or node.step is not None:
        return False
    upper = node.upper
    if isinstance(upper, ast.Constant) and isinstance(upper.value, int):
        return upper.value >= 64
    return upper is None


def _item_of_object(
    machine: Machine, held: Object, ref: Ref, index: Value, node: ast.expr
) -> Value:
    if held.kind == "mapping":
        return _under(held, index)
    if held.kind == "sequence":
        return _at(machine, held, index, node)
    return just(ref) if held.kind == "class" else data(mixed(machine.marks(just(ref))))


def _under(held: Object, index: Value) -> Value:
    """What a mapping has under a key."""
    name = text_of(index)
    keys = (held.items or (NOTHING,))[0]
    if name is None:
        return either(held.rest, *held.fields.values())
    found = held.fields.get(name, NOTHING)
    return either(found, held.rest) if keys else found or held.rest or UNKNOWN


def _at(machine: Machine, held: Object, index: Value, node: ast.expr) -> Value:
    """What a sequence has at a place."""
    at = only(index)
    if isinstance(node, ast.Slice):
        return machine.heap.ref(Object("sequence", rest=held.element))
    if held.items is not None and isinstance(at, Const) and isinstance(at.value, int):
        within = -len(held.items) <= at.value < len(held.items)
        return held.items[at.value] if within else UNKNOWN
    return held.element


def put_item(machine: Machine, value: Value, index: Value, put: Value) -> None:
    """Have ``value[index]`` be another value."""
    name = text_of(index)
    for atom in value:
        if not isinstance(atom, Ref):
            if name is not None:
                stash(machine, _item_key(atom, name), put)
            continue
        held = machine.heap[atom.id]
        if held.kind == "mapping" and name is not None:
            earlier = NOTHING if len(value) == 1 else held.fields.get(name, NOTHING)
            machine.heap.put(atom.id, held.with_field(name, either(earlier, put)))
        elif held.kind in ("mapping", "sequence"):
            keys = (either(index, *(held.items or ())),)
            items = keys if held.kind == "mapping" else None
            rest = either(held.rest if held.kind == "mapping" else held.element, put)
            machine.heap.put(
                atom.id, Object(held.kind, held.fields, items, rest, held.node, held.name)
            )
