"""What makes MACs and digests: by which functions and objects, and what from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.static.flow import names
from checks.static.flow.frames import Arguments
from checks.static.flow.heap import Object
from checks.static.flow.values import (
    UNKNOWN,
    Atom,
    Const,
    Label,
    Marks,
    Member,
    Ref,
    Value,
    data,
    either,
)

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine

#: Marks of what a HMAC has gone into.
TAGS = frozenset({Label.MAC, Label.TAG, Label.BLIND})

_BY_HAND = frozenset({Label.MAC, Label.HAND})


def knows(name: str) -> bool:
    """Whether a function makes MACs or digests."""
    known = name in names.WITH_MESSAGE or name in names.WITHOUT_MESSAGE or name in names.AT_ONCE
    return known or name.startswith(names.HASHES) or name.endswith(".hashes.Hash")


def made(machine: Machine, name: str, given: Arguments) -> Value | None:
    """What a function makes, if it is MACs or digests; ``None`` for any other."""
    if name in names.AT_ONCE:
        return data(keyed(machine, given.get(0, "key"), given.get(1, "msg")))
    if name in names.WITH_MESSAGE or name in names.WITHOUT_MESSAGE:
        message = given.get(1, "msg") if name in names.WITH_MESSAGE else UNKNOWN
        return _hmac(machine, given.get(0, "key"), message)
    if name.startswith(names.HASHES) or name.endswith(".hashes.Hash"):
        return _digest(machine, name, given)
    return data({Label.RANDOM}) if name.startswith(names.RANDOM) else None


def _hmac(machine: Machine, key: Value, message: Value) -> Value:
    fields = {"key": key, "message": message or UNKNOWN}
    return machine.heap.ref(Object("hmac", fields))


def _digest(machine: Machine, name: str, given: Arguments) -> Value:
    """A digest that is begun; under a key of its own it is as good as a HMAC."""
    key = given.get(None, "key")
    place = 1 if name.endswith("hashlib.new") else 0
    message = UNKNOWN if name.endswith(".Hash") else given.get(place, "data", "string")
    if key:
        return _hmac(machine, key, message)
    return machine.heap.ref(Object("digest", {"message": message or UNKNOWN}))


def of_object(machine: Machine, atom: Atom, given: Arguments) -> Value | None:
    """What a method of a HMAC or a digest gives; ``None`` for any other object's."""
    if not isinstance(atom, Member) or not isinstance(atom.of, Ref):
        return None
    held = machine.heap[atom.of.id]
    if held.kind not in ("hmac", "digest"):
        return None
    if atom.name == "update":
        together = either(held.fields["message"], *given.positional)
        kept = data(machine.marks(together))
        machine.heap.put(atom.of.id, held.with_field("message", kept))
        return UNKNOWN
    return machine.heap.ref(held) if atom.name == "copy" else data(so_far(machine, held))


def so_far(machine: Machine, held: Object) -> Marks:
    """The marks of what a HMAC or a digest comes to now."""
    if held.kind == "hmac":
        return keyed(machine, held.fields["key"], held.fields["message"])
    return _plain(machine.marks(held.fields["message"]))


def keyed(machine: Machine, key: Value, message: Value) -> Marks:
    """The marks of the HMAC of a message under a key."""
    marks, of_key = machine.marks(message), machine.marks(key)
    if marks & TAGS:
        known = all(isinstance(atom, Const) for atom in key) or Label.GIVEN in of_key
        return frozenset({Label.HASHED if known else Label.BLIND})
    return frozenset({Label.MAC if {Label.GIVEN, Label.BODY} <= marks else Label.TAG})


def _plain(marks: Marks) -> Marks:
    """The marks of a digest: with a key in what it is of, it may be a MAC made by hand."""
    if marks & TAGS:
        if Label.RANDOM in marks:
            return frozenset({Label.BLIND})
        return _BY_HAND if {Label.HAND, Label.KEY} <= marks else frozenset({Label.HASHED})
    return _BY_HAND if {Label.GIVEN, Label.BODY, Label.KEY} <= marks else marks
