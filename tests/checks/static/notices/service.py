"""A service whose signatures are verified by a module of its own, ``signatures.py``."""

from __future__ import annotations

import textwrap

APP = """
import os
import re
import time
from inspect import isawaitable
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from signatures import verify

router = APIRouter(prefix="/v1/webhooks")
_MAC = re.compile("v1=([0-9a-fA-F]{64})")

async def signed(request: Request, webhook_signature: str | None = Header(None)) -> None:
    party = request.url.path.rpartition("/")[2]
    secret = os.environ.get(f"{party.upper()}_WEBHOOK_SECRET", "")
    parts = [part.strip() for part in (webhook_signature or "").split(",")]
    times = [part[2:] for part in parts if part.startswith("t=")]
    macs = [found[1] for part in parts if (found := _MAC.fullmatch(part))]
    if not secret or len(times) != 1 or abs(time.time() - int(times[0])) > 300:
        raise HTTPException(401)
    right = verify(secret, times[0], macs, await request.body())
    if isawaitable(right):
        right = await right
    if not right:
        raise HTTPException(401)

@router.post("/psp", status_code=204, dependencies=[Depends(signed)])
async def psp(notice: dict) -> None:
    pass

@router.post("/bank", status_code=204, dependencies=[Depends(signed)])
async def bank(notice: dict) -> None:
    pass

def create_app() -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    return app
"""


def service(signatures: str) -> dict[str, str]:
    """The files of a service with these signatures."""
    return {"app.py": APP, "signatures.py": textwrap.dedent(signatures)}
