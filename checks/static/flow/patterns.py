"""Patterns of ``match``: what they compare, and what they bind."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from checks.static.flow import binding, places
from checks.static.flow.frames import Frame
from checks.static.flow.heap import Object
from checks.static.flow.values import Ref, Value, either

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine


def take(machine: Machine, pattern: ast.pattern, subject: Value, frame: Frame) -> None:
    """Hold a value against a pattern."""
    match pattern:
        case ast.MatchValue(value=value):
            machine.observer.equal(subject, machine.evaluate(value, frame), frame.site(pattern))
        case ast.MatchAs(pattern=None, name=str() as name):
            binding.bind(machine, name, subject, frame)
        case ast.MatchAs(pattern=ast.pattern() as inner, name=name):
            take(machine, inner, subject, frame)
            binding.bind(machine, name or "_", subject, frame)
        case ast.MatchStar(name=str() as name):
            rest = places.element(machine, subject)
            binding.bind(machine, name, machine.heap.ref(Object("sequence", rest=rest)), frame)
        case _:
            for part, found in _parts(machine, pattern, subject, frame):
                take(machine, part, found, frame)


def _parts(
    machine: Machine, pattern: ast.pattern, subject: Value, frame: Frame
) -> Iterator[tuple[ast.pattern, Value]]:
    """The patterns that a pattern is made of, and what is held against each."""
    match pattern:
        case ast.MatchOr(patterns=parts):
            yield from ((part, subject) for part in parts)
        case ast.MatchSequence(patterns=parts):
            for number, part in enumerate(parts):
                yield part, _at(machine, subject, number, len(parts))
        case ast.MatchMapping(keys=keys, patterns=parts):
            for key, part in zip(keys, parts, strict=True):
                yield part, places.item(machine, subject, machine.evaluate(key, frame), key)
        case ast.MatchClass(patterns=parts, kwd_attrs=attributes, kwd_patterns=named):
            yield from ((part, places.element(machine, subject)) for part in parts)
            for name, part in zip(attributes, named, strict=True):
                yield part, places.read(machine, subject, name)
        case _:
            return


def _at(machine: Machine, subject: Value, number: int, count: int) -> Value:
    """The item of a sequence that stands at this place of so many."""
    found = []
    for atom in subject:
        held = machine.heap[atom.id] if isinstance(atom, Ref) else None
        if held is not None and held.items is not None and len(held.items) == count:
            found.append(held.items[number])
        else:
            found.append(places.element(machine, frozenset({atom})))
    return either(*found)
