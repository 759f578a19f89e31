"""A replica in this process, configured otherwise than the ones that tests share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from payments.app import create_app
from payments.dependencies import Context
from payments.kit.settings import Settings


@asynccontextmanager
async def replica(
    settings: Settings, **changes: object
) -> AsyncIterator[tuple[httpx.AsyncClient, Context]]:
    """The replica, and its parts."""
    app = create_app(settings.model_copy(update=changes))
    context: Context = app.state.context
    transport = httpx.ASGITransport(app)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://payments") as http:
            yield http, context
    finally:
        await context.close()
