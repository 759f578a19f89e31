"""secret-bruteforce: secrets and codes can be guessed as often as one likes (CWE-307)."""

from __future__ import annotations

import asyncio

from checks import contract
from checks.attachment import Testbed
from checks.client import Answer
from checks.fresh import Fresh
from checks.payouts import Desk
from checks.probes import probe
from checks.registry import check
from checks.security.approvers import APPROVED, Approver
from checks.shapes import ClientAccount, Payout
from checks.tenants import Merchant, Platform
from checks.verdicts import Broken, Inconclusive, Vulnerable

_HINT = (
    "Count wrong guesses where every replica sees it, by the client (or by approver and payout) and"
    " not by address, keep the count when the request is refused, and look at no further guess."
)

#: Wrong secrets of a client, and wrong codes of an approver, after which no more are looked at
#: (contract 2.8, 12.11).
_SECRETS, _CODES = 10, 5

#: Seconds for which a client is locked (AUTH_LOCKOUT_SECONDS, by default), and how often it is
#: tried to be there in time.
_LOCKED, _TRIES = 5.0, 4

#: Seconds after which a lock is one for ever.
_FOR_EVER = 60.0


@check(
    "secret-bruteforce",
    needs=contract.merchants,
    competencies=("security.authentication",),
)
async def a_secret_cannot_be_guessed_for_ever(
    alice: Merchant, platform: Platform, fresh: Fresh
) -> None:
    """After ten wrong secrets not even the right one is taken, wherever it comes from."""
    for _ in range(_TRIES):
        client = await alice.create_client("viewer")
        with probe("ten wrong secrets of a client, and the right one"):
            began = asyncio.get_running_loop().time()
            for number in range(_SECRETS):
                refused = await _log_in(platform, client, fresh, fresh.word(43), number)
                if refused.ok:
                    raise Broken(f"{refused} to a wrong secret.")
            answer = await _log_in(platform, client, fresh, client.secret or "", _SECRETS)
            took = asyncio.get_running_loop().time() - began
            if answer.status == 429:
                await _let_in_later(platform, client, fresh, answer)
                return
            if took < _LOCKED:
                raise Vulnerable(
                    f"{answer} to the right secret, after {_SECRETS} wrong ones in a row within"
                    f" {took:.1f} s.",
                    _HINT,
                )
    raise Inconclusive(f"The machine was too slow to send {_SECRETS} requests in {_LOCKED:g} s.")


async def _let_in_later(
    platform: Platform, client: ClientAccount, fresh: Fresh, answer: Answer
) -> None:
    """Whoever has the right secret gets in again, once the time is over."""
    if answer.retry_after is None or answer.retry_after > _FOR_EVER:
        given = answer.headers.get("Retry-After")
        raise Broken(f"{answer} with Retry-After {given!r}: a client is locked for seconds.")
    await asyncio.sleep(answer.retry_after)
    (await _log_in(platform, client, fresh, client.secret or "", 0)).expect(200)


async def _log_in(
    platform: Platform, client: ClientAccount, fresh: Fresh, secret: str, number: int
) -> Answer:
    """Ask for a token through one replica after another, as if from one address after another."""
    address = ".".join(str(fresh.number(1, 250)) for _ in range(4))
    headers = {"X-Forwarded-For": address, "X-Real-IP": address, "Forwarded": f"for={address}"}
    replica = number % len(platform.connections.replicas)
    body = {"client_id": client.id, "client_secret": secret}
    return await platform.anonymous.post("/v1/token", body, headers=headers, replica=replica)


@check(
    "secret-bruteforce",
    needs=contract.payouts,
    competencies=("security.authentication", "compliance.sca"),
)
async def a_code_cannot_be_guessed_for_ever(
    alice: Merchant, testbed: Testbed, fresh: Fresh
) -> None:
    """After five wrong codes not even the right one approves, whatever new codes are asked for."""
    desk, account = await Desk.open(alice, testbed), await alice.funded()
    guesser, other = [await Approver.create(alice, alice.owner, testbed) for _ in range(2)]
    for renewed in (False, True):
        payout = await desk.make(account, fresh.money(1_000, 9_000))
        what = "with a new code in between" if renewed else "one after the other"
        with probe(f"five wrong codes {what}, and the right one"):
            code = await guesser.obtain(payout)
            for number in range(_CODES):
                if renewed and number == _CODES - 1:
                    code = await guesser.obtain(payout, 2)
                answer = await guesser.approve(payout, _wrong(code, number))
                if answer.ok:
                    raise Broken(f"{answer} to a wrong code.")
            asked = await guesser.ask(payout)
            if asked.ok:
                code = await guesser.code(payout, 3 if renewed else 2)
            answer = await guesser.approve(payout, code)
            now = (await alice.get(payout.url)).expect(200).read(Payout)
            if answer.ok or now.status in APPROVED:
                raise Vulnerable(
                    f"{answer} to the right code, after {_CODES} wrong ones in a row {what}.", _HINT
                )
            answer.expect(403, code="approver_blocked")
            (await other.approve(payout, await other.obtain(payout))).expect(200)


def _wrong(code: str, number: int) -> str:
    """A code of the same length that differs from the right one."""
    return f"{(int(code) + number + 1) % 10 ** len(code):0{len(code)}d}"
