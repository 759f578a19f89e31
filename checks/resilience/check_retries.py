"""psp-retry-storm: a PSP in trouble is asked again and again, and at once (CWE-400)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from checks import contract
from checks.attachment import Psp
from checks.client import Answer
from checks.evidence import JournalEntry
from checks.fresh import Fresh
from checks.gathering import all_of
from checks.probes import Attempt, probe
from checks.registry import check
from checks.resilience.cases import KINDS, Asked, Till
from checks.settings import NO_WORKER
from checks.tenants import Merchant
from checks.testbed.faults import FaultKind, Operation
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Retry in one layer alone: a few attempts, a pause with jitter before each, no sooner than"
    " Retry-After says; and give up where that is beyond the deadline. What is left open then is"
    " found out by sync and the worker."
)

#: The default of PSP_MAX_ATTEMPTS (contract 6.22).
_ATTEMPTS = 3

#: Requests about one card that the PSP spoils: more than all that a sound service makes of one.
_SPOILED = 5 * _ATTEMPTS

#: A pause is so much of Retry-After at least: clocks need not agree to the millisecond.
_NEARLY = 0.9

#: Seconds within which a retry follows without a pause, however slow the machine is.
_AT_ONCE = 0.02

#: Retries that are looked at, and how many of them in a hundred have to have come at once: some are
#: held up by others, and a pause of random length is short now and then.
_RETRIES, _MOST = 60, 80


@dataclass(frozen=True, slots=True)
class _Trouble:
    """A way for the PSP to do nothing. ``wait`` is what it asks for, in seconds."""

    title: str
    kind: FaultKind
    options: dict[str, Any] = field(default_factory=dict)
    wait: int | None = None

    async def befall(self, psp: Psp, operation: Operation, card: str) -> str:
        """Have it spoil what is asked of a card; gives the fault's id."""
        retry_after = {} if self.wait is None else {"retry_after": str(self.wait)}
        options = self.options | retry_after
        return await psp.fault(self.kind, operation, token=card, times=_SPOILED, **options)


def _putting_off(status: int, seconds: int) -> _Trouble:
    title = f"answers {status} with Retry-After {seconds}"
    return _Trouble(title, "status_before", {"status": status}, seconds)


_FAILING = _Trouble("answers 500", "status_before", {"status": 500})

_BRIEFLY = _putting_off(503, 1)

_TROUBLES = (
    _FAILING,
    _BRIEFLY,
    _putting_off(429, 1),
    _putting_off(503, 30),
    _putting_off(429, 30),
    _Trouble("answers nonsense", "malformed_before"),
)

_HANGING = _Trouble("hangs", "hang")

_DROPPING = _Trouble("drops the connection", "drop_before")


