"""Metrics over HTTP."""

from fastapi import APIRouter, Response

from payments.dependencies import ContextOf
from payments.telemetry.metrics import MEDIA_TYPE

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(context: ContextOf) -> Response:
    """The metrics of this process."""
    return Response(context.telemetry.metrics.text(), media_type=MEDIA_TYPE)
