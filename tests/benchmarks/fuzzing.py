"""Schemathesis over a running service, with the contract's OpenAPI document and its own settings.

It is given what a team would give it: tokens, ids of things that exist, and every check turned on.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from checks.attachment import Testbed
from checks.fresh import Fresh
from checks.payouts import make
from checks.shapes import Payee
from checks.shops import register
from checks.tenants import Login, Merchant
from exercises.places import CONTRACT

#: How many of each thing exist before it begins.
FEW = 6
#: The seed of its examples: the reference's, and a flawed service's, meet the same.
SEED = 1


async def _filled(alice: Merchant, bob: Merchant, fresh: Fresh) -> dict[str, list[str]]:
    """Things that exist, by the name of their dictionary in ``schemathesis.toml``."""
    accounts = [await alice.funded() for _ in range(3)]
    base, euros = accounts[0], await alice.open_account("EUR")
    few = fresh.money(100, 900)
    transfers = [await alice.transfer(base, accounts[1], few) for _ in range(3)]
    payments = [
        await alice.pay(fresh.money(5000, 9000), base, capture=number % 2 == 0)
        for number in range(FEW)
    ]
    refund = await alice.refund(payments[0], few)
    quotes = [await alice.quote(base, euros, few) for _ in range(FEW)]
    payee = Payee(name="Rowan Tools", bank_account="GB33BUKB20201555555555")
    operator = await alice.client("operator")
    payouts = [await make(operator, fresh, accounts[2], few, payee) for _ in range(FEW)]
    endpoints = [await register(alice, f"https://192.0.32.7/{number}") for number in range(FEW)]
    events = (await alice.get("/v1/events?limit=20")).expect(200).json["data"]
    client = await alice.create_client("viewer")
    strangers = await bob.open_account()
    return {
        "accounts": [*(one.id for one in accounts), euros.id, strangers.id],
        "transfers": [one.id for one in transfers],
        "payments": [one.id for one in payments],
        "refunds": [refund.id],
        "quotes": [one.id for one in quotes],
        "payouts": [one.id for one in payouts],
        "endpoints": [one.id for one in endpoints],
        "events": [event["id"] for event in events],
        "objects": [event["object"] for event in events],
        "clients": [client.id],
    }


async def by_schemathesis(
    alice: Merchant, bob: Merchant, fresh: Fresh, testbed: Testbed, examples: int
) -> Counter[str]:
    """What it says of a service, by check and operation. Raises ``RuntimeError`` if nothing."""
    token = await Login(alice.platform.anonymous, alice.facts.owner).token()
    existing = await _filled(alice, bob, fresh)
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        for dictionary, ids in existing.items():
            (folder / dictionary).write_text("".join(f'"{an_id}"\n' for an_id in ids))
        shutil.copy(CONTRACT / "schemathesis.toml", folder)
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml"),
            *("run", str(CONTRACT / "openapi.yaml"), "--url", testbed.lease.replicas[0]),
            *("--max-examples", str(examples), "--seed", str(SEED), "--continue-on-failure"),
            *("--report", "json", "--report-json-path", "said.json"),
            cwd=folder,
            env={**os.environ, "CLIENT_TOKEN": token, "ADMIN_TOKEN": testbed.lease.admin_token},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaint = await run.communicate()
        said = folder / "said.json"
        if not said.is_file():
            raise RuntimeError(f"Schemathesis said nothing: {complaint.decode()[-500:]}")
        document = json.loads(said.read_text())
    if not document["complete"]:
        raise RuntimeError(f"Schemathesis came to no end: {document['errors']}")
    return Counter(
        f"{failure['code']} {operation}"
        for failure in document["failures"]
        for operation in failure["operations"]
    )
