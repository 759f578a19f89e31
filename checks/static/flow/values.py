"""What an expression may come to, as far as the source tells.

A value is a set of atoms, one for each thing that it may be. Of what is not known more closely an
atom keeps marks: what it was made from.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

#: Atoms of one value, beyond which only their marks are kept.
ATOMS = 48


class Label(StrEnum):
    """What a value was made from."""

    #: What a request brings, and its raw body.
    GIVEN = "given"
    BODY = "body"
    #: A key, by its name; and what the system drew at random.
    KEY = "key"
    RANDOM = "random"
    #: The HMAC of a request's body, and that of something else.
    MAC = "mac"
    TAG = "tag"
    #: A MAC that was put together from digests by hand.
    HAND = "hand"
    #: Less than a whole MAC.
    PART = "part"
    #: The MAC of a MAC under a key that nobody outside knows; and its digest without such a key.
    BLIND = "blind"
    HASHED = "hashed"
    #: It has passed through something that could not be followed.
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A line of the source; ``path`` is relative to the submission."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Decided:
    """The outcome of a comparison in constant time."""

    site: Site


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a MAC and another value differ, found out inside so many loops."""

    site: Site
    loops: int


Mark = Label | Decided | Difference
Marks = frozenset[Mark]


@dataclass(frozen=True, slots=True)
class Const:
    """A constant: text, bytes, a number, a truth or ``None``."""

    value: str | bytes | int | float | complex | bool | None


@dataclass(frozen=True, slots=True)
class Data:
    """Something of which the marks are known, and the outside call that made it, if one did."""

    marks: Marks = frozenset()
    made: str = ""


@dataclass(frozen=True, slots=True)
class Outer:
    """Something of another package's, by its dotted name."""

    name: str


@dataclass(frozen=True, slots=True)
class Ref:
    """An object of the heap."""

    id: int


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the source with the scope it was made in.

    ``bound`` is what its first parameter is, ``owner`` the class that it was defined in.
    """

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    module: str
    scope: int
    owner: int | None = None
    bound: Value | None = None
    flavour: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """An attribute of what is not an object of the source's own: data itself, or a method."""

    of: Data | Const | Ref | Outer | Member
    name: str
    marks: Marks = frozenset()


Atom = Const | Data | Outer | Ref | Function | Member
Value = frozenset[Atom]

NOTHING: Value = frozenset()
UNKNOWN: Value = frozenset({Data()})
NO_MARKS: Marks = frozenset()


def just(atom: Atom) -> Value:
    """The value that is this one thing."""
    return frozenset({atom})


def data(marks: Iterable[Mark], made: str = "") -> Value:
    """Something with these marks."""
    return frozenset({Data(frozenset(marks), made)})


def either(*values: Value) -> Value:
    """What may be any of these; too many of them are only their marks."""
    found = frozenset().union(*values)
    if len(found) <= ATOMS:
        return found
    marks: set[Mark] = {Label.UNSURE}
    for atom in found:
        if isinstance(atom, Data | Member):
            marks |= atom.marks
    return data(marks)


def only(value: Value) -> Atom | None:
    """The one atom of a value, or ``None`` where there is not exactly one."""
    return next(iter(value)) if len(value) == 1 else None


def text_of(value: Value) -> str | None:
    """The constant text that a value is, or ``None``."""
    atom = only(value)
    return atom.value if isinstance(atom, Const) and isinstance(atom.value, str) else None


def truth_of(value: Value) -> bool | None:
    """Whether a value is true, where that is constant."""
    atom = only(value)
    return bool(atom.value) if isinstance(atom, Const) else None
