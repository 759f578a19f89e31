"""From a check to its verdict: pytest is run on small checks against a small service."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from checks.evidence import CheckVerdict, Verdict
from checks.registry import Declaration
from checks.runner import Runner
from tests.checks.lending import ADMIN, Lender, Service, lending

HEAD = """
import asyncio, os, pytest
from checks.probes import probe
from checks.registry import check
from checks.tenants import Merchant
from checks.verdicts import Broken, Inconclusive, NotReached, Vulnerable
"""

CONTRACT = """
@check()
async def works(alice: Merchant) -> None:
    \"\"\"It works.\"\"\"

@check()
async def sends_nothing() -> None:
    \"\"\"It sends nothing.\"\"\"

@check()
async def is_broken(alice: Merchant) -> None:
    \"\"\"It is broken.\"\"\"
    (await alice.get("/status/500")).expect(200)

@check(needs=("contract/is_broken",))
async def builds_on_broken(alice: Merchant) -> None:
    \"\"\"It builds on what is broken.\"\"\"

@check()
async def says_vulnerable(alice: Merchant) -> None:
    \"\"\"A contract has no flaws.\"\"\"
    raise Vulnerable("no")
"""

SECURITY = """
@check("some-flaw", needs=("contract/works",), competencies=("security.injection",))
async def attacks(alice: Merchant, fresh) -> None:
    \"\"\"An attack fails.

    More about it.
    \"\"\"
    with probe("first"):
        await alice.get("/one")
    with probe("second") as attempt:
        await alice.post("/two", {"token": fresh.card()}, key=fresh.key())
        attempt.note("noted")

@check("some-flaw")
async def is_handed_the_source(alice: Merchant, source) -> None:
    \"\"\"What was handed in can be read.\"\"\"
    with probe(str(source)):
        await alice.get("/one")

@check("some-flaw")
async def attacks_nothing(alice: Merchant) -> None:
    \"\"\"Only the legitimate flow is sent.\"\"\"
    await alice.get("/one")

@check("some-flaw")
async def has_an_empty_probe(alice: Merchant) -> None:
    \"\"\"A probe with nothing in it.\"\"\"
    with probe("nothing"):
        pass

@check("some-flaw")
async def finds(platform) -> None:
    \"\"\"It finds a flaw.\"\"\"
    with probe("attack"):
        await platform.client.get("/admin")
    raise Vulnerable("seen " + "ADMIN", "mend it")

@check("some-flaw")
async def cannot_tell(alice: Merchant) -> None:
    \"\"\"It cannot tell.\"\"\"
    raise Inconclusive("not driven")

@check("some-flaw")
async def is_charged_elsewhere(alice: Merchant) -> None:
    \"\"\"It is charged elsewhere.\"\"\"
    raise NotReached("elsewhere", "security/attacks")

@check("some-flaw")
async def breaks_what_another_asks(alice: Merchant) -> None:
    \"\"\"What is broken belongs to a check that is run.\"\"\"
    raise Broken("a fault", unless=("security/is_not_run", "security/finds"))

@check("some-flaw")
async def breaks_what_nobody_asks(alice: Merchant) -> None:
    \"\"\"What is broken belongs to a check that is not run.\"\"\"
    raise Broken("a fault", unless=("security/is_not_run",))

@check("some-flaw")
async def keeps_no_probe(alice: Merchant) -> None:
    \"\"\"What it sends is kept nowhere.\"\"\"
    with probe("attack", keep=False):
        await alice.get("/one")

@check("some-flaw", needs=("contract/builds_on_broken",))
async def is_far_from_the_fault(alice: Merchant) -> None:
    \"\"\"It needs what needs what is broken.\"\"\"

@check("some-flaw")
async def asserts(alice: Merchant) -> None:
    \"\"\"A bare assertion.\"\"\"
    with probe("attack"):
        await alice.get("/one")
        assert 1 == 2

@check("some-flaw")
async def crashes(alice: Merchant) -> None:
    \"\"\"It crashes.\"\"\"
    raise KeyError("x")

@check("some-flaw")
async def times_out_inside(alice: Merchant) -> None:
    \"\"\"A time-out of its own.\"\"\"
    raise TimeoutError

@check("some-flaw")
async def skips(alice: Merchant) -> None:
    \"\"\"It skips.\"\"\"
    pytest.skip("later")

@check("some-flaw")
async def fails_as_expected(alice: Merchant) -> None:
    \"\"\"It xfails.\"\"\"
    pytest.xfail("known")

@pytest.mark.skip
@check("some-flaw")
async def is_marked_skip(alice: Merchant) -> None:
    \"\"\"It is marked.\"\"\"
    with probe("attack"):
        await alice.get("/one")

