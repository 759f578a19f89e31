"""What a team would use instead, over the same seeded services as the checks, in one run.

bandit and semgrep read each service's source, Schemathesis fuzzes it by its OpenAPI document, and
requests are sent to it all at once, as a script for races would. A tool has found a flaw where it
says anything of the seeded service that it does not say of the reference, whatever that is; all
that it says of the reference is a false alarm. The checks have found it where they say vulnerable.

python -m tests.benchmarks.bench_instead --flaw payment-idor
"""

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from checks.attachment import Testbed
from checks.evidence import Verdict
from checks.fresh import Fresh
from checks.operations import Tenants
from checks.tenants import Merchant
from checks.testbed.control import Control
from checks.testbed.testbed import Host
from exercises.bank import Flaw, load_bank
from exercises.tree import Tree, reference_tree
from harness.loop import run
from harness.matrix import Planned, plan
from tests.benchmarks.fuzzing import by_schemathesis
from tests.benchmarks.scanning import by_bandit, by_semgrep
from tests.benchmarks.simultaneous import ROUNDS
from tests.benchmarks.variants import BENCH, Row, apart, prepared, repeat, started

#: Requests at once, and rounds of each kind.
AT_ONCE, TIMES = 10, 20
#: Examples that Schemathesis makes for an operation, unless told otherwise.
EXAMPLES = 20

Alarms = Counter[str]


@dataclass(frozen=True)
class Service:
    """A service as each tool gets it: its source, and ready to be started."""

    tree: Tree
    control: Control
    examples: int


@dataclass
class Said:
    """What a tool said of a service, and the seconds that it took; why, where it said nothing."""

    alarms: Alarms = field(default_factory=Counter)
    seconds: float = 0.0
    failure: str = ""


async def bandit(service: Service) -> Alarms:
    return await by_bandit(service.tree)


async def semgrep(service: Service) -> Alarms:
    return await by_semgrep(service.tree)


async def schemathesis(service: Service) -> Alarms:
    found: Alarms = Counter()

    async def fuzz(alice: Merchant, bob: Merchant, fresh: Fresh, testbed: Testbed) -> None:
        found.update(await by_schemathesis(alice, bob, fresh, testbed, service.examples))

    async with started(service.control, BENCH) as testbed:
        await apart(testbed, fuzz)
    return found


async def at_once(service: Service) -> Alarms:
    found: Alarms = Counter()

    async def rounds(tenants: Tenants) -> None:
        for kind, prepare in ROUNDS.items():
            for _ in range(TIMES):
                found[kind] += await (await prepare(tenants, AT_ONCE)).found(jitter=False)

    async with started(service.control, BENCH) as testbed:
        await apart(testbed, rounds)
    return +found


TOOLS: dict[str, Callable[[Service], Awaitable[Alarms]]] = {
    "bandit": bandit,
    "semgrep": semgrep,
    "schemathesis": schemathesis,
    "at once": at_once,
}
ASSAY = "assay"


async def ask(tool: Callable[[Service], Awaitable[Alarms]], service: Service) -> Said:
    """What it says; a tool that fails has found nothing, and the table tells."""
    began = time.perf_counter()
    try:
        return Said(await tool(service), time.perf_counter() - began)
    except Exception as failure:
        return Said(Counter(), time.perf_counter() - began, f"{type(failure).__name__}: {failure}")


async def by_checks(planned: Planned, service: Service) -> Said:
    """What the flaw's own checks say."""
    row = Row(planned)
    await repeat(service.control, row, 1)
    (verdict,) = row.verdicts
    alarms = Counter([str(verdict)] if verdict is not Verdict.SECURE else [])
    return Said(alarms, row.median, row.because if verdict is not planned.expected else "")


async def everything(host: Host, tree: Tree, examples: int) -> dict[str, Said]:
    """What the tools say of a service, one after another: each has the machine to itself."""
    async with prepared(host, tree) as control:
        service = Service(tree, control, examples)
        return {name: await ask(tool, service) for name, tool in TOOLS.items()}


async def checked(host: Host, planned: Planned, examples: int) -> Said:
    async with prepared(host, planned.tree()) as control:
        return await by_checks(planned, Service({}, control, examples))


def is_found(said: Said, known: Alarms) -> bool:
    """Whether anything is said that is not said of the reference."""
    return bool(said.alarms - known)


async def compare(
    host: Host, flaw: Flaw, reference: dict[str, Said], examples: int
) -> dict[str, tuple[bool, Said]]:
    """Whether each tool found the flaw in its first form; and the checks' say of the reference."""
    cells = plan([flaw], 1)
    seeded = next(one for one in cells if one.variant is not None)
    sound = next(one for one in cells if one.variant is None)
    said = await everything(host, seeded.tree(), examples)
    found = {name: (is_found(one, reference[name].alarms), one) for name, one in said.items()}
    of_flawed, of_sound = [await checked(host, one, examples) for one in (seeded, sound)]
    reference[ASSAY].alarms.update(of_sound.alarms)
    reference[ASSAY].seconds += of_sound.seconds
    return {**found, ASSAY: (of_flawed.alarms == {Verdict.VULNERABLE: 1}, of_flawed)}


def line(name: str, cells: dict[str, str]) -> str:
    return f"{name:28}" + "".join(f"{cells[tool]:>16}" for tool in (*TOOLS, ASSAY))


def shown(found: bool, said: Said) -> str:
    mark = "no answer" if said.failure else "found" if found else "-"
    return f"{mark} {said.seconds:6.1f}"


async def measure(flaws: list[str], examples: int) -> None:
    bank = load_bank()
    wanted = [bank.flaw(name) for name in flaws or bank.flaws]
    print("Whether each flaw was found, and seconds that it took.")
    print(line("flaw", {tool: tool for tool in (*TOOLS, ASSAY)}))
    rows: list[dict[str, tuple[bool, Said]]] = []
    async with Host.open(trusted=True) as host:
        reference = await everything(host, reference_tree(), examples)
        reference[ASSAY] = Said()
        for flaw in wanted:
            rows.append(await compare(host, flaw, reference, examples))
            print(line(flaw.id, {tool: shown(*cell) for tool, cell in rows[-1].items()}))
            for tool, (_, said) in rows[-1].items():
                if said.failure:
                    print(f"  {tool}: {said.failure[:200]}")
            sys.stdout.flush()
    of_tool = {tool: [row[tool] for row in rows] for tool in (*TOOLS, ASSAY)}
    count = {tool: sum(found for found, _ in cells) for tool, cells in of_tool.items()}
    print(line("found", {tool: f"{number} of {len(rows)}" for tool, number in count.items()}))
    alarms = {tool: str(said.alarms.total()) for tool, said in reference.items()}
    print(line("said of the reference", alarms))
    middle = {
        tool: f"{statistics.median(said.seconds for _, said in cells):.1f}"
        for tool, cells in of_tool.items()
    }
    print(line("median seconds", middle))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flaw", action="append", default=[], help="may be repeated")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="of Schemathesis")
    arguments = parser.parse_args()
    run(measure(arguments.flaw, arguments.examples))


if __name__ == "__main__":
    main()
