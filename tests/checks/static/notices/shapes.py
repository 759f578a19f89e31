"""Services of many shapes, each with one place, ``SAME``, where a signature is compared.

``SAME(expected, given)`` stands for the comparison; the test puts one that takes constant time in
its place, and others that do not.
"""

from __future__ import annotations

ENDPOINTS = """
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from signed import signed
hooks = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
@hooks.post("/psp", dependencies=[Depends(signed)])
async def psp(): ...
@hooks.post("/bank", dependencies=[Depends(signed)])
async def bank(): ...
def create() -> FastAPI:
    app = FastAPI()
    app.include_router(hooks)
    return app
"""

#: Bodies of ``signed.py``, whose ``signed`` the endpoints depend on.
DEPENDENCIES = {
    "dependencies of dependencies": """
import hmac
from typing import Annotated
from fastapi import Depends, Header, HTTPException, Request
async def raw(request: Request) -> bytes:
    return await request.body()
Raw = Annotated[bytes, Depends(raw)]
async def parts(webhook_signature: Annotated[str, Header()]) -> dict[str, str]:
    return dict(part.split("=", 1) for part in webhook_signature.split(","))
Parts = Annotated[dict[str, str], Depends(parts)]
async def signed(body: Raw, parts: Parts) -> None:
    expected = hmac.new(b"x", f"{parts['t']}.".encode() + body, "sha256").hexdigest()
    given = parts["v1"]
    if not SAME(expected, given):
        raise HTTPException(401)
""",
    "a parsed header": """
import hmac, re
from dataclasses import dataclass, field
from fastapi import HTTPException, Request
@dataclass
class Signature:
    at: str = ""
    macs: list[str] = field(default_factory=list)
    @classmethod
    def parse(cls, header: str) -> "Signature":
        made = cls()
        for part in header.split(","):
            name, _, value = part.strip().partition("=")
            if name == "t":
                made.at = value
            elif name == "v1":
                made.macs.append(value)
        return made
    def is_of(self, secret: bytes, body: bytes) -> bool:
        expected = hmac.new(secret, self.at.encode() + b"." + body, "sha256").hexdigest()
        return any(SAME(expected, given) for given in self.macs)
async def signed(request: Request) -> None:
    signature = Signature.parse(request.headers.get("webhook-signature", ""))
    if not signature.is_of(b"x", await request.body()):
        raise HTTPException(401)
""",
    "a model of pydantic's": """
import hmac
from fastapi import HTTPException, Request
from pydantic import BaseModel
class Signature(BaseModel):
    t: int
    v1: str
async def signed(request: Request) -> None:
    header = request.headers["webhook-signature"]
    signature = Signature(**dict(part.split("=") for part in header.split(",")))
    message = str(signature.t).encode() + b"." + await request.body()
    expected = hmac.new(b"x", message, "sha256").hexdigest()
    if not SAME(expected, signature.v1):
        raise HTTPException(401)
""",
    "named groups": """
import hmac, re
from fastapi import HTTPException, Request
LINE = re.compile(r"t=(?P<at>[0-9]+),v1=(?P<mac>[0-9a-f]{64})")
async def signed(request: Request) -> None:
    if (found := LINE.fullmatch(request.headers.get("webhook-signature", ""))) is None:
        raise HTTPException(401)
    mac = hmac.new(b"x", digestmod="sha256")
    for part in (found["at"].encode(), b".", await request.body()):
        mac.update(part)
    if SAME(mac.hexdigest(), found.group("mac")):
        return
    raise HTTPException(401)
""",
    "a generator of signatures": """
import hmac
from collections.abc import Iterator
from fastapi import HTTPException, Request
def given(header: str) -> Iterator[str]:
    for part in header.split(","):
        if part.startswith("v1="):
            yield part[3:]
async def signed(request: Request) -> None:
    header = request.headers["webhook-signature"]
    at = header.partition(",")[0][2:]
    expected = hmac.digest(b"x", at.encode() + b"." + await request.body(), "sha256").hex()
    for one in given(header):
        if SAME(expected, one):
            break
    else:
        raise HTTPException(401)
""",
    "keys that are exchanged": """
import hmac, os
from functools import lru_cache
from fastapi import HTTPException, Request
@lru_cache
def keys() -> tuple[bytes, ...]:
    return tuple(os.environ["SECRETS"].encode().split(b","))
async def signed(request: Request) -> None:
    at, _, one = request.headers["webhook-signature"].partition(",v1=")
    message = at[2:].encode() + b"." + await request.body()
    macs = [hmac.new(key, message, "sha256").hexdigest() for key in keys()]
    if not [mac for mac in macs if SAME(mac, one)]:
        raise HTTPException(401)
""",
    "a context manager": """
import contextlib, hmac
from fastapi import HTTPException, Request
@contextlib.asynccontextmanager
async def verified(request):
    body = await request.body()
    at, one = request.headers["webhook-signature"].split(",v1=")
    if not SAME(hmac.digest(b"x", at[2:].encode() + b"." + body, "sha256").hex(), one):
        raise HTTPException(401)
    yield body
async def signed(request: Request):
    async with verified(request) as body:
        yield body
""",
    "a strategy by name": """
import hmac
from fastapi import HTTPException, Request
def v1(secret, message, given):
    return SAME(hmac.new(secret, message, "sha256").hexdigest(), given)
def none(secret, message, given):
    return False
SCHEMES = {"v1": v1, "v0": none}
async def signed(request: Request) -> None:
    at, scheme, one = request.headers["webhook-signature"].replace("=", ",").split(",")[1:]
    message = at.encode() + b"." + await request.body()
    if not SCHEMES.get(scheme, none)(b"x", message, one):
        raise HTTPException(401)
""",
    "what is raised and caught": """
import hmac, logging
from fastapi import HTTPException, Request
log = logging.getLogger(__name__)
class Forged(Exception):
    pass
def check(message: bytes, given: str) -> None:
    expected = hmac.new(b"x", message, "sha256").hexdigest()
    log.debug("signature", extra={"expected": expected, "given": given})
    if not SAME(expected, given):
        raise Forged(given)
async def signed(request: Request) -> None:
    try:
        at, one = request.headers["webhook-signature"].split(",v1=")
        check(at[2:].encode() + b"." + await request.body(), one)
    except (KeyError, ValueError, Forged) as error:
        raise HTTPException(401) from error
""",
    "state of the request": """
import hmac
from fastapi import HTTPException, Request
async def _read(request):
    request.state.raw = await request.body()
    request.state.at, request.state.mac = request.headers["webhook-signature"].split(",v1=")
async def signed(request: Request) -> None:
    await _read(request)
    message = request.state.at[2:].encode() + b"." + request.state.raw
    if not SAME(hmac.new(b"x", message, "sha256").hexdigest(), request.state.mac):
        raise HTTPException(401)
""",
    "a closure made once": """
import hmac
from fastapi import HTTPException, Request
def verifier(secret):
    base = hmac.new(secret, digestmod="sha256")
    def verify(message, given):
        mac = base.copy()
        mac.update(message)
        return SAME(mac.hexdigest(), given)
    return verify
VERIFY = verifier(b"x")
async def signed(request: Request) -> None:
    at, one = request.headers["webhook-signature"].split(",v1=")
    if not VERIFY(at[2:].encode() + b"." + await request.body(), one):
        raise HTTPException(401)
""",
    "a base class and its parts": """
import hmac
from abc import ABC, abstractmethod
from fastapi import HTTPException, Request
class Scheme(ABC):
    @abstractmethod
    def message(self, at: str, body: bytes) -> bytes: ...
    def verify(self, at: str, body: bytes, given: str) -> bool:
        expected = self._sign(self.message(at, body))
        return SAME(expected, given)
    def _sign(self, message: bytes) -> str:
        return hmac.new(self.secret, message, "sha256").hexdigest()
class Dotted(Scheme):
    def __init__(self, secret: bytes) -> None:
        self.secret = secret
    def message(self, at: str, body: bytes) -> bytes:
        return at.encode() + b"." + body
SCHEME: Scheme = Dotted(b"x")
async def signed(request: Request) -> None:
    at, one = request.headers["webhook-signature"].split(",v1=")
    if not SCHEME.verify(at[2:], await request.body(), one):
        raise HTTPException(401)
""",
    "nested functions and nonlocal": """
import hmac
from fastapi import HTTPException, Request
async def signed(request: Request) -> None:
    expected = given = None
    async def load():
        nonlocal expected, given
        at, given = request.headers["webhook-signature"].split(",v1=")
        message = at[2:].encode() + b"." + await request.body()
        expected = hmac.new(b"x", message, "sha256").hexdigest()
    await load()
    if expected is None or given is None or not SAME(expected, given):
        raise HTTPException(401)
""",
    "streamed": """
import hmac
from fastapi import HTTPException, Request
async def signed(request: Request) -> None:
    at, one = request.headers["webhook-signature"].split(",v1=")
    mac = hmac.new(b"x", at[2:].encode() + b".", "sha256")
    async for chunk in request.stream():
        mac.update(chunk)
    outcome = {"right": SAME(mac.hexdigest(), one)}
    if not outcome["right"]:
        raise HTTPException(401)
""",
    "tasks": """
import asyncio, hmac
from concurrent.futures import ThreadPoolExecutor
from fastapi import HTTPException, Request
POOL = ThreadPoolExecutor(1)
def right(message, given):
    return SAME(hmac.new(b"x", message, "sha256").hexdigest(), given)
async def signed(request: Request) -> None:
    at, one = request.headers["webhook-signature"].split(",v1=")
    message = at[2:].encode() + b"." + await request.body()
    loop = asyncio.get_running_loop()
    (outcome,) = await asyncio.gather(loop.run_in_executor(POOL, right, message, one))
    if not outcome:
        raise HTTPException(401)
""",
    "an enumeration of parties": """
import enum, hmac, os
from fastapi import HTTPException, Request
class Party(enum.Enum):
    PSP = "psp"
    BANK = "bank"
    @property
    def secret(self) -> bytes:
        return os.environ[f"{self.name}_WEBHOOK_SECRET"].encode()
    def right(self, message: bytes, given: str) -> bool:
        return SAME(hmac.new(self.secret, message, "sha256").hexdigest(), given)
async def signed(request: Request) -> None:
    party = Party(request.url.path.rpartition("/")[2])
    at, one = request.headers["webhook-signature"].split(",v1=")
    if not party.right(at[2:].encode() + b"." + await request.body(), one):
        raise HTTPException(401)
""",
}

#: Comparisons: whether each takes constant time.
COMPARISONS = {
    "hmac.compare_digest({0}, {1})": "constant",
    "hmac.compare_digest({1}, {0})": "constant",
    "({0} == {1})": "variable",
    "(not {1} != {0})": "variable",
    "({0} in [{1}])": "variable",
    "{1}.startswith({0})": "variable",
}
