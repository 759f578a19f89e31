"""A submission made ready once: its copy in a box, built, compiled, its database migrated."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from checks.testbed.box import Box, copy_submission
from checks.testbed.databases import Database
from checks.testbed.environment import Environment
from checks.testbed.errors import SubmissionError
from checks.testbed.host import DatabaseUpstream, Host
from checks.testbed.manifest import Manifest
from checks.testbed.service import BUILD_SECONDS, MIGRATE_SECONDS, run_once
from checks.testbed.sql.proxy import Endpoint
from checks.testbed.users import private_user


@asynccontextmanager
async def boxed(host: Host, folder: Path, provided: Environment) -> AsyncIterator[Box]:
    """The submission's copy, in a folder that its own group alone can enter."""
    with private_user() as uid:
        place = host.folder / f"submission-{secrets.token_hex(4)}"
        place.mkdir(mode=0o710)
        if uid is not None:
            os.chown(place, 0, uid)
        source = place / "source"
        try:
            await asyncio.to_thread(copy_submission, folder, source, uid, uid)
            yield Box(place, source, provided, host.isolation.mechanism, uid, uid, host.held)
        finally:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)


async def build(box: Box, manifest: Manifest) -> None:
    """Run its build commands, which may write into the copy. Raises ``SubmissionError``."""
    with box.scratch() as scratch:
        own = box.owned(scratch)
        for command in manifest.service.build:
            await run_once(box, command, "build", own, {}, seconds=BUILD_SECONDS, builds=True)


async def compile_python(box: Box) -> None:
    """Byte code once, so that each replica need not make it again and throw it away.

    A module that does not compile says so when the service imports it, not here.
    """
    command = ("python", "-I", "-m", "compileall", "-q", ".")
    with box.scratch() as scratch, suppress(SubmissionError):
        own = box.owned(scratch)
        await run_once(box, command, "build", own, {}, seconds=BUILD_SECONDS, builds=True)


async def migrate(host: Host, box: Box, manifest: Manifest, template: Database) -> None:
    """Run its migration on an empty database. Raises ``SubmissionError``."""
    if not manifest.service.migrate:
        return
    began = asyncio.get_running_loop().time()
    async with Endpoint(DatabaseUpstream(host.server), began) as endpoint:
        with box.scratch() as scratch:
            await run_once(
                box,
                manifest.service.migrate,
                "migrate",
                scratch,
                {"DATABASE_URL": template.url(endpoint.port)},
                seconds=MIGRATE_SECONDS,
                connect=(endpoint.port,),
            )
