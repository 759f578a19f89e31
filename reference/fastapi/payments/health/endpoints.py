"""Health and readiness over HTTP."""

import asyncio
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError

from payments.dependencies import ContextOf
from payments.kit.database import BusyError
from payments.kit.problems import Problem, refusals

READY_SECONDS = 2

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """All is well."""

    status: Literal["ok"] = "ok"


@router.get("/healthz")
async def healthz() -> Health:
    """Whether the process serves."""
    return Health()


@router.get("/readyz", responses=refusals(503))
async def readyz(context: ContextOf) -> Health:
    """Whether the database answers, without which nothing else can."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await context.database.ping()
    except (BusyError, DBAPIError, TimeoutError, OSError):
        raise Problem(503, "not_ready", "The database does not answer.", retry_after=1) from None
    return Health()
