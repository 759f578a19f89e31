"""Which functions answer which paths, as the program binds them.

Frameworks are not told apart: whatever binds a path, given as constant text, to something that can
be called is taken to do so for requests, unless it is for reading only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from checks.static.flow import names, places
from checks.static.flow.frames import Arguments
from checks.static.flow.heap import Object
from checks.static.flow.values import (
    NOTHING,
    UNKNOWN,
    Atom,
    Const,
    Function,
    Member,
    Outer,
    Ref,
    Site,
    Value,
    just,
    text_of,
)

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine

#: Who brings notices.
PARTIES = ("psp", "bank")

#: Characters of a path.
_LENGTH = 200

_PATH = re.compile(r"\^?[\w/{}<>:.-]*?(psp|bank|\{[^/{}]*\}|<[^/<>]*>)/?\$?")
_HANDLERS = ("endpoint", "view_func", "handler", "view")


@dataclass(frozen=True, slots=True)
class Route:
    """A path bound to a handler; ``router`` is where, if that is known."""

    path: str
    handler: Value
    router: int | None
    dependencies: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Included:
    """A router under another one, or under an unknown one."""

    child: int
    prefix: str
    parent: int | None
    dependencies: tuple[Value, ...] = ()


@dataclass(slots=True)
class Routes:
    """All that was bound so far, and what sees every request: classes or functions, with what else
    they are given.
    """

    machine: Machine
    bound: list[Route] = field(default_factory=list)
    included: list[Included] = field(default_factory=list)
    around: list[tuple[Value, Arguments]] = field(default_factory=list)

    def called(self, name: str, atom: Atom, given: Arguments, site: Site) -> Value | None:
        """Take notice of a call that binds something; what comes of it, or ``None``."""
        last = name.rpartition(".")[2]
        held = self.machine.heap[atom.id] if isinstance(atom, Ref) else None
        if held is not None:
            return self._registered(held, given) if held.kind == "registrar" else None
        if isinstance(atom, Outer) and last in names.ROUTERS:
            return self._opened(given)
        if isinstance(atom, Outer) and last in ("Depends", "Security"):
            fields = {"dependency": given.get(0, "dependency")}
            return self.machine.heap.ref(Object("depends", fields))
        return self._put_up(atom, last, given) if isinstance(atom, Outer | Member) else None

    def _put_up(self, atom: Outer | Member, last: str, given: Arguments) -> Value | None:
        """A router, a middleware or a path that takes its place."""
        if last == "as_view" and isinstance(atom, Member) and isinstance(atom.of, Ref):
            return just(atom.of)
        if last in names.INCLUDING:
            return self._included(atom, given)
        if last in names.AROUND and given.positional:
            self.around.append((given.positional[0], given.behind(1)))
            return UNKNOWN
        return self._first(given) if last in names.BEFORE else self._bound(atom, last, given)

    def _opened(self, given: Arguments) -> Value:
        """A new router."""
        kept = {name: given.named[name] for name in _KEPT if name in given.named}
        prefix = given.get(None, "prefix", "url_prefix", "path")
        made = self.machine.heap.ref(Object("router", {**kept, "prefix": prefix or NOTHING}))
        for value in (given.get(None, "middlewares"), given.get(None, "middleware")):
            for atom in value:
                held = self.machine.heap[atom.id] if isinstance(atom, Ref) else Object("scope")
                self.around += [(one, Arguments()) for one in held.items or () if _runs(one)]
        return made

    def _first(self, given: Arguments) -> Value:
        """A function that sees each request first, at once or as a decorator."""
        functions = [value for value in given.positional if _runs(value)]
        if functions:
            self.around.append((functions[0], Arguments()))
            return functions[0]
        return self.machine.heap.ref(Object("registrar", name="around"))

    def _included(self, atom: Outer | Member, given: Arguments) -> Value:
        prefix = text_of(given.get(None, "prefix", "url_prefix")) or ""
        children: list[int] = []
        for value in given.values:
            prefix = prefix or text_of(value) or ""
            children += [
                one.id
                for one in value
                if isinstance(one, Ref) and self.machine.heap[one.id].kind == "router"
            ]
        parent = _router(self.machine, atom)
        dependencies = (given.named["dependencies"],) if "dependencies" in given.named else ()
        for child in children:
            one = Included(child, prefix, parent, dependencies)
            if one not in self.included:
                self.included.append(one)
        return UNKNOWN

    def _bound(self, atom: Outer | Member, last: str, given: Arguments) -> Value | None:
        """A path that is bound to something, or will be by the decorator that this gives."""
        if last in names.READING or not _takes_posts(self.machine, given):
            return None
        named = given.get(None, "path", "rule", "route")
        texts = [text for one in (*given.positional[:2], named) if (text := text_of(one))]
        path = next((text for text in texts if _is_path(text, last)), None)
        if path is None:
            return None
        dependencies = (given.named["dependencies"],) if "dependencies" in given.named else ()
        router = _router(self.machine, atom)
        behind = [*given.positional, *(given.named.get(name, NOTHING) for name in _HANDLERS)]
        handlers = [value for value in behind if _answers(self.machine, value)]
        if handlers:
            self.bound.append(Route(path, handlers[0], router, dependencies))
            return UNKNOWN
        fields = {"path": just(Const(path)), **given.named}
        return self.machine.heap.ref(Object("registrar", fields, name="route", parent=router))

    def _registered(self, held: Object, given: Arguments) -> Value:
        """A decorator that was kept is given its function."""
        value = given.get(0)
        if held.name == "around":
            self.around.append((value, Arguments()))
        else:
            dependencies = (held.fields["dependencies"],) if "dependencies" in held.fields else ()
            path = text_of(held.fields["path"]) or ""
            self.bound.append(Route(path, value, held.parent, dependencies))
        return value or UNKNOWN

    def listed(self, name: str) -> None:
        """Take notice of a class or a function, by its dotted name, that sees every request."""
        module, _, last = name.rpartition(".")
        value = places.read(self.machine, self.machine.outer(module), last)
        if _answers(self.machine, value):
            self.around.append((value, Arguments()))

    def of(self, party: str) -> list[Route]:
        """The routes of a party's notices."""
        return [route for route in self.bound if party in self._parties(route)]

    def _parties(self, route: Route) -> set[str]:
        """Whose notices come to a route; a path without more before it may be under anything."""
        found: set[str] = set()
        for before in self._before(route.router, ()):
            steps = [step for step in f"{before}/{route.path}".strip("^$").split("/") if step]
            named = steps[-1] if steps else ""
            if len(steps) > 1 and steps[-2] not in ("webhooks", "webhook"):
                continue
            if named in PARTIES:
                found.add(named)
            elif len(steps) > 1 and named[0] in "{<":
                found |= set(PARTIES)
        return found

    def _before(self, router: int | None, seen: tuple[int, ...]) -> list[str]:
        """What may stand before a router's paths."""
        if router is None or router in seen:
            return [""]
        own = text_of(self.machine.heap[router].fields.get("prefix", NOTHING)) or ""
        found = [
            f"{before}/{one.prefix}/{own}"
            for one in self.included
            if one.child == router
            for before in self._before(one.parent, (*seen, router))
        ]
        return found or [own]

    def dependencies(self, route: Route) -> list[Value]:
        """What a request passes on its way to a route: its own, its routers' and theirs."""
        found = list(route.dependencies)
        waiting, seen = [route.router], set[int]()
        while waiting:
            number = waiting.pop()
            if number is None or number in seen:
                continue
            seen.add(number)
            fields = self.machine.heap[number].fields
            found += [fields["dependencies"]] if "dependencies" in fields else []
            for one in self.included:
                if one.child == number:
                    found += one.dependencies
                    waiting.append(one.parent)
        return found

    def route_classes(self, route: Route) -> Value:
        """The class of routes that a route's router makes."""
        if route.router is None:
            return NOTHING
        fields = self.machine.heap[route.router].fields
        return fields.get("route_class", NOTHING) | fields.get(".route_class", NOTHING)


