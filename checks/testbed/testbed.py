"""A testbed: everything started around one submission, and ended with it.

    async with Host.open(trusted=False) as host:
        async with Submission.prepare(host, folder) as submission:
            async with submission.testbed(settings={"FEE_BPS": "0"}) as testbed:
                testbed.replicas, testbed.simulators.psp.journal, ...

A ``Submission`` is prepared once: environment, build, migrated template database. Each of its
testbeds has a clone of that database, a role, replicas and a worker of its own, an endpoint of the
SQL proxy for each of these, and its own simulators.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from checks.evidence import LogTail
from checks.testbed.box import Box, Scratch
from checks.testbed.control import Ending
from checks.testbed.control import Replica as Which
from checks.testbed.credentials import Credentials
from checks.testbed.databases import Database
from checks.testbed.driving.stage import Stage
from checks.testbed.driving.threads import Process
from checks.testbed.environment import environment
from checks.testbed.errors import TestbedError
from checks.testbed.host import DatabaseUpstream, Host
from checks.testbed.lease import REPLICAS, Lease
from checks.testbed.manifest import Manifest, read_manifest
from checks.testbed.preparing import boxed, build, compile_python, migrate
from checks.testbed.service import (
    Replica,
    Web,
    Worker,
)
from checks.testbed.simulators import Simulators
from checks.testbed.sql.proxy import Endpoint

__all__ = ["Host", "Submission", "Testbed"]

#: ``PUBLIC_URL``, the tokens' issuer: one for all replicas, and no address of theirs.
PUBLIC_URL = "https://payments.test"


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission made ready: its environment, its built copy, its migrated database.

    ``folder`` is as it was handed in; what is built and run is a copy.
    """

    host: Host
    manifest: Manifest
    box: Box
    template: Database
    credentials: Credentials
    folder: Path

    @classmethod
    @asynccontextmanager
    async def prepare(cls, host: Host, folder: Path) -> AsyncIterator[Self]:
        """Make a submission's folder ready; nothing is written into it.

        Raises ``SubmissionError`` where it cannot be built or migrated, ``UsageError`` for packages
        that cannot be had.
        """
        manifest = read_manifest(folder)
        async with AsyncExitStack() as stack:
            provided = await environment(folder, manifest)
            box = await stack.enter_async_context(boxed(host, folder, provided))
            template = await host.databases.template()
            stack.push_async_callback(_drop, host, template)
            await build(box, manifest)
            await _together(compile_python(box), migrate(host, box, manifest, template))
            await host.databases.seal(template)
            yield cls(host, manifest, box, template, Credentials.fresh(), folder)

    @asynccontextmanager
    async def testbed(
        self,
        *,
        settings: Mapping[str, str] | None = None,
        worker: bool = True,
        replicas: int = REPLICAS,
    ) -> AsyncIterator[Testbed]:
        """A testbed of this submission, ready to be used; all of it is ended with the block.

        ``settings`` override the service's environment. Raises ``SubmissionError`` where the
        service does not get ready.
        """
        async with AsyncExitStack() as stack:
            testbed = await _lay_out(self, stack, dict(settings or {}), replicas)
            stack.push_async_callback(testbed.end)
            await _together(*(replica.start() for replica in testbed.replicas))
            if worker:
                await testbed.worker.start()
            yield testbed


