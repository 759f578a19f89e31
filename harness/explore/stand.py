"""A service behind the SQL proxy: started here, or running already, with its database.

What is started is the user's own, on the user's own machine: it is not confined. It is ended with
its whole process tree in every case, and a database of ours is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from checks.testbed.box import Scratch
from checks.testbed.control import Ending
from checks.testbed.control import Replica as Which
from checks.testbed.driving.stage import Stage
from checks.testbed.driving.threads import Process
from checks.testbed.errors import SubmissionError
from checks.testbed.host import DatabaseUpstream
from checks.testbed.ports import until_answering
from checks.testbed.service import READY_SECONDS, Replica, Web, patience
from checks.testbed.sql.proxy import Endpoint
from harness.errors import UsageError
from harness.explore.database import Access, open_database, set_up
from harness.explore.launching import PORT, Unconfined, settings_of, with_log
from harness.explore.placeholders import in_text
from harness.explore.spec import Running, Spec


@dataclass(frozen=True, slots=True)
class Stand:
    """The running service, as exploring takes it (``checks.ground.Ground``)."""

    urls: tuple[str, ...]
    access: Access
    driving: Stage
    started: tuple[Replica, ...] = ()

    @property
    def replicas(self) -> range:
        """The replicas' numbers."""
        return range(len(self.urls))

    @asynccontextmanager
    async def observer(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection to the database past the proxy, of one who sees all of its sessions."""
        connection = await asyncpg.connect(
            self.access.observer, server_settings={"application_name": ""}
        )
        try:
            yield connection
        finally:
            await connection.close()

    def endings(self) -> tuple[Ending, ...]:
        """The replicas that ended of their own accord."""
        return tuple(one.ending for one in self.started if one.ending is not None)


@asynccontextmanager
async def open_stand(spec: Spec, home: Path) -> AsyncIterator[Stand]:
    """Run the service of a specification that stands in the folder ``home``; all is ended with it.

    Raises ``UsageError`` where it does not start, or is not where it is said to run.
    """
    async with AsyncExitStack() as stack:
        began = asyncio.get_running_loop().time()
        access, held = await open_database(spec, stack)
        upstream = DatabaseUpstream(access.server)
        launcher = Unconfined(_folder(spec, home), held)
        await set_up(spec, home, access, launcher, began)
        if spec.service.running:
            ports: list[int] = [one.proxy_port for one in spec.service.running]
        else:
            ports = [0] * spec.replicas
        endpoints = []
        for number, port in enumerate(ports, 1):
            try:
                endpoint = await stack.enter_async_context(Endpoint(upstream, began, port))
            except OSError as error:
                raise UsageError(
                    f"service: running {number}: proxy_port: {port} is taken; choose another, for"
                    " the service too."
                ) from error
            endpoints.append(endpoint)
        if spec.service.running:
            await _await_running(spec)
            urls = tuple(one.url for one in spec.service.running)
            started: tuple[Replica, ...] = ()
        else:
            started = await _start(spec, access, launcher, endpoints, stack)
            urls = tuple(one.url for one in started)
        processes: dict[Which, Process] = {
            number: Process(endpoint, pid=_pid(started, number))
            for number, endpoint in enumerate(endpoints)
        }
        stage = Stage(access.observer, processes, began)
        stack.push_async_callback(stage.close)
        yield Stand(urls, access, stage, started)


def _folder(spec: Spec, home: Path) -> Path:
    folder = (home / spec.service.folder).resolve()
    if not folder.is_dir():
        raise UsageError(f"service: folder: {folder} is no folder.")
    return folder


async def _start(
    spec: Spec,
    access: Access,
    launcher: Unconfined,
    endpoints: Sequence[Endpoint],
    stack: AsyncExitStack,
) -> tuple[Replica, ...]:
    replicas = []
    for number, endpoint in enumerate(endpoints):
        told = {**access.told(endpoint.port), "port": PORT}
        web = Web(
            tuple(in_text(word, told) for word in spec.service.start),
            spec.service.ready,
            settings_of(spec, told),
            (),
        )
        replica = Replica(launcher, Scratch(launcher.folder, None), web, number)
        replicas.append(replica)
        stack.callback(replica.give_port_back)
        stack.push_async_callback(replica.kill)
    starting = [asyncio.create_task(replica.start()) for replica in replicas]
    try:
        await asyncio.gather(*starting)
    except SubmissionError as error:
        raise UsageError(with_log(f"service: start: {error}", error.logs)) from error
    finally:
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
    return tuple(replicas)


async def _await_running(spec: Spec) -> None:
    async def answering(number: int, one: Running) -> None:
        parts = urlsplit(one.url)
        seconds = patience(READY_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                await until_answering(parts.port or 80, spec.service.ready)
        except TimeoutError:
            ready = spec.service.ready
            what = f"did not answer {ready} with 2xx" if ready else "did not listen"
            raise UsageError(
                f"service: running {number}: {one.url} {what} within {seconds:.0f} s."
            ) from None

    await asyncio.gather(
        *(answering(number, one) for number, one in enumerate(spec.service.running, 1))
    )


def _pid(started: Sequence[Replica], number: int) -> Callable[[], int | None]:
    return (lambda: started[number].pid) if started else (lambda: None)