_KEPT = ("dependencies", "route_class")


def _router(machine: Machine, atom: Outer | Member) -> int | None:
    """The router whose method this is."""
    of = atom.of if isinstance(atom, Member) else None
    return of.id if isinstance(of, Ref) and machine.heap[of.id].kind == "router" else None


def _is_path(text: str, by: str) -> bool:
    """Whether text is a path that a party's name, or anything, stands at the end of."""
    begins = text.startswith("/") or by in names.LISTING
    return begins and len(text) <= _LENGTH and _PATH.fullmatch(text) is not None


def _takes_posts(machine: Machine, given: Arguments) -> bool:
    """Whether a route says nothing of methods, or names ``POST`` among them."""
    for atom in given.get(None, "methods"):
        held = machine.heap[atom.id] if isinstance(atom, Ref) else None
        if held is not None and held.items is not None:
            return any((text_of(one) or "post").lower() == "post" for one in held.items)
    return True


def _runs(value: Value) -> bool:
    return bool(value) and all(isinstance(atom, Function) for atom in value)


def _answers(machine: Machine, value: Value) -> bool:
    """Whether a value may answer requests: a function, a class of ours, or an instance of one."""
    return any(
        isinstance(atom, Function)
        or (
            isinstance(atom, Ref) and machine.heap[atom.id].kind in ("class", "instance", "partial")
        )
        for atom in value
    )
