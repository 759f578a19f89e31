"""How long the power cuts of a payment take on the reference: of connections, and of replicas too.

Each operation is resolved after its cut, by retries under its key at a replica that meets none.
"""

import time

from checks.attachment import Testbed
from checks.contest import reading
from checks.fresh import Fresh
from checks.power_cuts import Outages
from checks.probes import Recorder, recording
from checks.resilience.cases import Till
from checks.resilience.check_restart import possible_cuts, strike
from checks.tenants import Merchant, Platform
from checks.testbed.testbed import Host
from exercises.tree import reference_tree
from harness.loop import run
from tests.benchmarks.variants import checks_of, prepared, started

#: Seconds that a payment's cuts may take: of connections alone, and with kills.
WANTED = (8.0, 20.0)


async def measure(lent: Testbed) -> None:
    fresh = Fresh(7, "bench")
    platform = Platform(lent.connections, lent.lease.admin_token, fresh)
    alice = Merchant("alice", platform, fresh)
    await alice.open()
    till = await Till.open(alice.on(lent.replicas[-1]), lent.psp, fresh)
    async with Outages.on(lent, reading(alice, till.account)) as outages:
        cuts = await possible_cuts("sale", till, lent)
        for chosen, wanted in zip(
            ([one for one in cuts if not one.kills], cuts), WANTED, strict=True
        ):
            began = time.perf_counter()
            await strike("sale", chosen, till, outages, lent.psp)
            took = time.perf_counter() - began
            kills = sum(one.kills for one in chosen)
            print(
                f"{len(chosen)} power cuts of a payment, {kills} of them kills: {took:.1f} s"
                f" ({wanted:g} at most)"
            )


async def measure_all() -> None:
    (check,) = checks_of("idempotency-restart")
    async with (
        Host.open(trusted=True) as host,
        prepared(host, reference_tree("fastapi")) as control,
        started(control, check.declaration) as testbed,
    ):
        with recording(Recorder("bench/power_cuts")):
            await measure(testbed)


if __name__ == "__main__":
    run(measure_all())
