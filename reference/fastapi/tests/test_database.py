"""The database, when it goes away for a moment."""

import asyncio

import httpx
from sqlalchemy import text

from payments.app import create_app
from payments.dependencies import Context
from payments.kit.settings import Settings
from testkit.api import new_merchant

ENDED = text(
    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
    " WHERE application_name = 'payments' AND pid <> pg_backend_pid() AND state = 'idle'"
)


async def test_connections_that_the_server_has_closed_are_replaced(
    settings: Settings, context: Context
) -> None:
    app = create_app(settings)
    pool = app.state.context.database._engine.pool
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://payments"
    ) as http:
        merchant = await new_merchant(http)
        await asyncio.gather(*(merchant.get("/v1/accounts") for _ in range(8)))
        assert pool.checkedin() > 1
        async with context.database.unit_of_work() as uow:
            assert await uow.session.scalar(ENDED)
        answers = await asyncio.gather(*(merchant.get("/v1/accounts") for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
    await app.state.context.close()
