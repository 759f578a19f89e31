"""What holds for every request: an id, one line of log, no surprise, and a bounded JSON body."""

import json
import re
import secrets
import time
from http import HTTPStatus
from typing import Protocol

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from payments.kit.logging import logger
from payments.kit.problems import Problem

MAX_BODY_BYTES = 64 * 1024
REPLAYED_HEADER = "Idempotency-Replayed"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Count(Protocol):
    """Counts a request that was answered, in so many seconds; ``code`` is that of its problem."""

    def __call__(
        self,
        method: str,
        route: str | None,
        status: int,
        seconds: float,
        *,
        code: str | None,
        replayed: bool,
    ) -> None:
        """Count it."""


class RequestLog:
    """Gives each request an id, logs how it ended, and answers what nobody foresaw with 500."""

    def __init__(self, app: ASGIApp, count: Count) -> None:
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        status = 0
        replayed = False
        code: str | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status, replayed, code
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["Cache-Control"] = "no-store"
                replayed = REPLAYED_HEADER in headers
            elif status >= HTTPStatus.BAD_REQUEST and code is None:
                code = _code_of(message.get("body", b""))
            await send(message)

        started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            logger().exception("request_failed")
            if status == 0:
                unforeseen = Problem(500, "internal_error", "Something went wrong on our side.")
                await unforeseen.response()(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            method, route = scope["method"], getattr(scope.get("route"), "path", None)
            self._count(method, route, status, seconds, code=code, replayed=replayed)
            logger().info(
                "request",
                method=method,
                route=route,
                status=status,
                code=code,
                milliseconds=round(seconds * 1000, 1),
            )


class JsonBody:
    """Refuses bodies that are too large, or by their own account not JSON, before parsing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_BODY_BYTES:
                too_large = Problem(413, "body_too_large", "The body is larger than 64 KiB.")
                await too_large.response()(scope, receive, send)
                return
        if body and not _is_json(Headers(scope=scope).get("content-type", "")):
            unsupported = Problem(415, "unsupported_media_type", "Send application/json.")
            await unsupported.response()(scope, receive, send)
            return
        if not _is_utf8(body):
            malformed = Problem(400, "malformed_body", "The body is not JSON in UTF-8.")
            await malformed.response()(scope, receive, send)
            return

        given = False

        async def receive_again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, receive_again, send)


def _code_of(problem: bytes) -> str | None:
    try:
        code = json.loads(problem)["code"]
    except (ValueError, LookupError, TypeError):
        return None
    return str(code)


def _is_utf8(body: bytes) -> bool:
    """Whether a body may be JSON in UTF-8; Python's parser would guess UTF-16 and UTF-32, too.

    A zero byte is in no JSON text, but in every one of those (RFC 8259, section 8.1).
    """
    try:
        return "\0" not in body.decode()
    except UnicodeDecodeError:
        return False


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"
