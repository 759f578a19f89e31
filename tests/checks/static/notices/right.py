"""Signatures compared in constant time."""

from __future__ import annotations

#: Bodies of ``signatures.py``, which ``app.py`` of ``tests.checks.static.notices.service`` calls.
SIGNATURES = {
    "the module's function": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(hmac.compare_digest(expected, mac.lower()) for mac in macs)
""",
    "under another name": """
from hmac import compare_digest as same, new
def verify(secret, at, macs, body):
    expected = new(secret.encode(), b".".join([at.encode(), body]), "sha256").hexdigest()
    for mac in macs:
        if same(mac, expected):
            return True
    return False
""",
    "secrets' own": """
import hmac, secrets
def verify(secret, at, macs, body):
    expected = hmac.digest(secret.encode(), f"{at}.".encode() + body, "sha256")
    ok = False
    for mac in macs:
        ok |= secrets.compare_digest(bytes.fromhex(mac), expected)
    return ok
""",
    "a wrapper": """
import hashlib, hmac
def _same(one, other):
    return hmac.compare_digest(one.encode(), other.encode())
def _mac(secret, message):
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
def verify(secret, at, macs, body):
    expected = _mac(secret, at.encode() + b"." + body)
    return True in [_same(expected, mac) for mac in macs]
""",
    "an alias of the module's": """
import hmac
equal = hmac.compare_digest
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any([equal(expected, mac) for mac in macs])
""",
    "partial and map": """
import functools, hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(map(functools.partial(hmac.compare_digest, expected), macs))
""",
    "filter and lambda": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return len(list(filter(lambda mac: hmac.compare_digest(mac, expected), macs))) > 0
""",
    "constant_time of cryptography": """
import hmac
from cryptography.hazmat.primitives import constant_time
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").digest()
    return any(constant_time.bytes_eq(expected, bytes.fromhex(mac)) for mac in macs)
""",
    "verify of cryptography": """
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
def verify(secret, at, macs, body):
    own = HMAC(secret.encode(), hashes.SHA256())
    own.update(at.encode() + b".")
    own.update(body)
    for mac in macs:
        try:
            own.copy().verify(bytes.fromhex(mac))
        except InvalidSignature:
            continue
        return True
    return False
""",
    "finalize and compare": """
import hmac
from cryptography.hazmat.primitives import hashes, hmac as macs_of
def verify(secret, at, macs, body):
    own = macs_of.HMAC(secret.encode(), hashes.SHA256())
    own.update(at.encode() + b"." + body)
    expected = own.finalize()
    return any(hmac.compare_digest(expected, bytes.fromhex(mac)) for mac in macs)
""",
    "hexverify of another package": """
from Crypto.Hash import HMAC, SHA256
def verify(secret, at, macs, body):
    own = HMAC.new(secret.encode(), at.encode() + b"." + body, digestmod=SHA256)
    for mac in macs:
        try:
            own.hexverify(mac)
            return True
        except ValueError:
            pass
    return False
""",
    "blinded by a key of the process": """
import hmac, os
_BLIND = os.urandom(32)
def _blinded(mac):
    return hmac.digest(_BLIND, mac.encode(), "sha256")
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(_blinded(expected) == _blinded(mac) for mac in macs)
""",
    "blinded by a key of the moment": """
import hashlib, hmac, secrets
def verify(secret, at, macs, body):
    key = secrets.token_bytes(16)
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    ours = hashlib.blake2b(expected.encode(), key=key).digest()
    return ours in {hashlib.blake2b(mac.encode(), key=key).digest() for mac in macs}
""",
    "salted digests": """
import hashlib, hmac, os
def verify(secret, at, macs, body):
    salt = os.urandom(16)
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    ours = hashlib.sha256(salt + expected.encode()).digest()
    if not any(hashlib.sha256(salt + mac.encode()).digest() == ours for mac in macs):
        return False
    return True
""",
    "differences gathered": """
import hmac
def _same(one, other):
    if len(one) != len(other):
        return False
    difference = 0
    for a, b in zip(one, other):
        difference |= a ^ b
    return difference == 0
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").digest()
    return any(_same(expected, bytes.fromhex(mac)) for mac in macs)
""",
    "a length first": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    for mac in macs:
        if len(mac) == len(expected) and hmac.compare_digest(mac, expected):
            return True
    return False
""",
    "a value that compares itself": """
import hmac
from dataclasses import dataclass
@dataclass(frozen=True, eq=False)
class Mac:
    digits: str
    def __eq__(self, other):
        return isinstance(other, Mac) and hmac.compare_digest(self.digits, other.digits)
    @classmethod
    def of(cls, secret, message):
        return cls(hmac.new(secret.encode(), message, "sha256").hexdigest())
def verify(secret, at, macs, body):
    return Mac.of(secret, at.encode() + b"." + body) in [Mac(mac) for mac in macs]
""",
    "an object with a table of its own": """
import hmac
class Verifier:
    compare = staticmethod(hmac.compare_digest)
    def __init__(self, secret):
        self._secret = secret.encode()
        self._seen = {}
    def _expected(self, at, body):
        mac = hmac.new(self._secret, digestmod="sha256")
        mac.update(at.encode())
        mac.update(b".")
        mac.update(body)
        return mac.hexdigest()
    def accepts(self, at, macs, body):
        self._seen["expected"] = self._expected(at, body)
        return any(self.compare(self._seen["expected"], mac) for mac in macs)
def verify(secret, at, macs, body):
    return Verifier(secret).accepts(at, macs, body)
""",
    "by hand from digests": """
import hashlib, hmac
def _mac(secret_key, message):
    key = secret_key.ljust(64, b"\\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key) + message).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in key) + inner).hexdigest()
def verify(secret, at, macs, body):
    expected = _mac(secret.encode(), at.encode() + b"." + body)
    return any(hmac.compare_digest(expected, mac) for mac in macs)
""",
    "the whole header": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(hmac.compare_digest(f"v1={expected}", f"v1={mac}") for mac in macs)
""",
    "a stripe of tuples": """
import hmac
from typing import NamedTuple
class Pair(NamedTuple):
    expected: str
    given: str
    def same(self):
        return hmac.compare_digest(self.expected, self.given)
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    pairs = [Pair(expected, mac) for mac in macs]
    return any(pair.same() for pair in pairs)
""",
    "a match": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    match [hmac.compare_digest(expected, mac) for mac in macs]:
        case [*outcomes] if any(outcomes):
            return True
        case _:
            return False
""",
    "secrets that are exchanged": """
import hmac
def verify(secret, at, macs, body):
    message = at.encode() + b"." + body
    ours = {hmac.new(one.encode(), message, "sha256").hexdigest() for one in (secret, "old")}
    return any(hmac.compare_digest(one, mac) for one in ours for mac in macs)
""",
    "asserted": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    try:
        assert any(hmac.compare_digest(expected, mac) for mac in macs)
    except AssertionError:
        return False
    return True
""",
    "in a thread": """
import asyncio, hmac
def _check(secret, message, macs):
    expected = hmac.new(secret.encode(), message, "sha256").hexdigest()
    return any(hmac.compare_digest(expected, mac) for mac in macs)
async def verify(secret, at, macs, body):
    return await asyncio.to_thread(_check, secret, at.encode() + b"." + body, macs)
""",
    "what older Pythons lacked": """
import hmac, sys
try:
    from hmac import compare_digest
except ImportError:
    def compare_digest(one, other):
        return one == other
if sys.version_info >= (3, 3) and hasattr(hmac, "compare_digest"):
    same = compare_digest
else:
    same = lambda one, other: one == other
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(same(expected, mac) for mac in macs)
""",
    "names that are used twice": """
import hmac
def verify(secret, at, macs, body):
    mac = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    given = [mac.lower() for mac in macs]
    return any(hmac.compare_digest(mac, one) for one in given)
""",
    "what calls itself": """
import hmac, logging
def redacted(value):
    if isinstance(value, dict):
        return {name: redacted(one) for name, one in value.items()}
    return [redacted(one) for one in value] if isinstance(value, list) else value
def verify(secret, at, macs, body):
    logging.info("a notice", extra={"notice": redacted({"at": at, "body": [body, macs]})})
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(hmac.compare_digest(expected, mac) for mac in macs)
""",
    "base64 of both": """
import base64, hmac
def verify(secret, at, macs, body):
    mac = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").digest()
    expected = base64.b64encode(mac)
    given = [base64.b64encode(bytes.fromhex(one)) for one in macs]
    return any(hmac.compare_digest(expected, one) for one in given)
""",
    "a fingerprint is looked up beside it": """
import hashlib, hmac
_seen = set()
def verify(secret, at, macs, body):
    fingerprint = hashlib.sha256(body).hexdigest()
    if fingerprint in _seen:
        return False
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    right = any(hmac.compare_digest(expected, mac) for mac in macs)
    if right:
        _seen.add(fingerprint)
    return right
""",
}

#: Whole services: the text of each file by its path.
SERVICES = {
    "a middleware of django's": {
        "shop/settings.py": """
import os
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "shop.signed.Signed"]
PSP_WEBHOOK_SECRET = os.environ["PSP_WEBHOOK_SECRET"]
""",
        "shop/urls.py": """
from django.http import HttpResponse
from django.urls import path
def take(request):
    return HttpResponse(status=204)
urlpatterns = [path("v1/webhooks/psp", take), path("v1/webhooks/bank", take)]
""",
        "shop/signed.py": """
import hmac
from django.conf import settings
from django.http import HttpResponse
class Signed:
    def __init__(self, get_response):
        self.get_response = get_response
    def __call__(self, request):
        if request.path.startswith("/v1/webhooks/"):
            at, given = request.headers["Webhook-Signature"].split(",v1=")
            message = at[2:].encode() + b"." + request.body
            secret = settings.PSP_WEBHOOK_SECRET.encode()
            expected = hmac.new(secret, message, "sha256").hexdigest()
            if not hmac.compare_digest(expected, given):
                return HttpResponse(status=401)
        return self.get_response(request)
""",
    },
    "a handler of fastapi's": {
        "main.py": """
import hmac, os
from fastapi import FastAPI, Header, HTTPException, Request
app = FastAPI()
@app.post("/v1/webhooks/{party}", status_code=204)
async def take(party: str, request: Request, webhook_signature: str = Header("")):
    secret = os.environ[f"{party.upper()}_WEBHOOK_SECRET"]
    body = await request.body()
    fields = dict(part.split("=", 1) for part in webhook_signature.split(","))
    message = fields["t"].encode() + b"." + body
    expected = hmac.new(secret.encode(), message, "sha256").hexdigest()
    if not hmac.compare_digest(expected, fields["v1"]):
        raise HTTPException(401)
""",
    },
    "flask": {
        "service/__init__.py": """
from flask import Flask
from service.hooks import hooks
def create_app():
    app = Flask(__name__)
    app.register_blueprint(hooks, url_prefix="/v1/webhooks")
    return app
""",
        "service/hooks.py": """
import hmac
from functools import wraps
from flask import Blueprint, abort, current_app, request
hooks = Blueprint("hooks", __name__)
def signed(setting):
    def decorate(view):
        @wraps(view)
        def wrapper(*args, **kwargs):
            at, _, given = request.headers["Webhook-Signature"].partition(",v1=")
            message = at.removeprefix("t=").encode() + b"." + request.get_data()
            secret = current_app.config[setting].encode()
            if not hmac.compare_digest(hmac.new(secret, message, "sha256").hexdigest(), given):
                abort(401)
            return view(*args, **kwargs)
        return wrapper
    return decorate
@hooks.route("/psp", methods=["POST"])
@signed("PSP_WEBHOOK_SECRET")
def psp():
    return "", 204
@hooks.post("/bank")
@signed("BANK_WEBHOOK_SECRET")
def bank():
    return "", 204
""",
    },
    "django": {
        "payments/urls.py": """
from django.urls import include, path
from payments import views
hooks = [path("psp", views.Psp.as_view()), path("bank", views.bank)]
urlpatterns = [path("v1/webhooks/", include(hooks))]
""",
        "payments/views.py": """
import hmac
from django.conf import settings
from django.http import HttpResponse
from django.utils.crypto import constant_time_compare
from django.views import View
def right(request, secret):
    fields = dict(part.split("=") for part in request.META["HTTP_WEBHOOK_SIGNATURE"].split(","))
    message = fields["t"].encode() + b"." + request.body
    expected = hmac.new(secret.encode(), message, "sha256").hexdigest()
    return constant_time_compare(expected, fields["v1"])
class Psp(View):
    def post(self, request):
        if not right(request, settings.PSP_WEBHOOK_SECRET):
            return HttpResponse(status=401)
        return HttpResponse(status=204)
def bank(request):
    return HttpResponse(status=204 if right(request, settings.BANK_WEBHOOK_SECRET) else 401)
""",
    },
    "a middleware of starlette's": {
        "app.py": """
import hmac, os
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import Response
from starlette.routing import Mount, Route
class Signed(BaseHTTPMiddleware):
    def __init__(self, app, secrets):
        super().__init__(app)
        self.secrets = secrets
    async def dispatch(self, request, call_next):
        party = request.url.path.rpartition("/")[2]
        if party in self.secrets and not await self.is_signed(request, self.secrets[party]):
            return Response(status_code=401)
        return await call_next(request)
    async def is_signed(self, request, secret):
        header = request.headers.get("webhook-signature", "")
        at, given = header.split(",", 1)
        message = at[2:].encode() + b"." + await request.body()
        expected = hmac.new(secret.encode(), message, "sha256").hexdigest()
        return hmac.compare_digest(expected, given.removeprefix("v1="))
async def take(request):
    return Response(status_code=204)
app = Starlette(
    routes=[Mount("/v1/webhooks", routes=[
        Route("/psp", take, methods=["POST"]), Route("/bank", take, methods=["POST"]),
    ])],
    middleware=[Middleware(Signed, secrets={"psp": os.environ["A"], "bank": os.environ["B"]})],
)
""",
    },
    "a pure ASGI middleware": {
        "src/shop/app.py": """
from fastapi import FastAPI
from shop.hooks import router
from shop.signed import Signed
def build():
    app = FastAPI()
    app.include_router(router, prefix="/v1")
    app.add_middleware(Signed, secret="x")
    return app
""",
        "src/shop/hooks.py": """
from fastapi import APIRouter
router = APIRouter(prefix="/webhooks")
@router.post("/psp", status_code=204)
async def psp(): ...
@router.post("/bank", status_code=204)
async def bank(): ...
""",
        "src/shop/signed.py": """
import hmac
class Signed:
    def __init__(self, app, secret):
        self.app, self.secret = app, secret.encode()
    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or not scope["path"].startswith("/v1/webhooks"):
            return await self.app(scope, receive, send)
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = dict(scope["headers"])
        at, given = headers[b"webhook-signature"].split(b",v1=")
        mac = hmac.new(self.secret, at[2:] + b"." + body, "sha256").hexdigest()
        if not hmac.compare_digest(mac.encode(), given):
            return await send({"type": "http.response.start", "status": 401})
        await self.app(scope, receive, send)
""",
    },
    "aiohttp": {
        "app.py": """
import hmac, os
from aiohttp import web
async def right(request, secret):
    fields = dict(part.split("=") for part in request.headers["Webhook-Signature"].split(","))
    message = fields["t"].encode() + b"." + await request.read()
    return hmac.compare_digest(hmac.new(secret, message, "sha256").hexdigest(), fields["v1"])
def taking(setting):
    async def take(request):
        if not await right(request, os.environ[setting].encode()):
            raise web.HTTPUnauthorized()
        return web.Response(status=204)
    return take
def build():
    app = web.Application()
    app.router.add_post("/v1/webhooks/psp", taking("PSP_WEBHOOK_SECRET"))
    app.add_routes([web.post("/v1/webhooks/bank", taking("BANK_WEBHOOK_SECRET"))])
    return app
""",
    },
    "an injected verifier": {
        "app.py": """
import hmac
from typing import Annotated, Protocol
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
class Verifier(Protocol):
    def accepts(self, message: bytes, given: str) -> bool: ...
class HmacVerifier:
    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
    def accepts(self, message: bytes, given: str) -> bool:
        return hmac.compare_digest(hmac.new(self._secret, message, "sha256").hexdigest(), given)
def verifier(request: Request) -> Verifier:
    return request.app.state.verifier
async def signed(request: Request, verifier: Annotated[Verifier, Depends(verifier)]) -> None:
    at, given = request.headers["webhook-signature"].split(",v1=")
    if not verifier.accepts(at[2:].encode() + b"." + await request.body(), given):
        raise HTTPException(401)
hooks = APIRouter(prefix="/v1/webhooks", dependencies=[Depends(signed)])
@hooks.post("/psp")
async def psp(): ...
@hooks.post("/bank")
async def bank(): ...
def create() -> FastAPI:
    app = FastAPI()
    app.state.verifier = HmacVerifier("x")
    app.include_router(hooks)
    return app
""",
    },
    "a class of routes": {
        "app.py": """
import hmac
from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.routing import APIRoute
class Signed(APIRoute):
    def get_route_handler(self):
        handle = super().get_route_handler()
        async def signed(request: Request):
            at, given = request.headers["webhook-signature"].split(",v1=")
            secret = request.app.state.secret
            mac = hmac.digest(secret, at[2:].encode() + b"." + await request.body(), "sha256")
            if not hmac.compare_digest(mac.hex(), given):
                raise HTTPException(401)
            return await handle(request)
        return signed
router = APIRouter(route_class=Signed)
@router.post("/psp")
async def psp(): ...
@router.post("/bank")
async def bank(): ...
app = FastAPI()
app.include_router(router, prefix="/v1/webhooks")
""",
    },
    "a dependency that is an object": {
        "app.py": """
import hmac
from fastapi import Depends, FastAPI, HTTPException, Request
class Signed:
    def __init__(self, setting):
        self.setting = setting
    async def __call__(self, request: Request) -> bytes:
        body = await request.body()
        at, given = request.headers["webhook-signature"].split(",v1=")
        secret = getattr(request.app.state.settings, self.setting).encode()
        expected = hmac.digest(secret, at[2:].encode() + b"." + body, "sha256").hex()
        if not hmac.compare_digest(expected, given):
            raise HTTPException(401)
        return body
app = FastAPI()
@app.post("/v1/webhooks/psp")
async def psp(body: bytes = Depends(Signed("psp_secret"))): ...
@app.post("/v1/webhooks/bank")
async def bank(body: bytes = Depends(Signed("bank_secret"))): ...
""",
    },
    "a library that verifies": {
        "app.py": """
import os
import stripe
from flask import Flask, request
app = Flask(__name__)
@app.route("/v1/webhooks/<party>", methods=["POST"])
def take(party):
    header, body = request.headers.get("Webhook-Signature"), request.get_data(as_text=True)
    try:
        stripe.WebhookSignature.verify_header(body, header, os.environ[party])
    except stripe.error.SignatureVerificationError:
        return "", 401
    return "", 204
""",
    },
    "routes that are added": {
        "app.py": """
import hmac
from fastapi import FastAPI, HTTPException, Request
SECRETS = {"psp": b"a", "bank": b"b"}
class Hooks:
    def __init__(self, secrets):
        self.secrets = secrets
    async def psp(self, request: Request):
        await self._verified(request, "psp")
    async def bank(self, request: Request):
        await self._verified(request, "bank")
    async def _verified(self, request, party):
        at, given = request.headers["webhook-signature"].split(",v1=")
        mac = hmac.new(self.secrets[party], digestmod="sha256")
        mac.update(at[2:].encode() + b".")
        async for chunk in request.stream():
            mac.update(chunk)
        if not hmac.compare_digest(mac.hexdigest(), given):
            raise HTTPException(401)
def create():
    app = FastAPI()
    hooks = Hooks(SECRETS)
    app.add_api_route("/v1/webhooks/psp", hooks.psp, methods=["POST"])
    app.add_api_route("/v1/webhooks/bank", endpoint=hooks.bank, methods=["POST"])
    return app
""",
    },
}
