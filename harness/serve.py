"""``assay serve``: the service with database and simulators, to explore by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from rich.console import Console
from rich.table import Table
from rich.text import Text

from checks.evidence import JournalEntry
from checks.testbed.errors import MachineError
from checks.testbed.outside import Psp
from checks.testbed.testbed import Host
from exercises.bank import Flaw, load_bank
from exercises.tree import compose, reference_tree
from harness.errors import DONE, UsageError
from harness.forward import forwarded
from harness.loop import run
from harness.progress import Progress
from harness.session import Session, prepared, session

BALANCE = 100_000  # minor units: 1,000.00 GBP
ROLES = ("owner", "operator", "viewer")


@dataclass(frozen=True, slots=True)
class Tenant:
    """A merchant made for the visitor: an account with money in it, and a token for each role."""

    name: str
    account: str
    tokens: dict[str, str]
    credentials: dict[str, str]


def serve(names: Sequence[str], port: int | None) -> int:
    """Runs until Ctrl-C; raises ``UsageError`` for flaws that cannot stand together."""
    flaws = list(load_bank(only=names).flaws.values()) if names else []
    for flaw in flaws:
        for other in set(flaw.exclusive) & {one.id for one in flaws}:
            raise UsageError(f"{flaw.id} and {other} cannot stand in one service: choose one.")
    return run(_serve(flaws, port))


async def _serve(flaws: Sequence[Flaw], port: int | None) -> int:
    tree = compose(reference_tree(), [next(iter(flaw.inject.values())).patch() for flaw in flaws])
    console = Console(highlight=False, markup=False)
    async with AsyncExitStack() as stack:
        with Progress() as progress, progress.stage("starting PostgreSQL, PSP and the service"):
            host = await stack.enter_async_context(Host.open(trusted=True))
            submission = await stack.enter_async_context(prepared(host, tree))
            running = await stack.enter_async_context(session(submission))
        replica = urlsplit(running.shared.replicas[0])
        if replica.hostname is None or replica.port is None:
            raise MachineError(f"A replica without an address: {running.shared.replicas[0]}.")
        opened = await stack.enter_async_context(forwarded(port, replica.hostname, replica.port))
        base = f"http://127.0.0.1:{opened}"
        async with httpx.AsyncClient(base_url=base, timeout=10) as client:
            tenants = [
                await _open_tenant(client, running.shared.admin_token, name)
                for name in ("alice", "bob")
            ]
        _explain(console, running, base, flaws, tenants)
        await _follow_psp(running, console)
    return DONE


async def _open_tenant(client: httpx.AsyncClient, admin: str, name: str) -> Tenant:
    """A merchant with an owner, an operator, a viewer and an account with money in it."""
    as_admin = {"Authorization": f"Bearer {admin}"}
    merchant = await _post(client, "/v1/merchants", {"name": name}, as_admin)
    owner = merchant["owner"]
    clients = {"owner": owner}
    tokens = {"owner": await _token(client, owner)}
    as_owner = {"Authorization": f"Bearer {tokens['owner']}"}
    for role in ROLES[1:]:
        body = {"name": f"{name}-{role}", "role": role}
        clients[role] = await _post(client, "/v1/clients", body, as_owner)
        tokens[role] = await _token(client, clients[role])
    body = {"name": "Main", "currency": "GBP"}
    account = str((await _post(client, "/v1/accounts", body, as_owner))["id"])
    deposit = {"account": account, "amount": {"amount": BALANCE, "currency": "GBP"}}
    await _post(
        client, "/v1/deposits", deposit, {**as_admin, "Idempotency-Key": f"opening-{account}"}
    )
    credentials = {role: f"{one['id']}:{one['secret']}" for role, one in clients.items()}
    return Tenant(name, account, tokens, credentials)


async def _post(
    client: httpx.AsyncClient, path: str, body: object, headers: dict[str, str]
) -> dict[str, Any]:
    answer = await client.post(path, json=body, headers=headers)
    if not answer.is_success:
        raise MachineError(f"POST {path} was answered {answer.status_code}: {answer.text[:300]}")
    found: dict[str, Any] = answer.json()
    return found


async def _token(client: httpx.AsyncClient, credentials: dict[str, Any]) -> str:
    body = {"client_id": credentials["id"], "client_secret": credentials["secret"]}
    return str((await _post(client, "/v1/token", body, {}))["access_token"])


def _explain(
    console: Console, running: Session, base: str, flaws: Sequence[Flaw], tenants: Sequence[Tenant]
) -> None:
    what = ", ".join(flaw.id for flaw in flaws)
    console.print(Text(f"The service, {f'with {what}' if what else 'as it should be'}", "bold"))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    table.add_row("base URL", base)
    for number, url in enumerate(running.shared.replicas):
        table.add_row(f"replica {number}", url)
    table.add_row("database", running.shared.observer_dsn)
    table.add_row("administrator", running.shared.admin_token)
    for tenant in tenants:
        table.add_row(f"{tenant.name}'s account", f"{tenant.account}  (1,000.00 GBP)")
        for role, pair in tenant.credentials.items():
            table.add_row(f"{tenant.name}'s {role}", pair)
    console.print(table)
    alice, bob = tenants
    body = json.dumps(
        {"from": alice.account, "to": bob.account, "amount": {"amount": 1250, "currency": "GBP"}}
    )
    pay = json.dumps(
        {
            "account": alice.account,
            "amount": {"amount": 1250, "currency": "GBP"},
            "payment_method": "tok_visa",
        }
    )
    bearer = f"-H 'Authorization: Bearer {alice.tokens['operator']}'"
    lines = (
        "",
        "Try (the tokens live 15 minutes; POST /v1/token gives new ones for id:secret):",
        f"  curl -s {base}/v1/accounts/{alice.account} {bearer}",
        f"  curl -s {base}/v1/transfers {bearer} -H 'Idempotency-Key: one' --json '{body}'",
        f"  curl -s {base}/v1/payments {bearer} -H 'Idempotency-Key: two' --json '{pay}'",
        "",
        "What the PSP is asked appears below. Ctrl-C ends it all.",
    )
    for line in lines:
        console.print(line, soft_wrap=True)


async def _follow_psp(running: Session, console: Console) -> None:
    """Prints the PSP's journal as it grows, until the command is told to stop."""
    psp, seen = Psp(running.control, running.shared), 0
    while True:
        journal = await psp.wait(None, seen + 1, 3600)
        for entry in journal[seen:]:
            console.print(_journal_line(entry), soft_wrap=True)
        seen = len(journal)
        await asyncio.sleep(0)


def _journal_line(entry: JournalEntry) -> Text:
    answer = "no answer" if entry.status is None else str(entry.status)
    return Text(f"PSP  {entry.method} {entry.path}  {entry.body}  -> {answer}", "magenta")
