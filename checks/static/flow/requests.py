"""A request on its way: what sees it first, what its handler depends on, and the handler."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from checks.static.flow import calls, classes, names, places
from checks.static.flow.frames import Arguments, Frame
from checks.static.flow.heap import Object
from checks.static.flow.routes import Route
from checks.static.flow.values import (
    NOTHING,
    UNKNOWN,
    Data,
    Function,
    Label,
    Ref,
    Site,
    Value,
    data,
    either,
    just,
)

if TYPE_CHECKING:
    from checks.static.flow.machine import Machine

#: A request, and what of it is outside its body.
REQUEST = data({Label.GIVEN, Label.BODY})
HEADER = data({Label.GIVEN})

#: What some names of frameworks stand for.
KNOWN = {f"{name}.request": REQUEST for name in ("flask", "quart", "bottle", "flask.globals")}

_NAMES = {
    "scope": HEADER,
    "environ": REQUEST,
    "send": UNKNOWN,
    "call_next": UNKNOWN,
    "get_response": UNKNOWN,
    "start_response": UNKNOWN,
    "next_handler": UNKNOWN,
    "response": UNKNOWN,
    "app": UNKNOWN,
    "handler": UNKNOWN,
}
_MARKERS = {"Header": HEADER, "Query": HEADER, "Cookie": HEADER, "Path": HEADER}
_METHODS = ("post", "dispatch", "on_post", "handle", "__call__")
_AROUND = ("__call__", "dispatch", "process_request", "process_view", "on_request")
_NOWHERE = Site("", 0)


def serve(machine: Machine, route: Route) -> None:
    """Take a request along the way to a route."""
    for value, given in machine.routes.around:
        _pass(machine, value, given)
    for value in machine.routes.dependencies(route):
        for atom in places.element(machine, value):
            if isinstance(atom, Ref):
                resolve(machine, atom.id, NOTHING)
    for atom in machine.routes.route_classes(route):
        if isinstance(atom, Ref):
            made = machine.heap.ref(Object("instance", fields={"#ready": UNKNOWN}, parent=atom.id))
            found = places.read(machine, made, "get_route_handler")
            handle(machine, machine.call(found, Arguments(), _NOWHERE))
    handle(machine, route.handler)


def _pass(machine: Machine, value: Value, given: Arguments) -> None:
    """Take a request through what sees each of them."""
    for atom in value:
        if isinstance(atom, Ref) and machine.heap[atom.id].kind == "class":
            behind = Arguments((UNKNOWN, *given.positional), given.named, given.rest)
            made = machine.call(just(atom), behind, _NOWHERE)
            for name in _AROUND:
                if classes.in_class(machine, atom.id, name):
                    handle(machine, places.read(machine, made, name))
        else:
            handle(machine, just(atom))


def handle(machine: Machine, value: Value) -> Value:
    """Have something answer a request; what it returns."""
    found = []
    for atom in value:
        match atom:
            case Function():
                found.append(calls.run(machine, atom, _brought(machine, atom)))
            case Ref(id=number) if machine.heap[number].kind == "class":
                found.append(_of_view(machine, number))
            case Ref(id=number) if machine.heap[number].kind == "partial":
                held = machine.heap[number]
                given = Arguments(held.items or (), held.fields, REQUEST)
                found.append(machine.call(held.rest, given, _NOWHERE))
            case Ref(id=number) if machine.heap[number].kind == "instance":
                parent = machine.heap[number].parent or 0
                own = [name for name in _METHODS if classes.in_class(machine, parent, name)]
                found += [handle(machine, places.read(machine, just(atom), one)) for one in own]
            case _:
                continue
    return either(*found)


def _of_view(machine: Machine, number: int) -> Value:
    """Have an instance of a class answer, by those of its methods that do."""
    made = machine.call(just(Ref(number)), Arguments(), _NOWHERE)
    wrappers = places.element(machine, classes.in_class(machine, number, "decorators"))
    found = []
    for name in _METHODS:
        if classes.in_class(machine, number, name):
            method = places.read(machine, made, name)
            found.append(handle(machine, method))
            for wrapper in wrappers:
                if isinstance(wrapper, Function):
                    wrapped = machine.call(just(wrapper), Arguments((method,)), _NOWHERE)
                    found.append(handle(machine, wrapped))
    return either(*found)


def resolve(machine: Machine, number: int, promised: Value) -> Value:
    """What a dependency comes to; ``promised`` is the class of its parameter, if it names none."""
    held = machine.heap[number]
    if held.kind != "depends":
        return UNKNOWN
    dependency = held.fields.get("dependency") or promised
    found = []
    for atom in dependency:
        if isinstance(atom, Ref) and machine.heap[atom.id].kind == "class":
            found.append(_dependency_class(machine, atom.id))
        elif isinstance(atom, Ref) and machine.heap[atom.id].kind == "instance":
            found.append(handle(machine, places.read(machine, just(atom), "__call__")))
        else:
            found.append(handle(machine, just(atom)))
    value = either(*found)
    yielded = [
        machine.heap[atom.id].element
        for atom in value
        if isinstance(atom, Ref) and machine.heap[atom.id].kind == "sequence"
    ]
    return either(*yielded) or value or UNKNOWN


def _dependency_class(machine: Machine, number: int) -> Value:
    """An instance whose initialiser's parameters are brought by the request."""
    for atom in classes.in_class(machine, number, "__init__"):
        if isinstance(atom, Function):
            bound = Function(atom.node, atom.module, atom.scope, atom.owner, UNKNOWN)
            return machine.call(just(Ref(number)), _brought(machine, bound), _NOWHERE)
    return machine.heap.ref(Object("instance", rest=REQUEST, parent=number))


