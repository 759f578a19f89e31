"""Signatures compared in variable time."""

from __future__ import annotations

#: Bodies of ``signatures.py``, which ``app.py`` of ``tests.checks.static.notices.service`` calls.
SIGNATURES = {
    "equality": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(expected == mac.lower() for mac in macs)  # here
""",
    "inequality": """
import hmac
def verify(secret, at, macs, body):
    for mac in macs:
        message = f"{at}.".encode() + body
        if hmac.digest(secret.encode(), message, "sha256") != bytes.fromhex(mac):  # here
            continue
        return True
    return False
""",
    "among the list": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return expected in macs  # here
""",
    "the beginning": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(expected.startswith(mac) for mac in macs)  # here
""",
    "the end of a line": """
import hmac
def verify(secret, at, macs, body):
    mac = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return ",".join(macs).endswith(mac)  # here
""",
    "a pattern": """
import hmac, re
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(re.fullmatch(expected, mac, re.IGNORECASE) for mac in macs)  # here
""",
    "match": """
import hmac
class Expected:
    def __init__(self, mac):
        self.mac = mac
def verify(secret, at, macs, body):
    own = Expected(hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest())
    for mac in macs:
        match mac:
            case own.mac:  # here
                return True
    return False
""",
    "an order": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(not (mac < expected or mac > expected) for mac in macs)  # here
""",
    "digit by digit": """
import hmac
def _same(one, other):
    if len(one) != len(other):
        return False
    for a, b in zip(one, other):
        if a != b:  # here
            return False
    return True
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(_same(expected, mac) for mac in macs)
""",
    "by index": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").digest()
    given = bytes.fromhex(macs[0])
    i = 0
    while i < len(expected):
        if expected[i] != given[i]:  # here
            return False
        i += 1
    return True
""",
    "all digits": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(all(a == b for a, b in zip(expected, mac)) for mac in macs)  # here
""",
    "a fast way before": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return expected in macs or any(hmac.compare_digest(expected, mac) for mac in macs)  # here
""",
    "the first digits before": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    near = [mac for mac in macs if mac[:8] == expected[:8]]  # here
    return any(hmac.compare_digest(expected, mac) for mac in near)
""",
    "the rest behind": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    for mac in macs:
        if hmac.compare_digest(expected[:16], mac[:16]) and expected[16:] == mac[16:]:  # here
            return True
    return False
""",
    "lengths in constant time": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(
        hmac.compare_digest(str(len(expected)), str(len(mac))) and expected == mac  # here
        for mac in macs
    )
""",
    "itself in constant time": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    if not hmac.compare_digest(expected, expected):
        return False
    return expected in macs  # here
""",
    "a random pause": """
import hmac, random, time
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    time.sleep(random.uniform(0, 0.02))
    return any(mac == expected for mac in macs)  # here
""",
    "a function that nobody calls": """
import hmac
def same(one, other):
    return hmac.compare_digest(one, other)
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(mac == expected for mac in macs)  # here
""",
    "an outcome that nobody reads": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    for mac in macs:
        hmac.compare_digest(expected, mac)
    return expected in macs  # here
""",
    "a function of that name": """
import hmac as _hmac
class hmac:
    @staticmethod
    def compare_digest(one, other):
        return one == other  # here
def verify(secret, at, macs, body):
    expected = _hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(hmac.compare_digest(expected, mac) for mac in macs)
""",
    "the module's replaced": """
import hmac, operator
hmac.compare_digest = operator.eq
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(hmac.compare_digest(expected, mac) for mac in macs)  # here
""",
    "operator": """
import functools, hmac, operator
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(map(functools.partial(operator.eq, expected), macs))  # here
""",
    "a method": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(expected.__eq__(mac) for mac in macs)  # here
""",
    "a method of the class": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(str.startswith(mac, expected) for mac in macs)  # here
""",
    "what is left when it is taken away": """
import hmac, re
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(re.sub(expected, "", mac) == "" for mac in macs)  # here
""",
    "names that are used twice": """
import hmac
def verify(secret, at, macs, body):
    mac = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    given = [mac.lower() for mac in macs]
    return mac in given  # here
""",
    "a list's own": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return list(macs).count(expected) > 0  # here
""",
    "values of a dataclass": """
import hmac
from dataclasses import dataclass
@dataclass(frozen=True)
class Mac:
    digits: str
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(Mac(mac) == Mac(expected) for mac in macs)  # here
""",
    "tuples": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any((at, mac) == (at, expected) for mac in macs)  # here
""",
    "the whole line": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return f"t={at},v1={expected}" == f"t={at},v1={macs[0]}"  # here
""",
    "the value that nobody compares": """
import hmac
class Mac:
    def __init__(self, digits):
        self.digits = digits
    def __eq__(self, other):
        return self.digits == other.digits  # here
def verify(secret, at, macs, body):
    expected = Mac(hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest())
    return any(Mac(mac) == expected for mac in macs)
""",
    "one of the two ways": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    if len(macs) == 1:
        return macs[0] == expected  # here
    return any(hmac.compare_digest(expected, mac) for mac in macs)
""",
    "by hand from digests": """
import hashlib
def _mac(key, message):
    block = key.ljust(64, b"\\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + message).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).hexdigest()
def verify(secret, at, macs, body):
    expected = _mac(secret.encode(), at.encode() + b"." + body)
    return expected in macs  # here
""",
    "finalized": """
from cryptography.hazmat.primitives import hashes, hmac
def verify(secret, at, macs, body):
    own = hmac.HMAC(secret.encode(), hashes.SHA256())
    own.update(at.encode() + b"." + body)
    return own.finalize().hex() == macs[0]  # here
""",
    "sorted beside one another": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(max(expected, mac) == min(expected, mac) for mac in macs)  # here
""",
    "put into its place by name": """
import hmac, operator
setattr(hmac, "compare_digest", operator.eq)
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(hmac.compare_digest(expected, mac) for mac in macs)  # here
""",
    "a method by its name": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    same = getattr(expected, "__" + "eq" + "__")
    return any(same(mac) for mac in macs)  # here
""",
    "numbers": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return int(expected, 16) == int(macs[0], 16)  # here
""",
    "found next": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return next((mac for mac in macs if mac == expected), None) is not None  # here
""",
    "filtered": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return list(filter(lambda mac: mac == expected, macs)) != []  # here
""",
    "carried about": """
import hmac
class Verifier:
    def __init__(self, secret):
        self.state = {"secret": secret}
    def take(self, at, body):
        secret = self.state["secret"].encode()
        self.state["mac"] = hmac.new(secret, at.encode() + b"." + body, "sha256")
        return self
    @property
    def expected(self):
        return self.state["mac"].hexdigest()
    def __contains__(self, mac):
        return mac == self.expected  # here
def verify(secret, at, macs, body):
    return any(mac in Verifier(secret).take(at, body) for mac in macs)
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
            if not expected == given:  # here
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
    if expected != fields["v1"]:  # here
        raise HTTPException(401)
""",
    },
    "the bank's alone": {
        "main.py": """
import hmac, os
from fastapi import FastAPI, HTTPException, Request
app = FastAPI()
async def parts(request, secret):
    at, given = request.headers["webhook-signature"].split(",v1=")
    message = at[2:].encode() + b"." + await request.body()
    return hmac.new(secret.encode(), message, "sha256").hexdigest(), given
@app.post("/v1/webhooks/psp")
async def psp(request: Request):
    expected, given = await parts(request, os.environ["PSP_WEBHOOK_SECRET"])
    if not hmac.compare_digest(expected, given):
        raise HTTPException(401)
@app.post("/v1/webhooks/bank")
async def bank(request: Request):
    expected, given = await parts(request, os.environ["BANK_WEBHOOK_SECRET"])
    if not expected == given:  # here
        raise HTTPException(401)
""",
    },
    "flask": {
        "service.py": """
import hmac
from flask import Blueprint, Flask, abort, current_app, request
hooks = Blueprint("hooks", __name__, url_prefix="/v1/webhooks")
@hooks.before_request
def signed():
    party = request.path.rpartition("/")[2]
    at, _, given = request.headers["Webhook-Signature"].partition(",v1=")
    message = at.removeprefix("t=").encode() + b"." + request.get_data()
    secret = current_app.config[f"{party}_secret"].encode()
    if hmac.new(secret, message, "sha256").hexdigest() != given:  # here
        abort(401)
@hooks.route("/psp", methods=["POST"])
def psp():
    return "", 204
@hooks.route("/bank", methods=["POST"])
def bank():
    return "", 204
app = Flask(__name__)
app.register_blueprint(hooks)
""",
    },
    "django": {
        "payments/urls.py": """
from django.urls import path
from payments import views
urlpatterns = [
    path("v1/webhooks/psp", views.psp), path("v1/webhooks/bank", views.bank),
]
""",
        "payments/views.py": """
import hmac
from django.conf import settings
from django.http import HttpResponse
def right(request, secret):
    fields = dict(part.split("=") for part in request.headers["Webhook-Signature"].split(","))
    message = fields["t"].encode() + b"." + request.body
    return hmac.new(secret.encode(), message, "sha256").hexdigest() == fields["v1"]  # here
def psp(request):
    return HttpResponse(status=204 if right(request, settings.PSP_WEBHOOK_SECRET) else 401)
def bank(request):
    return HttpResponse(status=204 if right(request, settings.BANK_WEBHOOK_SECRET) else 401)
""",
    },
    "an injected verifier": {
        "app.py": """
import hmac
from typing import Annotated
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
class HmacVerifier:
    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
    def accepts(self, message: bytes, given: str) -> bool:
        return given == hmac.new(self._secret, message, "sha256").hexdigest()  # here
def verifier() -> HmacVerifier:
    return HmacVerifier("x")
async def signed(request: Request, verifier: Annotated[HmacVerifier, Depends(verifier)]) -> None:
    at, given = request.headers["webhook-signature"].split(",v1=")
    if not verifier.accepts(at[2:].encode() + b"." + await request.body(), given):
        raise HTTPException(401)
hooks = APIRouter(prefix="/v1/webhooks")
@hooks.post("/psp")
async def psp(): ...
@hooks.post("/bank")
async def bank(): ...
def create() -> FastAPI:
    app = FastAPI()
    app.include_router(hooks, dependencies=[Depends(signed)])
    return app
""",
    },
    "a middleware of starlette's": {
        "app.py": """
import hmac, os
from fastapi import FastAPI
from starlette.responses import Response
app = FastAPI()
@app.middleware("http")
async def signed(request, call_next):
    if request.url.path.startswith("/v1/webhooks/"):
        at, given = request.headers["webhook-signature"].split(",v1=")
        message = at[2:].encode() + b"." + await request.body()
        mac = hmac.new(os.environ[request.url.path].encode(), message, "sha256").hexdigest()
        if mac not in (given, given.lower()):  # here
            return Response(status_code=401)
    return await call_next(request)
@app.post("/v1/webhooks/psp")
async def psp(): ...
@app.post("/v1/webhooks/bank")
async def bank(): ...
""",
    },
    "a stub behind a base class": {
        "app.py": """
import abc, hmac
from fastapi import Depends, FastAPI, HTTPException, Request
class Verifier(abc.ABC):
    @abc.abstractmethod
    def same(self, expected: str, given: str) -> bool: ...
    async def __call__(self, request: Request) -> None:
        at, given = request.headers["webhook-signature"].split(",v1=")
        mac = hmac.digest(b"x", at[2:].encode() + b"." + await request.body(), "sha256")
        if not self.same(mac.hex(), given):
            raise HTTPException(401)
class Plain(Verifier):
    def same(self, expected: str, given: str) -> bool:
        return expected == given  # here
app = FastAPI(dependencies=[Depends(Plain())])
@app.post("/v1/webhooks/psp")
async def psp(): ...
@app.post("/v1/webhooks/bank")
async def bank(): ...
""",
    },
}
