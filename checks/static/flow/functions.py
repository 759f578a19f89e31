"""Functions of Python's own that pass on what they are given in a way of theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from checks.static.flow import collecting, names, places
from checks.static.flow.frames import Arguments
from checks.static.flow.heap import Object
from checks.static.flow.values import (
    NOTHING,
    UNKNOWN,
    Const,
    Function,
    Label,
    Outer,
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


def _sequence(machine: Machine, given: Arguments, site: Site) -> Value:
    value = given.get(0)
    if not value:
        return machine.heap.ref(Object("sequence", items=()))
    for atom in value:
        if isinstance(atom, Ref) and machine.heap[atom.id].kind == "sequence":
            held = machine.heap[atom.id]
            return machine.heap.ref(Object("sequence", items=held.items, rest=held.rest))
    return machine.heap.ref(Object("sequence", rest=places.element(machine, value)))


def _set(machine: Machine, given: Arguments, site: Site) -> Value:
    items = _items(machine, given.get(0))
    if items or not given.get(0):
        return collecting.gathered(machine, items, site)
    rest = places.element(machine, given.get(0))
    return machine.heap.ref(Object("sequence", rest=rest, name="set"))


def _sorted(machine: Machine, given: Arguments, site: Site) -> Value:
    function = given.get(None, "key")
    found = places.element(machine, given.get(0))
    if function:
        machine.call(function, Arguments((found,)), site)
    else:
        machine.observer.together(_items(machine, given.get(0)), site)
    return machine.heap.ref(Object("sequence", rest=found))


def _least(machine: Machine, given: Arguments, site: Site) -> Value:
    one = len(given.positional) == 1
    values = _items(machine, given.get(0)) if one else given.positional
    machine.observer.together(values, site)
    found = (places.element(machine, given.get(0)),) if one else given.positional
    return data(machine.marks(*found))


def _items(machine: Machine, value: Value) -> tuple[Value, ...]:
    """The items of a sequence, as far as they are known one by one."""
    held = [machine.heap[atom.id] for atom in value if isinstance(atom, Ref)]
    return tuple(item for one in held for item in one.items or ())


def _mapping(machine: Machine, given: Arguments, site: Site) -> Value:
    made = Object("mapping", dict(given.named), (NOTHING,), given.rest)
    for atom in given.get(0):
        held = machine.heap[atom.id] if isinstance(atom, Ref) else None
        if held is not None and held.kind == "mapping":
            rest = either(made.rest, held.rest)
            made = Object("mapping", {**held.fields, **made.fields}, held.items, rest)
        else:
            pair = places.element(machine, just(atom))
            rest = either(made.rest, places.element(machine, pair))
            made = Object("mapping", made.fields, (rest,), rest)
    return machine.heap.ref(made)


def _zip(machine: Machine, given: Arguments, site: Site) -> Value:
    items = tuple(places.element(machine, one) for one in given.positional)
    pair = machine.heap.ref(Object("sequence", items=items if not given.rest else None))
    return machine.heap.ref(Object("sequence", rest=pair))


def _enumerate(machine: Machine, given: Arguments, site: Site) -> Value:
    pair = (UNKNOWN, places.element(machine, given.get(0)))
    return machine.heap.ref(
        Object("sequence", rest=machine.heap.ref(Object("sequence", items=pair)))
    )


def _map(machine: Machine, given: Arguments, site: Site) -> Value:
    items = tuple(places.element(machine, one) for one in given.positional[1:])
    machine.loops += 1
    found = machine.call(given.get(0), Arguments(items), site)
    machine.loops -= 1
    return machine.heap.ref(Object("sequence", rest=found))


def _filter(machine: Machine, given: Arguments, site: Site) -> Value:
    found = places.element(machine, given.get(1))
    machine.loops += 1
    machine.observer.tested(machine.call(given.get(0), Arguments((found,)), site))
    machine.loops -= 1
    return machine.heap.ref(Object("sequence", rest=found))


def _reduce(machine: Machine, given: Arguments, site: Site) -> Value:
    found = places.element(machine, given.get(1))
    machine.loops += 1
    once = machine.call(given.get(0), Arguments((given.get(2) or found, found)), site)
    value = machine.call(given.get(0), Arguments((once, found)), site)
    machine.loops -= 1
    return either(given.get(2), once, value)


def _next(machine: Machine, given: Arguments, site: Site) -> Value:
    return either(places.element(machine, given.get(0)), given.get(1))


def _any(machine: Machine, given: Arguments, site: Site) -> Value:
    """It stops at the first that decides: what differs is tested in the loop."""
    machine.loops += 1
    found = machine.outcome(places.element(machine, given.get(0)))
    left = machine.observer.stopped(found)
    machine.loops -= 1
    return data(left)


def _getattr(machine: Machine, given: Arguments, site: Site) -> Value:
    name = text_of(given.get(1))
    if name is None:
        return data(machine.marks(given.get(0)) | {Label.UNSURE})
    return either(places.read(machine, given.get(0), name), given.get(2))


def _hasattr(machine: Machine, given: Arguments, site: Site) -> Value:
    """Python's own comparison is there; of anything else it is not known."""
    asked = {
        f"{atom.name}.{text_of(given.get(1))}" for atom in given.get(0) if isinstance(atom, Outer)
    }
    return just(Const(True)) if asked and asked <= names.CONSTANT else UNKNOWN


