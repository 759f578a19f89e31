"""Who may speak to the page: its own browser on this machine, and nobody else.

The address is loopback's, but any page on the web can make a browser call it, by name (DNS
rebinding) or by form (CSRF), and any user of the machine can connect. So the host must be ours, a
cookie must hold the key that was printed, and what changes anything must come from our own origin.
Other ports of this machine are the same site to a cookie, but another origin.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from secrets import token_urlsafe

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Where a browser shows its key.
ENTRANCE = "/enter"

#: Bytes that a request may bring.
LARGEST = 8_000_000

#: Nothing is loaded but what is ours, nothing runs but our files, nobody frames us.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

#: Sent to ourselves from a page of our own: whoever led the browser here, the cookie goes along.
_ONWARD = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">'
    '<link rel="icon" href="/static/icon.svg"><title>assay</title>'
    '<p><a href="/">To the review</a></p>'
)


@dataclass(slots=True)
class Keys:
    """The secrets of one run: ``key`` is printed and stays.

    ``ticket`` lets in once: it is for a browser's command line, which others can read.
    """

    key: str = field(default_factory=lambda: token_urlsafe(24))
    ticket: str = field(default_factory=lambda: token_urlsafe(24))

    def fits(self, given: str) -> bool:
        """Whether it is the key."""
        return hmac.compare_digest(given.encode(), self.key.encode())

    def admits(self, given: str) -> bool:
        """Whether it is the key, or the ticket for the first time."""
        if self.ticket and hmac.compare_digest(given.encode(), self.ticket.encode()):
            self.ticket = ""
            return True
        return self.fits(given)


class Guard:
    """An ASGI middleware; ``port`` is where we listen."""

    def __init__(self, app: ASGIApp, keys: Keys, port: int) -> None:
        self._app = app
        self._keys = keys
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        #: Cookies know no ports, so its name has ours.
        self._cookie = f"assay-review-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request pass, or says why not."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        request = Request(scope)
        answer = self._refusal(request)
        if answer is None and scope["path"] == ENTRANCE:
            answer = self._enter(request)
        if answer is None and not self._keys.fits(request.cookies.get(self._cookie, "")):
            answer = _refused("Open the address that 'assay review' has printed.")
        await (answer or self._app)(scope, receive, _guarded(send))

    def _refusal(self, request: Request) -> Response | None:
        """What is wrong with where a request comes from, or with its size."""
        headers = request.headers
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return _refused("This page is for 127.0.0.1 alone.", 421)
        origin, reads = headers.get("origin"), request.method in ("GET", "HEAD")
        if origin != f"http://{hosts[0]}" and not (reads and origin is None):
            return _refused("Only the page itself may ask for this.")
        come = headers.get("sec-fetch-site", "none")
        if request.url.path != ENTRANCE and come not in ("same-origin", "none"):
            return _refused("Another page has asked for this.")
        return None if reads else _unfit(headers)

    def _enter(self, request: Request) -> Response:
        if not self._keys.admits(request.query_params.get("key", "")):
            return _refused("That key does not fit: open the address that was printed last.")
        answer = HTMLResponse(_ONWARD)
        answer.set_cookie(self._cookie, self._keys.key, httponly=True, samesite="strict")
        return answer


def _unfit(headers: Headers) -> Response | None:
    """What is wrong with the body that a request announces."""
    if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return _refused("Only JSON is taken.", 415)
    length = headers.get("content-length", "")
    if not length.isdecimal():
        return _refused("Its length has to be said.", 411)
    if int(length) > LARGEST:
        return _refused(f"At most {LARGEST:,} bytes are taken at once.", 413)
    return None


def _refused(sentence: str, status: int = 403) -> Response:
    return PlainTextResponse(f"{sentence}\n", status)


def _guarded(send: Send) -> Send:
    """Every answer tells the browser what it may do with it."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sent
