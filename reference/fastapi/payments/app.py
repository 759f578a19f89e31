"""The web application."""

import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from payments.access.endpoints import router as access
from payments.accounts.endpoints import router as accounts
from payments.audit.endpoints import router as audit
from payments.dependencies import build_context
from payments.deposits.endpoints import router as deposits
from payments.events.endpoints import router as events
from payments.health.endpoints import router as health
from payments.kit import problems
from payments.kit.http import JsonBody, RequestLog
from payments.kit.logging import configure
from payments.kit.settings import Settings, SettingsError
from payments.payments.endpoints import router as payments
from payments.payouts.endpoints import router as payouts
from payments.quotes.endpoints import router as quotes
from payments.refunds.endpoints import router as refunds
from payments.settlements.endpoints import router as settlements
from payments.telemetry.endpoints import router as metrics
from payments.transfers.endpoints import router as transfers
from payments.webhook_endpoints.endpoints import router as webhook_endpoints
from payments.webhooks.endpoints import router as webhooks

DATABASE_CONNECTIONS = 10


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application, from the environment unless settings are given."""
    try:
        settings = settings or Settings.from_environment(os.environ)
        context = build_context(settings, connections=DATABASE_CONNECTIONS)
    except SettingsError as error:
        sys.exit(str(error))
    configure(settings.log_level)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await context.close()

    app = FastAPI(
        title="Payments",
        version="1.0.0",
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=context.telemetry.of_requests(),
    )
    app.state.context = context
    app.add_middleware(JsonBody)
    app.add_middleware(RequestLog, count=context.telemetry.metrics.request)
    routers = (
        access,
        accounts,
        deposits,
        transfers,
        payments,
        refunds,
        quotes,
        payouts,
        events,
        webhook_endpoints,
        webhooks,
        settlements,
        audit,
        health,
        metrics,
    )
    for router in routers:
        app.include_router(router)
    problems.install(app, [route for router in routers for route in router.routes])
    context.telemetry.install(app)
    gc.freeze()
    return app
