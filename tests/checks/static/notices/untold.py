"""Signatures of which the source does not tell how they are compared, or not for certain."""

from __future__ import annotations

#: Bodies of ``signatures.py``, which ``app.py`` of ``tests.checks.static.notices.service`` calls.
SIGNATURES = {
    "nothing is compared": """
def verify(secret, at, macs, body):
    return True
""",
    "another package's": """
import hmac
from fastmac import same
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(same(expected, mac) for mac in macs)
""",
    "another package's, beside the right one": """
import hmac
from fastmac import same
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    if any(same(expected, mac) for mac in macs):
        return True
    return any(hmac.compare_digest(expected, mac) for mac in macs)
""",
    "the database's": """
import hmac
from sqlalchemy import create_engine, text
engine = create_engine("postgresql://")
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    with engine.connect() as connection:
        row = connection.execute(text("SELECT :a = ANY(:b)"), {"a": expected, "b": macs})
        return row.scalar()
""",
    "code from text": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    if eval("expected in macs"):
        return True
    return any(hmac.compare_digest(expected, mac) for mac in macs)
""",
    "names from text": """
import hmac
globals()["same"] = hmac.compare_digest
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(hmac.compare_digest(expected, mac) for mac in macs)
""",
    "a name that nobody knows": """
import hmac
from fastmac import *
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(same(expected, mac) and hmac.compare_digest(expected, mac) for mac in macs)
""",
    "a call that is put off": """
import hmac, operator
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    if operator.methodcaller("__eq__", macs[0])(expected):
        return True
    return any(hmac.compare_digest(expected, mac) for mac in macs)
""",
    "digests without a key": """
import hashlib, hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    ours = hashlib.sha256(expected.encode()).digest()
    return any(hashlib.sha256(mac.encode()).digest() == ours for mac in macs)
""",
    "blinded by what all know": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    ours = hmac.digest(b"blind", expected.encode(), "sha256")
    return any(hmac.digest(b"blind", mac.encode(), "sha256") == ours for mac in macs)
""",
    "the first digits alone": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(hmac.compare_digest(expected[:16], mac[:16]) for mac in macs)
""",
    "digit by digit, each in constant time": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(
        all(hmac.compare_digest(a, b) for a, b in zip(expected, mac)) for mac in macs
    )
""",
    "a loop that ends at a difference": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").digest()
    for a, b in zip(expected, bytes.fromhex(macs[0])):
        if a ^ b:
            return False
    return True
""",
    "any difference": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").digest()
    return not any(a ^ b for a, b in zip(expected, bytes.fromhex(macs[0])))
""",
    "itself alone": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return hmac.compare_digest(expected, expected)
""",
    "an outcome that nobody reads": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    right = hmac.compare_digest(expected, macs[0])
    return len(macs) == 1
""",
    "a MAC of something else": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode(), "sha256").hexdigest()
    return expected in macs
""",
    "a stored value": """
import hmac
from storage import load
def verify(secret, at, macs, body):
    fingerprint = hmac.new(b"prints", body, "sha256").hexdigest()
    if load("last") == fingerprint:
        return False
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(hmac.compare_digest(expected, mac) for mac in macs)
""",
    "a module that does not parse": """
from broken import same
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(same(expected, mac) for mac in macs)
""",
    "without end": """
import hmac
def verify(secret, at, macs, body):
    return verify(secret, at, macs, body)
""",
    "among a set": """
import hmac
def verify(secret, at, macs, body):
    message = at.encode() + b"." + body
    ours = {hmac.new(one.encode(), message, "sha256").hexdigest() for one in (secret, "old")}
    return any(mac in ours for mac in macs)
""",
    "sets that meet": """
import hmac
def verify(secret, at, macs, body):
    ours = {hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()}
    return bool(ours & set(macs))