@dataclass(frozen=True, slots=True)
class Testbed:
    """One running set: replicas, worker, database, SQL proxy endpoints and simulators.

    ``endpoints`` belong to the replicas in their order; ``worker_endpoint`` to the worker.
    """

    __test__: ClassVar[bool] = False

    submission: Submission
    database: Database
    replicas: tuple[Replica, ...]
    worker: Worker
    endpoints: tuple[Endpoint, ...]
    worker_endpoint: Endpoint
    simulators: Simulators
    stage: Stage
    settings: Mapping[str, str] = field(default_factory=dict)

    def endpoint(self, which: Which) -> Endpoint:
        """The SQL proxy's endpoint of a replica, or of the worker. Raises ``TestbedError``."""
        return self.worker_endpoint if which == "worker" else self.endpoints[self._known(which)]

    def replica(self, number: int) -> Replica:
        """A replica by its number. Raises ``TestbedError``."""
        return self.replicas[self._known(number)]

    def _known(self, number: int) -> int:
        if not 0 <= number < len(self.replicas):
            raise TestbedError(f"This testbed has no replica {number}.")
        return number

    async def logs(self) -> tuple[LogTail, ...]:
        """The end of what each process printed."""
        return tuple(await asyncio.gather(*(one.log() for one in self.replicas), self.worker.log()))

    def endings(self) -> tuple[Ending, ...]:
        """The processes that have ended of their own accord."""
        found = (*(replica.ending for replica in self.replicas), self.worker.ending)
        return tuple(ending for ending in found if ending is not None)

    def lease(self, name: str, kind: Literal["shared", "exclusive"], control: str) -> Lease:
        """What a check is handed to use it."""
        given = self.submission.credentials
        return Lease(
            id=name,
            kind=kind,
            replicas=tuple(replica.url for replica in self.replicas),
            control=control,
            observer_dsn=self.submission.host.server.dsn(self.database.name),
            admin_token=given.admin_token,
            jwt_public_key=given.jwt_public_key,
            jwt_private_key=given.jwt_private_key,
            public_url=PUBLIC_URL,
            psp_secret=self.simulators.psp_secret,
            bank_secret=self.simulators.bank_secret,
            receiver_port=self.simulators.receiver.port,
            receiver_tls_port=self.simulators.receiver.tls_port,
            settings=dict(self.settings),
            source=str(self.submission.folder),
        )

    async def end(self) -> None:
        """End every process; harmless when they have ended."""
        await asyncio.gather(
            *(replica.kill() for replica in self.replicas),
            self.worker.stop(),
            return_exceptions=True,
        )
        for replica in self.replicas:
            replica.give_port_back()


async def _lay_out(
    submission: Submission, stack: AsyncExitStack, settings: dict[str, str], replicas: int
) -> Testbed:
    """All that a testbed consists of, with no process of the service's started yet."""
    host, box = submission.host, submission.box
    database = await host.databases.clone(submission.template)
    stack.push_async_callback(_drop, host, database)
    began = asyncio.get_running_loop().time()
    simulators = await stack.enter_async_context(Simulators.open(replicas + 1))
    endpoints = [
        await stack.enter_async_context(Endpoint(DatabaseUpstream(host.server), began))
        for _ in range(replicas + 1)
    ]

    def environment_at(place: int, scratch: Scratch) -> dict[str, str]:
        return {
            "DATABASE_URL": database.url(endpoints[place].port),
            **simulators.environment(place, scratch.folder),
            "BROKER_URL": "",
            "ADMIN_TOKEN": submission.credentials.admin_token,
            "JWT_PRIVATE_KEY": submission.credentials.jwt_private_key,
            "PUBLIC_URL": PUBLIC_URL,
            **settings,
        }

    service = submission.manifest.service
    *scratches, scratch = (stack.enter_context(box.scratch()) for _ in range(replicas + 1))
    running = tuple(
        Replica(
            box,
            scratches[number],
            Web(
                service.web,
                service.ready,
                environment_at(number, scratches[number]),
                (endpoints[number].port, *simulators.ports),
            ),
            number,
        )
        for number in range(replicas)
    )
    stage = Stage(
        host.server.dsn(database.name),
        {
            **{
                number: Process(
                    endpoints[number],
                    simulators.lines(number),
                    _pid(replica),
                    replica.kill,
                )
                for number, replica in enumerate(running)
            },
            "worker": Process(endpoints[-1], simulators.lines(replicas)),
        },
        began,
    )
    stack.push_async_callback(stage.close)
    return Testbed(
        submission=submission,
        database=database,
        replicas=running,
        worker=Worker(
            box,
            scratch,
            service.worker,
            environment_at(replicas, scratch),
            (endpoints[-1].port, *simulators.ports),
        ),
        endpoints=tuple(endpoints[:-1]),
        worker_endpoint=endpoints[-1],
        simulators=simulators,
        stage=stage,
        settings=settings,
    )


def _pid(replica: Replica) -> Callable[[], int | None]:
    return lambda: replica.pid


async def _drop(host: Host, database: Database) -> None:
    await host.databases.drop(database)


async def _together(*starting: Coroutine[Any, Any, None]) -> None:
    """All at once; the first failure ends the wait, and the others are stopped."""
    tasks = [asyncio.ensure_future(one) for one in starting]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
