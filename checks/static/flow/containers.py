"""Methods of lists, sets and dictionaries that the source has made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from checks.static.flow import names, places
from checks.static.flow.frames import Arguments
from checks.static.flow.heap import Object
from checks.static.flow.values import (
    NOTHING,
    UNKNOWN,
    Const,
    Ref,
    Site,
    Value,
    data,
    either,
    just,
    text_of,
)

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine


@dataclass(frozen=True, slots=True)
class _Use:
    """A method of a container that is called."""

    machine: Machine
    ref: Ref
    name: str
    given: Arguments
    site: Site

    @property
    def held(self) -> Object:
        """The container."""
        return self.machine.heap[self.ref.id]

    def put(self, **changed: Any) -> None:
        """Have the container be another."""
        self.machine.heap.put(self.ref.id, replace(self.held, **changed))

    def sequence(self, *items: Value) -> Value:
        """A new sequence of any of these, which finds its items as the container does."""
        made = Object("sequence", rest=either(*items), name=self.held.name)
        return self.machine.heap.ref(made)

    def elements(self) -> Value:
        """Any item of any argument."""
        return either(*(places.element(self.machine, one) for one in self.given.positional))


def method(machine: Machine, ref: Ref, name: str, given: Arguments, site: Site) -> Value | None:
    """What a method of a list, a set or a dictionary comes to; ``None`` for any other object."""
    use = _Use(machine, ref, name, given, site)
    if use.held.kind == "sequence":
        return _of_sequence(use)
    if use.held.kind == "mapping":
        return _of_mapping(use)
    return None


def _of_sequence(use: _Use) -> Value:
    held, observer = use.held, use.machine.observer
    first = use.given.get(1 if use.name == "insert" else 0)
    found = just(Const(None))
    if use.name in names.ADD:
        _add(use, first)
    elif use.name in names.EXTEND:
        use.put(items=None, rest=either(held.element, use.elements()))
    elif use.name in names.LOOK:
        found = data(observer.within(first, just(use.ref), use.site))
    elif use.name in names.TOGETHER:
        marks = observer.within(use.elements(), just(use.ref), use.site)
        found = use.sequence(held.element, use.elements(), data(marks))
    elif use.name == "copy":
        found = use.machine.heap.ref(held)
    elif use.name in ("pop", "popleft", "__next__", "__anext__", "send"):
        found = held.element or UNKNOWN
    elif use.name in ("sort", "reverse", "clear"):
        use.put(items=None, rest=held.element)
    return found


def _add(use: _Use, item: Value) -> None:
    """One more item; a set looks first whether it has it."""
    held = use.held
    if use.name == "add":
        use.machine.observer.within(item, just(use.ref), use.site)
    if held.items is not None and use.name in ("append", "add"):
        use.put(items=(*held.items, item))
    else:
        use.put(items=None, rest=either(held.element, item))


def _of_mapping(use: _Use) -> Value:
    held = use.held
    values = either(held.rest, *held.fields.values())
    found = values or UNKNOWN
    if use.name in names.GET:
        found = _got(use)
    elif use.name in ("keys", "__iter__"):
        found = use.sequence(places.element(use.machine, just(use.ref)))
    elif use.name == "values":
        found = use.sequence(values)
    elif use.name == "items":
        found = use.sequence(*_pairs(use))
    elif use.name == "update":
        _update(use)
    elif use.name == "copy":
        found = use.machine.heap.ref(held)
    elif use.name == "__contains__":
        found = data(use.machine.observer.within(use.given.get(0), just(use.ref), use.site))
    return found


def _keys(held: Object) -> Value:
    """The keys that are no constant text."""
    return (held.items or (NOTHING,))[0]


def _pairs(use: _Use) -> list[Value]:
    def pair(key: Value, value: Value) -> Value:
        return use.machine.heap.ref(Object("sequence", items=(key, value)))

    held = use.held
    pairs = [pair(just(Const(name)), value) for name, value in held.fields.items()]
    return [*pairs, pair(_keys(held) or UNKNOWN, held.rest)] if held.rest else pairs


def _update(use: _Use) -> None:
    fields = {**use.held.fields, **use.given.named}
    rest = use.held.rest
    for atom in use.given.get(0):
        other = use.machine.heap[atom.id] if isinstance(atom, Ref) else None
        fields |= {} if other is None else other.fields
        rest = either(rest, just(atom) if other is None else other.rest)
    use.put(fields=fields, rest=rest)


def _got(use: _Use) -> Value:
    """What is found under a key, or instead."""
    held, index = use.held, use.given.get(0)
    name, keys = text_of(index), _keys(held)
    if name is not None and not keys:
        found = held.fields.get(name) or held.rest
        return either(found, use.given.get(1)) or just(Const(None))
    use.machine.observer.tested(index)
    others = use.machine.heap.ref(Object("sequence", rest=keys, name="set"))
    marks = use.machine.observer.within(index, others, use.site)
    found = either(held.rest, *held.fields.values(), use.given.get(1))
    return either(found, data(marks)) if marks else found or UNKNOWN
