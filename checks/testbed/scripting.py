"""Scripting a testbed's simulators and reading their journals, by the broker's methods.

The other side of each is in ``checks.testbed.outside``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from checks.evidence import JournalEntry
from checks.testbed.bank import BankConduct, Status
from checks.testbed.errors import TestbedError
from checks.testbed.faults import Fault, SettlementFault
from checks.testbed.fx import Telling
from checks.testbed.simulator import Conduct, Simulator
from checks.testbed.taking import Taking
from checks.testbed.testbed import Testbed

_JOURNAL = TypeAdapter(tuple[JournalEntry, ...])


async def _lift(testbed: Testbed) -> None:
    testbed.simulators.lift()


async def _fault(testbed: Testbed, **fault: Any) -> dict[str, str]:
    return {"fault": testbed.simulators.psp.script(Fault.model_validate(fault))}


async def _publish(testbed: Testbed, path: str, body: str) -> dict[str, str]:
    return {"url": testbed.simulators.psp.publish(path, body)}


async def _lift_fault(testbed: Testbed, fault: str | None = None) -> None:
    testbed.simulators.psp.lift(fault)


async def _under_way(testbed: Testbed, token: str | None = None) -> int:
    return testbed.simulators.psp.under_way(token)


async def _operations(testbed: Testbed, card: str) -> list[dict[str, Any]]:
    return testbed.simulators.psp.told(card)


async def _moved(testbed: Testbed, card: str) -> list[dict[str, Any]]:
    return [asdict(row) for row in testbed.simulators.psp.moved(card)]


async def _close(testbed: Testbed, day: str) -> None:
    testbed.simulators.psp.close(day)


async def _settlement_fault(testbed: Testbed, **fault: Any) -> dict[str, str]:
    scripted = SettlementFault.model_validate(fault)
    return {"fault": testbed.simulators.psp.script(scripted)}


async def _tell(testbed: Testbed, base: str, quote: str, telling: Any) -> None:
    testbed.simulators.fx.tell(base, quote, Telling.model_validate(telling))


async def _bank_conduct(testbed: Testbed, bank_account: str, conduct: Any) -> None:
    given = None if conduct is None else BankConduct.model_validate(conduct)
    testbed.simulators.bank.conduct(bank_account, given)


async def _become(
    testbed: Testbed, key: str, status: Status, reason: str | None = None
) -> dict[str, Any]:
    try:
        return testbed.simulators.bank.become(key, status, reason)
    except KeyError:
        raise TestbedError(f"The bank has no payment {key!r}.") from None


async def _notifier_conduct(testbed: Testbed, payout: str, conduct: Any) -> None:
    given = None if conduct is None else Conduct.model_validate(conduct)
    testbed.simulators.notifier.conduct(payout, given)


async def _receiver_conduct(testbed: Testbed, path: str, conduct: Any) -> None:
    given = None if conduct is None else Taking.model_validate(conduct)
    testbed.simulators.receiver.conduct(path, given)


async def _point(testbed: Testbed, name: str, turns: list[list[str]]) -> None:
    try:
        testbed.simulators.names.point(name, tuple(tuple(turn) for turn in turns))
    except ValueError as error:
        raise TestbedError(f"{name} cannot point there: {error}.") from None


async def _journal(
    testbed: Testbed, simulator: str, token: str | None, since: int = 0
) -> list[dict[str, Any]]:
    entries = _named(testbed, simulator).journal(token, since)
    return list(_JOURNAL.dump_python(entries, mode="json"))


async def _wait(
    testbed: Testbed, simulator: str, token: str | None, entries: int, seconds: float
) -> list[dict[str, Any]]:
    await _named(testbed, simulator).wait(entries, seconds, token)
    return await _journal(testbed, simulator, token)


def _named(testbed: Testbed, name: str) -> Simulator:
    for simulator in testbed.simulators.all:
        if simulator.name == name:
            return simulator
    raise TestbedError(f"There is no simulator {name!r}.")


#: The broker's methods, by name.
METHODS: Mapping[str, Callable[..., Awaitable[Any]]] = {
    "lift": _lift,
    "psp.fault": _fault,
    "psp.lift": _lift_fault,
    "psp.publish": _publish,
    "psp.under_way": _under_way,
    "psp.told": _operations,
    "psp.moved": _moved,
    "psp.close": _close,
    "psp.settlement": _settlement_fault,
    "fx.tell": _tell,
    "bank.conduct": _bank_conduct,
    "bank.become": _become,
    "notifier.conduct": _notifier_conduct,
    "receiver.conduct": _receiver_conduct,
    "names.point": _point,
    "journal": _journal,
    "wait": _wait,
}