def _brought(machine: Machine, function: Function) -> Arguments:
    """What a request brings for each of a function's parameters."""
    arguments = function.node.args
    module = machine.program.modules[function.module]
    outside = Frame(module, function.scope, machine.heap.level)
    first = 0 if function.bound is None else 1
    positional = tuple(
        _for(machine, parameter, default, outside)
        for parameter, default in calls.defaulted(arguments)[first:]
    )
    named = {
        parameter.arg: _for(machine, parameter, default, outside)
        for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    }
    spread = arguments.vararg is not None or arguments.kwarg is not None
    return Arguments(positional, named, REQUEST if spread else NOTHING)


def _for(machine: Machine, parameter: ast.arg, default: ast.expr | None, outside: Frame) -> Value:
    """What a request brings for a parameter."""
    annotation = parameter.annotation
    said = UNKNOWN if annotation is None else machine.evaluate(annotation, outside)
    hints = UNKNOWN if default is None else machine.evaluate(default, outside)
    base = said
    for atom in said:
        held = machine.heap[atom.id] if isinstance(atom, Ref) else None
        if held is not None and held.kind == "annotated":
            base, hints = held.rest, either(hints, *(held.items or ()))
            annotation = held.node if isinstance(held.node, ast.expr) else annotation
    for atom in hints:
        match atom:
            case Ref(id=number) if machine.heap[number].kind == "depends":
                return resolve(machine, number, base)
            case Data(made=made) if made.rpartition(".")[2] in _MARKERS:
                return HEADER
            case _:
                continue
    words = {word for node in _names(annotation) for word in node}
    if words & names.REQUESTS:
        return REQUEST
    if words & names.NOT_BROUGHT:
        return UNKNOWN
    if words and words <= names.VALUES:
        return HEADER
    value = _NAMES.get(parameter.arg, REQUEST)
    return _instance(machine, base, value)


def _instance(machine: Machine, base: Value, value: Value) -> Value:
    """A request's part as an instance of the class that it is to be."""
    made = [
        machine.heap.ref(Object("instance", rest=data(machine.marks(value)), parent=atom.id))
        for atom in base
        if isinstance(atom, Ref) and machine.heap[atom.id].kind == "class"
    ]
    return either(*made) or value


def _names(annotation: ast.expr | None) -> list[list[str]]:
    """The last words of the names in an annotation."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return [[annotation.value.rpartition(".")[2]]]
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return [["None"]]
    return [
        [node.id if isinstance(node, ast.Name) else node.attr]
        for node in ast.walk(annotation or ast.Pass())
        if isinstance(node, ast.Name | ast.Attribute)
    ]
