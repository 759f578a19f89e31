"""The worker: settles what requests left open, and tells of events. Several copies may run.

Run as ``python -m payments.worker``; ends promptly on SIGTERM and SIGINT.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter

from sqlalchemy.exc import DBAPIError

from payments.dependencies import Context, build_context
from payments.events import relay
from payments.idempotency import expiry
from payments.kit.database import BusyError
from payments.kit.logging import configure, logger
from payments.kit.settings import Settings, SettingsError
from payments.operations import reconciliation
from payments.payouts import submission
from payments.settlements import service as settlements
from payments.telemetry.measurement import Measurement
from payments.webhook_endpoints import delivery

DATABASE_CONNECTIONS = 5


@dataclass(frozen=True, slots=True)
class Job:
    """``do`` does some of what is due, and gives how much it was where there may be more.

    After that it waits so many seconds.
    """

    do: Callable[[Context], Awaitable[int | None]]
    pause: Callable[[Settings], float] = attrgetter("reconcile_interval_seconds")


JOBS = (
    Job(reconciliation.of_due),
    Job(submission.of_due),
    Job(relay.of_due, attrgetter("publish_interval_seconds")),
    Job(delivery.of_due, attrgetter("publish_interval_seconds")),
    Job(settlements.of_due, attrgetter("settlement_interval_seconds")),
    Job(expiry.forget_expired),
)


async def work(context: Context, stop: asyncio.Event) -> None:
    """Do what is due, again and again until told to stop; no job waits for another's party."""
    await asyncio.gather(*(_repeat(job, context, stop) for job in (*JOBS, *_measuring(context))))


def _measuring(context: Context) -> tuple[Job, ...]:
    """The job of telling metrics, where they are asked for.

    Raises:
        SettingsError: there is no listening at that address.
    """
    host, port = context.settings.metrics_host, context.settings.metrics_port
    if not port:
        return ()
    try:
        context.telemetry.metrics.serve(host, port)
    except OSError as error:
        raise SettingsError(f"METRICS_PORT: no listening at {host}:{port}: {error}") from None
    measurement = Measurement(context.telemetry.metrics)
    return (Job(measurement.take, attrgetter("metrics_interval_seconds")),)


async def _repeat(job: Job, context: Context, stop: asyncio.Event) -> None:
    while not stop.is_set():
        found = None
        try:
            found = await job.do(context)
        except (BusyError, DBAPIError, OSError):
            logger().warning("worker_database_unavailable", exc_info=True)
        if not found:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), job.pause(context.settings))


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
    if isinstance(results[0], SettingsError):
        raise results[0]
    if isinstance(results[0], Exception):
        logger().error("worker_failed", exc_info=results[0])
        sys.exit(1)
    logger().info("worker_stopped")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except SettingsError as error:
        sys.exit(str(error))
