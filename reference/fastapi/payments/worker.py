"""The worker: settles what requests left open. Several copies may run.

Run as ``python -m payments.worker``; ends promptly on SIGTERM and SIGINT.
"""

import asyncio
import os
import signal
import sys
from contextlib import suppress

from sqlalchemy.exc import DBAPIError

from payments.dependencies import Context, build_context
from payments.idempotency import expiry
from payments.kit.database import BusyError
from payments.kit.logging import configure, logger
from payments.kit.settings import Settings, SettingsError
from payments.operations import reconciliation
from payments.payouts import submission

DATABASE_CONNECTIONS = 5


async def work(context: Context, stop: asyncio.Event) -> None:
    """Do what is due and forget expired keys, again and again until told to stop."""
    while not stop.is_set():
        full = False
        try:
            full = await reconciliation.of_due(context) == reconciliation.BATCH
            full |= await submission.of_due(context) == submission.BATCH
            await expiry.forget_expired(context)
        except (BusyError, DBAPIError, OSError):
            logger().warning("worker_database_unavailable", exc_info=True)
        if not full:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), context.settings.reconcile_interval_seconds)


async def main() -> None:
    """Work until a signal comes; what is under way then is left to the next holder."""
    settings = Settings.from_environment(os.environ)
    context = build_context(settings, connections=DATABASE_CONNECTIONS)
    configure(settings.log_level)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    logger().info("worker_started")

    working = asyncio.create_task(work(context, stop))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, stopping):
            task.cancel()
        results = await asyncio.gather(working, stopping, return_exceptions=True)
        await context.close()
    if isinstance(results[0], Exception):
        raise results[0]
    logger().info("worker_stopped")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except SettingsError as error:
        sys.exit(str(error))