@check(
    "psp-retry-storm",
    needs=(*contract.payments, *contract.refunds, *contract.voids),
    exclusive=True,
    settings=NO_WORKER,
    competencies=("distributed.retries", "resilience.outside-calls"),
)
async def a_psp_in_trouble_is_asked_a_few_times(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """A request makes a few attempts at the PSP at most, and none sooner than Retry-After says."""
    till = await Till.open(alice, psp, fresh)
    planned = [(trouble, kind) for trouble in _TROUBLES for kind in KINDS]
    planned.append((_HANGING, "sale"))
    asked = await till.ask(kind for _, kind in planned)
    attacks = [_Attack(one, *how) for one, how in zip(asked, planned, strict=True)]
    asked = await till.ask(KINDS)
    dropped = [_Attack(one, _DROPPING, kind) for one, kind in zip(asked, KINDS, strict=True)]
    await all_of((attack.send() for attack in attacks), at_once=12)
    if not any(attack.reached for attack in attacks):
        raise Broken(f"{attacks[0].answer}, and the PSP was asked nothing.")
    await _no_connection_kept(till)
    for attack in dropped:
        await attack.send(replica=0)
    for trouble in (_FAILING, _BRIEFLY):
        await _synced(till, trouble, "lookup", "sale")
    await _synced(till, _DROPPING, "lookup")
    with probe("what the PSP was asked in all"):
        for attack in (*attacks, *dropped):
            await attack.look_back()


async def _no_connection_kept(till: Till) -> None:
    """Have every connection dropped that a replica keeps.

    A request that finds the one it was given gone is said again by some HTTP libraries, of their
    own accord and on the next one: from now on none finds that.
    """
    with probe("the PSP drops the connections that were kept alive"):
        (asked,) = await till.ask(["sale"])
        fault = await till.psp.fault("drop_before", token=asked.card)
        await asked.send(replica=0)
        await till.psp.lift(fault)


class _Attack:
    """One operation that the PSP does not carry out."""

    def __init__(self, asked: Asked, trouble: _Trouble, operation: Operation) -> None:
        self.asked = asked
        self.trouble = trouble
        self.operation = operation
        self.reached = False
        self.answer: Answer | None = None
        self._since = 0

    async def send(self, replica: int | None = None) -> None:
        """Send it, and look at what the PSP was asked until it was answered."""
        psp, card = self.asked.till.psp, self.asked.card
        with probe(f"a {self.operation}: the PSP {self.trouble.title}") as attempt:
            self._since = len(await psp.journal(card))
            await self.trouble.befall(psp, self.operation, card)
            self.answer = await self.asked.send(replica)
            calls = await psp.journal(card, since=self._since)
            self.reached = bool(calls)
            _judge(self.trouble, calls, f"{self.answer} to a {self.operation}", attempt)

    async def look_back(self) -> None:
        """It was not gone on asking when the client had its answer.

        A replica may reconcile as the worker does, which sends it once more.
        """
        calls = _spoiled(await self.asked.till.psp.journal(self.asked.card, since=self._since))
        if len(calls) > 2 * _ATTEMPTS:
            raise Vulnerable(
                f"{self.answer} to a {self.operation}: the PSP, which {self.trouble.title}, was"
                f" asked {len(calls)} times in all.",
                _HINT,
            )


async def _synced(till: Till, trouble: _Trouble, *spoiled: Operation) -> None:
    """A sync asks as sparingly: the look-up, and the operation again that is not found.

    At the replica that has kept no connection.
    """
    (asked,) = await till.ask(["sale"])
    with probe("a sale that the PSP leaves without an answer") as attempt:
        fault = await till.psp.fault("drop_before", token=asked.card)
        await asked.send(replica=0)
        await till.psp.lift(fault)
        payment = await asked.found()
        if payment is None or payment.status != "unknown":
            attempt.note("The payment was not left open: another check's matter.")
            return
    for operation in spoiled:
        with probe(f"a sync: the PSP {trouble.title} to a {operation}") as attempt:
            since = len(await till.psp.journal(asked.card))
            fault = await trouble.befall(till.psp, operation, asked.card)
            answer = await till.merchant.post(f"{payment.url}/sync", {}, replica=0)
            calls = await till.psp.journal(asked.card, since=since)
            await till.psp.lift(fault)
            _judge(trouble, calls, f"{answer} when the PSP spoiled a {operation}", attempt)


def _judge(trouble: _Trouble, calls: Sequence[JournalEntry], what: str, attempt: Attempt) -> None:
    """A request has made so many attempts and no more, and each has waited as it was told."""
    rows = _rows(calls)
    longest, in_all = max(map(len, rows)), len(_spoiled(calls))
    attempt.note(f"The PSP was asked {in_all} times in vain, {longest} of them in a row.")
    if longest > _ATTEMPTS or in_all > 2 * _ATTEMPTS:
        raise Vulnerable(
            f"{what}: the PSP, which {trouble.title}, was asked {in_all} times, {longest} of them"
            f" in a row; {_ATTEMPTS} attempts are the limit.",
            _HINT,
        )
    for gap in _gaps_put_off(calls) if trouble.wait else []:
        if gap < _NEARLY * (trouble.wait or 0):
            raise Vulnerable(
                f"{what}: the PSP {trouble.title}, and was asked again after {gap:.2f} s.",
                _HINT,
            )


def _spoiled(calls: Sequence[JournalEntry]) -> list[JournalEntry]:
    return [call for call in calls if call.fault is not None]


def _rows(calls: Sequence[JournalEntry]) -> list[list[JournalEntry]]:
    """Requests of one kind after one another; a look-up that was answered ends a row.

    What the PSP then does not know may lawfully be sent again (contract 6.20).
    """
    rows: list[list[JournalEntry]] = [[]]
    for call in calls:
        answered = call.method == "GET" and call.fault is None
        if answered or (rows[-1] and rows[-1][-1].method != call.method):
            rows.append([])
        if not answered:
            rows[-1].append(call)
    return rows


def _gaps_put_off(calls: Sequence[JournalEntry]) -> list[float]:
    """Seconds between requests of one kind that are put off, whatever was asked in between."""
    spoiled = _spoiled(calls)
    kinds = ([call for call in spoiled if call.method == method] for method in ("GET", "POST"))
    return [gap for kind in kinds for gap in _gaps(kind)]


def _gaps(row: Sequence[JournalEntry]) -> list[float]:
    """Seconds between one request and the next."""
    return [after.at - before.at for before, after in pairwise(row)]


@check(
    "psp-retry-storm",
    needs=contract.payments,
    exclusive=True,
    settings=NO_WORKER,
    competencies=("distributed.retries", "resilience.outside-calls"),
)
async def retries_come_after_a_pause(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """A PSP that fails is not asked again at once, time after time."""
    till = await Till.open(alice, psp, fresh)
    gaps: list[float] = []
    with probe("sales that the PSP answers with 500, one after another") as attempt:
        for _ in range(_RETRIES):
            (asked,) = await till.ask(["sale"])
            await _FAILING.befall(psp, "sale", asked.card)
            await asked.send()
            gaps += [gap for row in _rows(await psp.journal(asked.card)) for gap in _gaps(row)]
            paused = sum(gap >= _AT_ONCE for gap in gaps)
            if len(gaps) >= _RETRIES or 100 * paused > (100 - _MOST) * _RETRIES:
                break
        at_once = len(gaps) - paused
        attempt.note(f"{at_once} of {len(gaps)} retries came within {_AT_ONCE * 1000:g} ms.")
        if len(gaps) >= _RETRIES and 100 * at_once >= _MOST * len(gaps):
            raise Vulnerable(
                f"The PSP answered 500, and {at_once} of {len(gaps)} retries came within"
                f" {_AT_ONCE * 1000:g} ms of the attempt before.",
                _HINT,
            )