""",
    "sets without one another": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return not {expected}.isdisjoint(macs)
""",
    "a key of a dictionary": """
import hmac
def verify(secret, at, macs, body):
    known = {hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest(): True}
    return any(known.get(mac, False) for mac in macs)
""",
    "a set of one": """
import hmac
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(len({expected, mac}) == 1 for mac in macs)
""",
    "chosen among many": """
import hmac
SCHEMES = {}
def scheme(name):
    def keep(function):
        SCHEMES[name] = function
        return function
    return keep
scheme("v0")(lambda a, b: hmac.compare_digest(a, b))
scheme("v1")(lambda a, b: hmac.compare_digest(a, b))
scheme("v2")(lambda a, b: hmac.compare_digest(a, b))
scheme("v3")(lambda a, b: hmac.compare_digest(a, b))
scheme("v4")(lambda a, b: hmac.compare_digest(a, b))
scheme("v5")(lambda a, b: hmac.compare_digest(a, b))
scheme("v6")(lambda a, b: hmac.compare_digest(a, b))
scheme("v7")(lambda a, b: hmac.compare_digest(a, b))
scheme("v8")(lambda a, b: hmac.compare_digest(a, b))
scheme("v9")(lambda a, b: hmac.compare_digest(a, b))
scheme("v10")(lambda a, b: hmac.compare_digest(a, b))
scheme("v11")(lambda a, b: hmac.compare_digest(a, b))
scheme("v12")(lambda a, b: hmac.compare_digest(a, b))
scheme("v13")(lambda a, b: hmac.compare_digest(a, b))
scheme("v14")(lambda a, b: hmac.compare_digest(a, b))
scheme("v15")(lambda a, b: hmac.compare_digest(a, b))
scheme("v16")(lambda a, b: hmac.compare_digest(a, b))
scheme("v17")(lambda a, b: hmac.compare_digest(a, b))
scheme("v18")(lambda a, b: hmac.compare_digest(a, b))
scheme("v19")(lambda a, b: hmac.compare_digest(a, b))
scheme("v20")(lambda a, b: hmac.compare_digest(a, b))
scheme("v21")(lambda a, b: hmac.compare_digest(a, b))
scheme("v22")(lambda a, b: hmac.compare_digest(a, b))
scheme("v23")(lambda a, b: hmac.compare_digest(a, b))
scheme("v24")(lambda a, b: hmac.compare_digest(a, b))
scheme("v25")(lambda a, b: hmac.compare_digest(a, b))
scheme("v26")(lambda a, b: hmac.compare_digest(a, b))
scheme("v27")(lambda a, b: hmac.compare_digest(a, b))
scheme("v28")(lambda a, b: hmac.compare_digest(a, b))
scheme("v29")(lambda a, b: hmac.compare_digest(a, b))
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    return any(SCHEMES[name](expected, mac) for name, mac in macs)
""",
    "chosen by its name": """
import hmac, importlib, os
def verify(secret, at, macs, body):
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, "sha256").hexdigest()
    same = getattr(importlib.import_module(os.environ["COMPARISON"]), os.environ["FUNCTION"])
    return any(same(expected, mac) for mac in macs)
""",
}

#: Whole services: the text of each file by its path.
SERVICES = {
    "nothing at all": {},
    "nothing that is Python": {"setup.py": ""},
    "no path": {
        "app.py": """
import hmac
def verify(secret, body, given):
    return hmac.new(secret, body, "sha256").hexdigest() == given
""",
    },
    "the PSP's alone": {
        "app.py": """
import hmac, os
from fastapi import FastAPI, HTTPException, Request
app = FastAPI()
@app.post("/v1/webhooks/psp")
async def psp(request: Request):
    at, given = request.headers["webhook-signature"].split(",v1=")
    message = at[2:].encode() + b"." + await request.body()
    if not hmac.compare_digest(hmac.new(b"x", message, "sha256").hexdigest(), given):
        raise HTTPException(401)
@app.post("/v1/webhooks/bank")
async def bank(request: Request):
    pass
""",
    },
    "another path": {
        "app.py": """
import hmac, os
from fastapi import FastAPI, HTTPException, Request
app = FastAPI()
@app.get("/v1/webhooks/psp")
@app.post("/v1/settlements/psp")
async def psp(request: Request):
    at, given = request.headers["webhook-signature"].split(",v1=")
    message = at[2:].encode() + b"." + await request.body()
    if hmac.new(b"x", message, "sha256").hexdigest() != given:
        raise HTTPException(401)
""",
    },
    "a handler that cannot be followed": {
        "app.py": """
from fastapi import FastAPI
from hooks_of_another_package import handler
app = FastAPI()
app.add_api_route("/v1/webhooks/psp", handler("psp"), methods=["POST"])
app.add_api_route("/v1/webhooks/bank", handler("bank"), methods=["POST"])
""",
    },
    "modules that import one another": {
        "one.py": "from two import *\nfrom one import x\nx = y\n",
        "two.py": "from one import *\nimport two\ny = two.y\n",
        "__init__.py": "from . import one\nfrom .. import two\nfrom .... import three\n",
    },
}
