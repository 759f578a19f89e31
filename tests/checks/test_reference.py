"""Every check on the reference service: all there is must be secure, or a check is wrong."""

from __future__ import annotations

from pathlib import Path

from checks.catalogue import select
from checks.evidence import Verdict
from checks.runner import Runner
from checks.testbed.broker import Broker
from checks.testbed.testbed import Host, Submission

REFERENCE = Path(__file__).parents[2] / "reference" / "fastapi"


async def test_every_check_is_secure_on_the_reference() -> None:
    async with (
        Runner.launch(select(), 11) as runner,
        Host.open() as host,
        Submission.prepare(host, REFERENCE) as submission,
        Broker.open(submission) as broker,
    ):
        verdicts = [verdict async for verdict in runner.verdicts(broker.socket)]
    assert {verdict.check for verdict in verdicts} == set(select())
    others = [one for one in verdicts if one.verdict is not Verdict.SECURE]
    assert [(one.check, one.verdict, one.because) for one in others] == []
    assert all(verdict.probes for verdict in verdicts)
