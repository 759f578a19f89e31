"""Errors as RFC 9457 problem details, with a stable ``code``."""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from payments.kit.database import BusyError

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1

# The refusals that an endpoint documents, by what it does.
READING = (401, 403, 503)
LISTING = (*READING, 422)
WRITING = (400, 401, 403, 413, 415, 422, 503)
MOVING = (*WRITING, 404, 409)
CHARGING = (*MOVING, 402, 504)


class Problem(Exception):  # noqa: N818  (RFC 9457's word)
    """A refusal that the client is told.

    ``retry_after`` is in seconds; ``members`` are extra members of the problem object. The detail
    never repeats what the client sent.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.members = dict(members or {})
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)

    def body(self) -> str:
        """The problem object as JSON, in ASCII, since a path may hold what UTF-8 cannot."""
        return json.dumps(
            {
                "type": f"urn:payments:problem:{self.code}",
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "detail": self.detail,
                "code": self.code,
                **self.members,
            }
        )

    def response(self) -> Response:
        """The answer that carries this problem."""
        return Response(self.body(), self.status, self.headers, MEDIA_TYPE)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documentation of an endpoint's refusals, for its ``responses``."""
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {}}}
        for status in sorted(statuses)
    }


def not_found() -> Problem:
    """What does not exist, or not for this caller."""
    return Problem(404, "not_found", "There is no such thing here.")


def busy() -> Problem:
    """A lost race or a full pool, rolled back whole: nothing was done."""
    return Problem(503, "busy", "Too busy just now; nothing was done.", retry_after=RETRY_SECONDS)


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Answer every error of the application, which serves these routes, with a problem."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> Response:
        return error.response()

    @app.exception_handler(BusyError)
    async def _busy(_: Request, __: BusyError) -> Response:
        return busy().response()

    @app.exception_handler(RequestValidationError)
    async def _validation(_: Request, error: RequestValidationError) -> Response:
        return _from_validation(error).response()

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        return _from_http(request, error, routes).response()


def _from_http(request: Request, error: HTTPException, routes: Sequence[BaseRoute]) -> Problem:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return not_found()
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted(_methods(request, routes)))
        return Problem(
            405, "method_not_allowed", "This path has other methods.", headers={"Allow": allowed}
        )
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return Problem(400, "malformed_body", "The body is not JSON in UTF-8.")
    return Problem(error.status_code, "refused", "The request was refused.", headers=error.headers)


def _methods(request: Request, routes: Sequence[BaseRoute]) -> set[str]:
    """All methods of the path: each is a route of its own, which knows no other."""
    return {
        method
        for route in routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in getattr(route, "methods", None) or ()
    }


def _from_validation(error: RequestValidationError) -> Problem:
    faults = error.errors()
    if any(fault["loc"][0] == "path" for fault in faults):
        return not_found()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return Problem(400, "malformed_body", "The body is not JSON in UTF-8.")
    return Problem(
        422,
        "validation_failed",
        "The request does not have the shape that the contract asks for.",
        members={
            "errors": [
                {"field": _field(fault), "message": _message(fault)} for fault in faults[:20]
            ]
        },
    )


def _field(fault: Mapping[str, Any]) -> str:
    """Where the fault is. Only plain words are repeated: a member's name is the client's too."""
    return ".".join(
        str(part) if re.fullmatch(r"[A-Za-z_]{1,40}|[0-9]{1,3}", str(part)) else "?"
        for part in fault["loc"]
    )


def _message(fault: Mapping[str, Any]) -> str:
    """Pydantic's sentence; it quotes the rule, not the value, for every type that we use."""
    return str(fault["msg"])