def _setattr(machine: Machine, given: Arguments, site: Site) -> Value:
    name = text_of(given.get(1))
    if name is not None:
        places.write(machine, given.get(0), name, given.get(2))
    return just(Const(None))


def _partial(machine: Machine, given: Arguments, site: Site) -> Value:
    return machine.heap.ref(
        Object("partial", dict(given.named), given.positional[1:], given.get(0))
    )


def _second(machine: Machine, given: Arguments, site: Site) -> Value:
    return given.get(1) or UNKNOWN


def _field(machine: Machine, given: Arguments, site: Site) -> Value:
    """A field of a class, with what makes its default."""
    return machine.heap.ref(Object("field", dict(given.named)))


def _gather(machine: Machine, given: Arguments, site: Site) -> Value:
    return machine.heap.ref(Object("sequence", items=given.positional))


def _chain(machine: Machine, given: Arguments, site: Site) -> Value:
    found = either(*(places.element(machine, one) for one in given.values))
    return machine.heap.ref(Object("sequence", rest=found))


def _replaced(machine: Machine, given: Arguments, site: Site) -> Value:
    found = []
    for atom in given.get(0):
        if isinstance(atom, Ref):
            held = machine.heap[atom.id]
            fields = {**held.fields, **given.named}
            made = Object(held.kind, fields, held.items, held.rest, parent=held.parent)
            found.append(machine.heap.ref(made))
        else:
            found.append(data(machine.marks(*given.values)))
    return either(*found)


def _static(machine: Machine, given: Arguments, site: Site) -> Value:
    return frozenset(
        replace(atom, flavour="static") if isinstance(atom, Function) else atom
        for atom in given.get(0)
    )


def _wraps(machine: Machine, given: Arguments, site: Site) -> Value:
    return data((), "functools.wraps")


def _setting(machine: Machine, given: Arguments, site: Site) -> Value:
    """What is set under a name is not made of the name."""
    name = text_of(given.get(0))
    return either(places.named(UNKNOWN, name or ""), given.get(1))


def _import(machine: Machine, given: Arguments, site: Site) -> Value:
    name = text_of(given.get(0))
    return UNKNOWN if name is None else machine.outer(name)


_SEQUENCES = ("list", "tuple", "iter", "aiter", "reversed")

KNOWN: dict[str, Callable[[Machine, Arguments, Site], Value]] = {
    **{f"builtins.{name}": _sequence for name in _SEQUENCES},
    "collections.deque": _sequence,
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "builtins.sorted": _sorted,
    "builtins.min": _least,
    "builtins.max": _least,
    "builtins.dict": _mapping,
    "types.MappingProxyType": _mapping,
    "builtins.zip": _zip,
    "builtins.enumerate": _enumerate,
    "builtins.map": _map,
    "builtins.filter": _filter,
    "builtins.next": _next,
    "builtins.anext": _next,
    "builtins.any": _any,
    "builtins.all": _any,
    "builtins.getattr": _getattr,
    "builtins.setattr": _setattr,
    "builtins.hasattr": _hasattr,
    "functools.reduce": _reduce,
    "functools.partial": _partial,
    "typing.cast": _second,
    **dict.fromkeys(("dataclasses.field", "pydantic.Field", "attrs.field", "attr.ib"), _field),
    "asyncio.gather": _gather,
    "itertools.chain": _chain,
    "dataclasses.replace": _replaced,
    "importlib.import_module": _import,
    "builtins.staticmethod": _static,
    "functools.wraps": _wraps,
    "os.environ.get": _setting,
    "os.getenv": _setting,
}