@pytest.mark.xfail
@check("some-flaw")
async def is_marked_xfail(alice: Merchant) -> None:
    \"\"\"It is marked.\"\"\"
    with probe("attack"):
        await alice.get("/one")

@check("some-flaw")
async def has_no_fixture(nobody) -> None:
    \"\"\"It asks for a fixture that does not exist.\"\"\"

@check("some-flaw", limit=0.5)
async def hangs(alice: Merchant) -> None:
    \"\"\"It never ends.\"\"\"
    with probe("attack"):
        await alice.get("/one")
        await asyncio.sleep(3600)

@check("some-flaw", limit=0.5)
async def is_vulnerable_too_late(alice: Merchant) -> None:
    \"\"\"It would say vulnerable after its time.\"\"\"
    try:
        await asyncio.sleep(3600)
    finally:
        with probe("attack"):
            pass

@check("some-flaw", exclusive=True, settings={"FAIL": "submission"})
async def does_not_start() -> None:
    \"\"\"The service does not start.\"\"\"

@check("some-flaw", exclusive=True, settings={"FAIL": "machine"})
async def has_no_room() -> None:
    \"\"\"The machine fails.\"\"\"

@check("some-flaw", exclusive=True, worker=True, settings={"A": "1"})
async def has_its_own(alice: Merchant) -> None:
    \"\"\"A testbed of its own.\"\"\"
    with probe("attack"):
        await alice.get("/one")
