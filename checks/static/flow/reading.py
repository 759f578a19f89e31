"""Reads whether the signature of a notice is compared in constant time, from the source alone."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from checks.static.flow import names
from checks.static.flow.frames import Arguments
from checks.static.flow.machine import Machine, TooMuchError
from checks.static.flow.macs import Macs, Seen
from checks.static.flow.program import Program
from checks.static.flow.requests import KNOWN, serve
from checks.static.flow.routes import PARTIES
from checks.static.flow.values import NOTHING, Function, Ref, Site, just, text_of
from checks.static.source import SourceFile, printable

#: Places that a reading names at most, and characters of a line that it repeats.
_PLACES = 8
_LINE = 160

#: Calls of Python's that may be inside one another while source is read.
_RECURSION = 6000


class Place(BaseModel):
    """A line of the submission's source."""

    model_config = ConfigDict(frozen=True)

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


class Reading(BaseModel):
    """What the source says: ``variable`` or ``constant`` time, at these places; or ``unknown``,
    with the sentence that says why.
    """

    model_config = ConfigDict(frozen=True)

    answer: Literal["variable", "constant", "unknown"]
    places: tuple[Place, ...] = ()
    because: str = ""


def read(files: tuple[SourceFile, ...]) -> Reading:
    """Follow the notices of every party through the source; never raises for what is in it."""
    if not files:
        return _unknown("There is no Python source that could be read.")
    try:
        return _read(Program.of(files))
    except TooMuchError:
        return _unknown("The source is too large to be followed to its end.")
    except (RecursionError, MemoryError):
        return _unknown("The source is nested too deeply to be followed.")


def _read(program: Program) -> Reading:
    macs: list[Macs] = []

    def observe(machine: Machine) -> Macs:
        macs.append(Macs(machine))
        return macs[0]

    machine = Machine(program, observe, KNOWN)
    _build(machine)
    seen: dict[str, Seen] = {}
    for party in PARTIES:
        macs[0].seen = seen[party] = Seen()
        for route in machine.routes.of(party):
            serve(machine, route)
    if macs[0].text:
        seen["text"] = Seen(doubts=dict.fromkeys(macs[0].text, "Code is made from text here"))
    return _answer(program, machine, seen)


def _build(machine: Machine) -> None:
    """Run all modules, and the functions that put an application together."""
    for name in sorted(machine.program.modules):
        machine.module(name)
    for name, module in sorted(machine.program.modules.items()):
        for node in _builders(module.tree):
            function = Function(node, name, machine.scopes[name])
            machine.call(just(function), Arguments(), Site(module.path, node.lineno))
    for name in _middlewares(machine):
        machine.routes.listed(name)


def _middlewares(machine: Machine) -> list[str]:
    """What Django's settings name as seeing every request."""
    found: list[str] = []
    for number in machine.scopes.values():
        for atom in machine.heap[number].fields.get("MIDDLEWARE", NOTHING):
            items = machine.heap[atom.id].items if isinstance(atom, Ref) else None
            found += [name for one in items or () if (name := text_of(one))]
    return found


def _builders(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            words = {
                inner.id if isinstance(inner, ast.Name) else inner.attr
                for inner in ast.walk(node)
                if isinstance(inner, ast.Name | ast.Attribute)
            }
            if words & names.BUILDING:
                yield node


def _answer(program: Program, machine: Machine, seen: dict[str, Seen]) -> Reading:
    variable: set[Site] = set().union(*(one.variable for one in seen.values()))
    if variable:
        return Reading(answer="variable", places=_places(program, variable))
    for party in PARTIES:
        if not machine.routes.of(party):
            return _unknown(f"No function was found that answers POST /v1/webhooks/{party}.")
    doubts = {site: said for one in seen.values() for site, said in one.doubts.items()}
    if doubts:
        site, said = min(doubts.items())
        return Reading(answer="unknown", places=_places(program, {site}), because=f"{said}.")
    for party in PARTIES:
        if not seen[party].constant:
            return _unknown(
                f"On the way of POST /v1/webhooks/{party} no comparison of a signature was found."
            )
    constant: set[Site] = set().union(*(one.constant for one in seen.values()))
    return Reading(answer="constant", places=_places(program, constant))


def _unknown(because: str) -> Reading:
    return Reading(answer="unknown", because=because)


def _places(program: Program, sites: set[Site]) -> tuple[Place, ...]:
    by_path = {module.path: module for module in program.modules.values()}
    return tuple(
        Place(
            path=printable(site.path),
            line=site.line,
            text=printable(by_path[site.path].line(site.line)[:_LINE]),
        )
        for site in sorted(sites)[:_PLACES]
        if site.path in by_path
    )


def main() -> None:
    """Read the files that a JSON object holds by their paths, and print the reading as JSON.

    The last argument names the file that the object is in.
    """
    sys.setrecursionlimit(_RECURSION)
    texts = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    files = tuple(SourceFile(path, text) for path, text in texts.items())
    sys.stdout.write(read(files).model_dump_json())
