"""MACs on their way, and how each is compared with what a request brings.

A comparison is in variable time where it may stop at the first byte that differs. That is said
where a MAC of the request meets another part of the request; where either may have become something
else on the way, it is doubted. So it is where one is looked up by its hash, in a set or as a key:
that tells nothing of single bytes, and is promised nowhere to take the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from checks.static.flow import classes, making, names, places
from checks.static.flow.frames import Arguments
from checks.static.flow.making import TAGS
from checks.static.flow.values import (
    NO_MARKS,
    UNKNOWN,
    Atom,
    Const,
    Decided,
    Difference,
    Label,
    Marks,
    Member,
    Ref,
    Site,
    Value,
    data,
    just,
)

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine

#: What a comparison may be said to be.
_VARIABLE, _CONSTANT = "variable", "constant"


@dataclass(slots=True)
class Seen:
    """What was seen on the way of one request: comparisons of its MAC, by their places.

    ``constant`` are those whose outcome decided something; ``doubts`` say what could not be told.
    """

    variable: set[Site] = field(default_factory=set)
    constant: set[Site] = field(default_factory=set)
    doubts: dict[Site, str] = field(default_factory=dict)


class Macs:
    """The observer; ``seen`` is what it takes notes in while a request is under way."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.seen = Seen()
        #: Where names may get another value than can be seen, on whichever way.
        self.text: set[Site] = set()

    def equal(self, left: Value, right: Value, site: Site, *, hashed: bool = False) -> Marks:
        """Compared as Python does; ``hashed`` if only what has the same hash is."""
        found: set[object] = set()
        for one in left:
            for other in right:
                found |= self._equal(one, other, site, hashed)
        return frozenset(found)  # type: ignore[arg-type]

    def _equal(self, one: Atom, other: Atom, site: Site, hashed: bool) -> Marks:
        if isinstance(one, Const) or isinstance(other, Const):
            return NO_MARKS
        by_method = self._by_method(one, other, site)
        if by_method is not None:
            return by_method
        items, others = self._items(one), self._items(other)
        if items is not None and others is not None:
            if len(items) != len(others):
                return NO_MARKS
            pairs = zip(items, others, strict=True)
            return frozenset().union(*(self.equal(*pair, site, hashed=hashed) for pair in pairs))
        marks = self._machine.marks
        return self._judge(marks(just(one)), marks(just(other)), site, hashed)

    def _by_method(self, one: Atom, other: Atom, site: Site) -> Marks | None:
        """By a method of the source's own, or field by field; ``None`` where neither is so."""
        for this, that in ((one, other), (other, one)):
            if not isinstance(this, Ref):
                continue
            held = self._machine.heap[this.id]
            if held.kind != "instance" or held.parent is None:
                continue
            if classes.in_class(self._machine, held.parent, "__eq__"):
                method = classes.attribute(self._machine, this, "__eq__")
                answer = self._machine.call(method, Arguments((just(that),)), site)
                return self._machine.outcome(answer)
            if isinstance(that, Ref) and self._machine.heap[that.id].kind == "instance":
                fields, theirs = held.fields, self._machine.heap[that.id].fields
                shared = [name for name in fields if name in theirs and not name.startswith("#")]
                return frozenset().union(
                    *(self.equal(fields[name], theirs[name], site) for name in shared)
                )
        return None

    def _items(self, atom: Atom) -> tuple[Value, ...] | None:
        held = self._machine.heap[atom.id] if isinstance(atom, Ref) else None
        return held.items if held is not None and held.kind == "sequence" else None

    def within(self, item: Value, container: Value, site: Site) -> Marks:
        """Looked for in something."""
        found: set[object] = set()
        for atom in container:
            held = self._machine.heap[atom.id] if isinstance(atom, Ref) else None
            if held is None or held.kind != "instance":
                inside = just(atom) if held is None else places.element(self._machine, just(atom))
                hashed = held is not None and (held.kind == "mapping" or held.name == "set")
                found |= self.equal(item, inside, site, hashed=hashed)
            elif classes.in_class(self._machine, held.parent or 0, "__contains__"):
                method = places.read(self._machine, just(atom), "__contains__")
                answer = self._machine.call(method, Arguments((item,)), site)
                found |= self._machine.outcome(answer)
            else:
                found |= self.equal(item, just(atom), site)
        return frozenset(found)  # type: ignore[arg-type]

    def together(self, values: Sequence[Value], site: Site) -> None:
        """Some values are put in order: each is compared with others."""
        for one, other in combinations(values, 2):
            self.equal(one, other, site)

    def _judge(self, left: Marks, right: Marks, site: Site, hashed: bool) -> Marks:
        """What a comparison of two things with these marks tells a stranger by its time."""
        for said in (_told(left, right, hashed), _told(right, left, hashed)):
            if said is _CONSTANT:
                return frozenset({Decided(site)})
            if said is _VARIABLE:
                self.seen.variable.add(site)
            elif said:
                self.seen.doubts.setdefault(site, said)
        return NO_MARKS

    def _constant(self, left: Value, right: Value, site: Site) -> Value:
        """Compared in constant time: if it is the whole MAC with something of the request's."""
        marks = self._machine.marks
        for one, other in ((marks(left), marks(right)), (marks(right), marks(left))):
            whole = Label.MAC in one and Label.PART not in one | other and Label.MAC not in other
            blind = Label.BLIND in one and other & (TAGS | {Label.RANDOM})
            if (whole and other & {Label.GIVEN, Label.UNSURE}) or blind:
                return data({Decided(site)})
        return UNKNOWN

    def tested(self, value: Value) -> None:
        """The way goes on by an outcome."""
        for mark in self._machine.outcome(value):
            if isinstance(mark, Decided):
                self.seen.constant.add(mark.site)
            elif isinstance(mark, Difference):
                self._differed(mark)

    def _differed(self, mark: Difference) -> None:
        if self._machine.loops < mark.loops:
            self.seen.constant.add(mark.site)
        else:
            self.seen.doubts.setdefault(mark.site, "A difference may end the loop that finds it")

    def stopped(self, marks: Marks) -> Marks:
        """A loop has ended at the first outcome that decides."""
        for mark in marks:
            if isinstance(mark, Difference):
                self._differed(mark)
        return frozenset(mark for mark in marks if isinstance(mark, Decided))

    def lost(self, values: Sequence[Value], site: Site) -> None:
        """A part of the request goes where it is not followed."""
        if Label.GIVEN in self._machine.marks(*values):
            self.seen.doubts.setdefault(site, "There are too many ways to follow from here")

    def handed(self, name: str, values: Sequence[Value], site: Site) -> None:
        """A MAC and something of the request's are handed over together."""
        items = [item for value in values for item in (value, *self._inside(value))]
        marks = [self._machine.marks(value) for value in items]
        macs = any(Label.MAC in one for one in marks)
        if macs and any(Label.GIVEN in one and Label.MAC not in one for one in marks):
            shown = name.strip("().<>") or "something"
            self.seen.doubts.setdefault(
                site, f"A MAC is handed to {shown} with a part of the request"
            )

    def _inside(self, value: Value) -> list[Value]:
        held = [self._machine.heap[atom.id] for atom in value if isinstance(atom, Ref)]
        return [item for one in held for item in (*(one.items or ()), *one.fields.values())]

    def knows(self, name: str) -> bool:
        """Whether a function of another package's compares or makes MACs."""
        return name in names.CONSTANT or name.startswith("operator.") or making.knows(name)

    def called(self, name: str, atom: Atom, given: Arguments, site: Site) -> Value | None:
        """What makes, takes or compares MACs."""
        if name in names.CONSTANT:
            first, second = given.get(0, "a", "left", "val1"), given.get(1, "b", "right", "val2")
            return self._constant(first or given.rest, second or given.rest, site)
        if name in names.VERIFYING and Label.GIVEN in self._machine.marks(*given.values):
            self.seen.constant.add(site)
            return data(self._machine.marks(*given.values))
        if name in ("<hmac>.verify", "<hmac>.hexverify"):
            return self._verified(atom, given, site)
        if name in names.RUNNING_TEXT:
            self.text.add(site)
        made = making.made(self._machine, name, given)
        return making.of_object(self._machine, atom, given) if made is None else made

    def _verified(self, atom: Atom, given: Arguments, site: Site) -> Value:
        """A HMAC is held against a signature by its own object, which raises if it is another."""
        if isinstance(atom, Member) and isinstance(atom.of, Ref):
            own = data(making.so_far(self._machine, self._machine.heap[atom.of.id]))
            self.tested(self._constant(own, given.get(0, "signature", "mac_tag"), site))
        return UNKNOWN


def _told(one: Marks, other: Marks, hashed: bool) -> str:
    """What a comparison of a MAC with another thing is: in constant or variable time, a sentence
    where that cannot be told, and nothing where the first is no MAC or the second tells more.
    """
    given = other & {Label.GIVEN, Label.UNSURE}
    said = ""
    if Label.BLIND in one:
        said = _CONSTANT if other & (TAGS | {Label.RANDOM}) else ""
        said = said or ("It compares a MAC of a MAC with something else" if given else "")
    elif Label.BLIND in other:
        pass
    elif Label.HASHED in one | other:
        said = "It compares digests of MACs"
    elif Label.MAC in one and Label.MAC not in other:
        if not other:
            said = "A MAC is compared with something of which it cannot be told what it is"
        elif hashed and given:
            said = "It looks a MAC up by its hash"
        elif given:
            unsure = Label.UNSURE in one | other or Label.GIVEN not in other
            said = "It compares what may be a MAC and a signature" if unsure else _VARIABLE
    elif Label.TAG in one and not other & TAGS and given:
        said = "It compares a MAC of something else with a part of the request"
    return said
