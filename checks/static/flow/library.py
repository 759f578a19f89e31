"""Calls of what is not the source's own: Python's built-in functions, other packages, methods of
data. What is not known here is taken to make something of all that it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.static.flow import containers, functions, names, places
from checks.static.flow.frames import Arguments
from checks.static.flow.values import (
    NO_MARKS,
    NOTHING,
    UNKNOWN,
    Atom,
    Data,
    Function,
    Label,
    Marks,
    Member,
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


def dotted(machine: Machine, atom: Atom) -> str:
    """What is called, by name: ``hmac.new``, ``.lower`` of data, ``<digest>.update`` of ours."""
    if isinstance(atom, Member):
        return f"{_origin(machine, atom.of)}.{atom.name}"
    if isinstance(atom, Outer):
        return atom.name
    return f"{_origin(machine, atom)}()"


def _origin(machine: Machine, atom: Atom) -> str:
    """Where something comes from: what made it, or the kind of object that it is."""
    match atom:
        case Outer(name=name) | Data(made=name):
            return name
        case Ref(id=number):
            return f"<{machine.heap[number].kind}>"
        case _:
            return ""


def call(machine: Machine, atom: Atom, given: Arguments, site: Site) -> Value:
    """What a call of something that is not the source's own comes to."""
    name = dotted(machine, atom)
    for asked in (machine.routes, machine.observer):
        known = asked.called(name, atom, given, site)
        if known is not None:
            return known
    if isinstance(atom, Member) and isinstance(atom.of, Ref):
        held = containers.method(machine, atom.of, atom.name, given, site)
        if held is not None:
            return held
    handler = functions.KNOWN.get(name)
    if handler is not None:
        return handler(machine, given, site)
    if name in names.THROUGH and given.positional:
        return given.positional[0]
    if name.removeprefix("builtins.") in names.BARE:
        return UNKNOWN
    return _made(machine, name, atom, given, site)


def _made(machine: Machine, name: str, atom: Atom, given: Arguments, site: Site) -> Value:
    """What something makes of what it is given."""
    own = machine.marks(just(atom))
    own |= _compared(machine, name, atom, given, site)
    wrapped = _decorated(machine, given)
    if wrapped:
        return wrapped
    marks = own | machine.marks(*given.values)
    back = _called_back(machine, given, marks, site)
    plain = bool(back) or _is_plain(name, atom)
    if not plain or isinstance(atom, Data):
        machine.observer.handed(name, (just(atom), *given.values), site)
    if not plain and marks:
        marks |= {Label.UNSURE}
    if isinstance(atom, Member) and atom.name in names.PARTS:
        marks = places.mixed(marks)
    made = data(marks, name if isinstance(atom, Outer | Member) else "")
    asked = text_of(given.get(0))
    return either(back, places.named(made, asked) if asked else made)


def _compared(machine: Machine, name: str, atom: Atom, given: Arguments, site: Site) -> Marks:
    """What the outcome tells of a call that holds what it is given against one another."""
    first, *others = given.positional or (NOTHING,)
    if isinstance(atom, Member) and atom.name in names.ALIKE:
        first, others = just(atom.of), list(given.positional[:1])
    elif not isinstance(atom, Outer) or not _compares(name):
        return NO_MARKS
    return NO_MARKS.union(*(machine.observer.equal(first, other, site) for other in others))


def _compares(name: str) -> bool:
    """Whether a function compares: one of those, or a method of text, called by its class."""
    unbound = name.startswith("builtins.") and name.rpartition(".")[2] in names.ALIKE
    return unbound or name in names.COMPARING


def _is_plain(name: str, atom: Atom) -> bool:
    """Whether a call does no more than make something of what it is given."""
    if isinstance(atom, Member):
        if atom.name in names.OF_DATA or atom.name in names.ALIKE or atom.name in names.PARTS:
            return True
        of = atom.of
        if isinstance(of, Data) and Label.GIVEN in of.marks and Label.UNSURE not in of.marks:
            return True
    if isinstance(atom, Data) and Label.GIVEN in atom.marks:
        return Label.UNSURE not in atom.marks
    return name.partition(".")[0] in names.PLAIN


def _decorated(machine: Machine, given: Arguments) -> Value:
    """A function or class that is all that a call is given: it is taken to be wrapped."""
    if len(given.values) != 1 or not given.positional:
        return NOTHING
    (value,) = given.positional
    wrapped = all(
        isinstance(atom, Function)
        or (isinstance(atom, Ref) and machine.heap[atom.id].kind in ("class", "partial"))
        for atom in value
    )
    return value if wrapped else NOTHING


def _called_back(machine: Machine, given: Arguments, marks: frozenset[object], site: Site) -> Value:
    """What functions come to that are handed over to be called with what follows them."""
    found = []
    for number, value in enumerate((*given.positional, *given.named.values())):
        functions = frozenset(atom for atom in value if _is_callback(machine, atom))
        if functions:
            others = {name: one for name, one in given.named.items() if one is not value}
            rest = data({*marks, Label.UNSURE} if marks else ())  # type: ignore[arg-type]
            behind = Arguments(given.positional[number + 1 :], others, rest)
            found.append(machine.call(functions, behind, site))
    return either(*found)


def _is_callback(machine: Machine, atom: Atom) -> bool:
    match atom:
        case Function():
            return True
        case Ref(id=number):
            return machine.heap[number].kind == "partial"
        case Outer(name=name):
            return machine.observer.knows(name)
        case _:
            return False