"""

UNREADABLE = """
@check("other-flaw")
async def is_not_collected(alice: Merchant) -> None:
    \"\"\"Its file does not compile.\"\"\"
    return (
"""

FATAL = """
@check("fatal-flaw")
async def ends_pytest(alice: Merchant) -> None:
    \"\"\"It ends the process.\"\"\"
    os._exit(7)
"""


def _written(root: Path, family: str, name: str, text: str) -> None:
    folder = root / family
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"check_{name}.py").write_text(HEAD + text)


def _declared(family: str, text: str) -> list[Declaration]:
    """What the files declare, read from their text: they need not compile."""
    names = [line.split("(")[0].split()[-1] for line in text.splitlines() if "async def" in line]
    flaw = None if family == "contract" else f"{family}-flaw"
    return [Declaration(f"{family}/{name}", family, flaw, "declared") for name in names]


async def _run(
    socket: Path, root: Path, declarations: list[Declaration], seed: int = 7
) -> dict[str, CheckVerdict]:
    names = [declaration.id for declaration in declarations]
    async with Runner.launch(names, seed, root=root, declarations=declarations) as runner:
        return {verdict.check: verdict async for verdict in runner.verdicts(socket, patience=60)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ran(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[dict[str, CheckVerdict], Lender, Service]]:
    folder = tmp_path_factory.mktemp("checks")
    root = folder / "tiny"
    declared = []
    for family, text in (("contract", CONTRACT), ("security", SECURITY), ("money", UNREADABLE)):
        _written(root, family, "all", text)
        declared += _declared(family, text)
    async with lending(folder) as (lender, service, socket):
        yield await _run(socket, root, declared), lender, service


Ran = tuple[dict[str, CheckVerdict], Lender, Service]

EXPECTED = {
    "contract/works": "secure",
    "contract/sends_nothing": "error",
    "contract/is_broken": "broken",
    "contract/builds_on_broken": "not reached",
    "contract/says_vulnerable": "error",
    "security/attacks": "secure",
    "security/is_handed_the_source": "secure",
    "security/attacks_nothing": "error",
    "security/has_an_empty_probe": "error",
    "security/finds": "vulnerable",
    "security/cannot_tell": "inconclusive",
    "security/is_charged_elsewhere": "not reached",
    "security/is_far_from_the_fault": "not reached",
    "security/breaks_what_another_asks": "not reached",
    "security/breaks_what_nobody_asks": "broken",
    "security/keeps_no_probe": "secure",
    "security/asserts": "error",
    "security/crashes": "error",
    "security/times_out_inside": "error",
    "security/skips": "error",
    "security/fails_as_expected": "error",
    "security/is_marked_skip": "error",
    "security/is_marked_xfail": "error",
    "security/has_no_fixture": "error",
    "security/hangs": "error",
    "security/is_vulnerable_too_late": "error",
    "security/does_not_start": "broken",
    "security/has_no_room": "error",
    "security/has_its_own": "secure",
    "money/is_not_collected": "error",
}


@pytest.mark.asyncio(loop_scope="module")
async def test_every_check_asked_for_has_a_verdict(ran: Ran) -> None:
    assert set(ran[0]) == set(EXPECTED)


@pytest.mark.parametrize(("check", "verdict"), EXPECTED.items())
@pytest.mark.asyncio(loop_scope="module")
async def test_verdict(ran: Ran, check: str, verdict: str) -> None:
    given = ran[0][check]
    assert (given.verdict, given.because) == (verdict, given.because)
    assert given.seed == 7


@pytest.mark.asyncio(loop_scope="module")
async def test_not_reached_names_the_check_at_the_root(ran: Ran) -> None:
    for check in ("contract/builds_on_broken", "security/is_far_from_the_fault"):
        assert ran[0][check].blocked_by == "contract/is_broken"
        assert "contract/is_broken" in ran[0][check].because
    assert ran[0]["security/is_charged_elsewhere"].blocked_by == "security/attacks"
    assert ran[0]["security/breaks_what_another_asks"].blocked_by == "security/finds"


@pytest.mark.asyncio(loop_scope="module")
async def test_evidence_of_an_attack(ran: Ran) -> None:
    attack = ran[0]["security/attacks"]
    assert attack.summary == "An attack fails."
    assert attack.flaw == "some-flaw"
    assert attack.competencies == ("security.injection",)
    assert [probe.id for probe in attack.probes] == [f"security/attacks#{n}" for n in range(3)]
    assert [probe.title for probe in attack.probes][1:] == ["first", "second"]
    (sent,) = attack.probes[2].exchanges
    assert (sent.method, sent.url, sent.status, sent.actor) == (
        "POST",
        "/two",
        200,
        "alice (owner)",
    )
    assert attack.probes[2].notes == ("noted",)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_check_may_be_handed_the_source(ran: Ran) -> None:
    titles = [probe.title for probe in ran[0]["security/is_handed_the_source"].probes]
    assert titles[1:] == ["/submissions/it"]


@pytest.mark.asyncio(loop_scope="module")
async def test_reasons_and_hints_travel(ran: Ran) -> None:
    found = ran[0]["security/finds"]
    assert (found.because, found.hint) == ("seen ADMIN", "mend it")
    assert "mend" not in ran[0]["security/cannot_tell"].hint
    assert "500" in ran[0]["contract/is_broken"].because
    assert "AssertionError" in ran[0]["security/asserts"].because
    assert "0.5 s" in ran[0]["security/hangs"].because


@pytest.mark.asyncio(loop_scope="module")
async def test_the_administrators_token_is_masked(ran: Ran) -> None:
    for verdict in ran[0].values():
        assert ADMIN not in verdict.model_dump_json()


@pytest.mark.asyncio(loop_scope="module")
async def test_shared_checks_share_and_exclusive_ones_do_not(ran: Ran) -> None:
    kinds = [lease["kind"] for lease in ran[1].leases]
    assert kinds.count("shared") == 1
    own = next(lease for lease in ran[1].leases if lease["settings"] == {"A": "1"})
    assert own["worker"] is True
    assert len(ran[1].released) == 2


@pytest.mark.asyncio
async def test_what_ends_pytest_is_an_error_and_no_acquittal(tmp_path: Path) -> None:
    root = tmp_path / "tiny"
    _written(root, "fatal", "fatal", FATAL)
    _written(root, "contract", "all", CONTRACT)
    declared = [*_declared("fatal", FATAL), *_declared("contract", CONTRACT)]
    async with lending(tmp_path) as (_, _, socket):
        verdicts = await _run(socket, root, declared)
    assert verdicts["fatal/ends_pytest"].verdict is Verdict.ERROR
    assert "ended with 7" in verdicts["fatal/ends_pytest"].because
    assert set(verdicts) == {declaration.id for declaration in declared}


@pytest.mark.asyncio
async def test_the_same_seed_sends_the_same_and_another_sends_other_values(tmp_path: Path) -> None:
    root = tmp_path / "tiny"
    _written(root, "contract", "all", CONTRACT)
    _written(root, "security", "all", SECURITY)
    declared = [Declaration("security/attacks", "security", "some-flaw", "x")]
    bodies = []
    for seed in (1, 1, 2):
        async with lending(tmp_path) as (_, service, socket):
            await _run(socket, root, declared, seed)
            bodies.append(next(body for path, body in service.received if path == "/two"))
        (tmp_path / "broker.sock").unlink(missing_ok=True)
    assert bodies[0] == bodies[1] != bodies[2]
    assert json.loads(bodies[0])["token"].startswith("tok_")


@pytest.mark.asyncio
async def test_nothing_of_a_stranger_is_loaded(tmp_path: Path) -> None:
    root = tmp_path / "tiny"
    _written(root, "contract", "all", CONTRACT)
    marker = tmp_path / "loaded"
    spoiler = f"open({str(marker)!r}, 'w')\n"
    for place in (root, root / "contract", tmp_path):
        (place / "conftest.py").write_text(spoiler)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n")
    declared = [Declaration("contract/works", "contract", None, "x")]
    async with lending(tmp_path) as (_, _, socket):
        verdicts = await _run(socket, root, declared)
    assert verdicts["contract/works"].verdict is Verdict.SECURE
    assert not marker.exists()
