"""hmac-timing: signatures of notices are compared until the first byte that differs (CWE-208).

How long a comparison takes cannot be seen from outside among all that a request takes besides, so
this one check reads the source. It says nothing where the source cannot be followed.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import get_args

from checks import contract
from checks.attachment import Testbed
from checks.fresh import Fresh
from checks.notices import Party, bank_notice, bring, post_notice, psp_notice, signature
from checks.probes import probe
from checks.registry import check
from checks.static.signatures import read_signatures
from checks.tenants import Platform
from checks.verdicts import Broken, NotReached, Vulnerable

_HINT = (
    "Compare the whole MAC by hmac.compare_digest, or have the HMAC's own object verify it, on the"
    " way of each party's notices; nothing before that or beside it compares a part of it, and a"
    " pause hides nothing."
)

#: Where it is charged that a party's notice is believed without its signature.
_SIGNED: dict[Party, str] = {"psp": "security/a_notice_is_believed_for_its_signature"}


@check(
    "hmac-timing",
    needs=(
        *contract.payments,
        "contract/a_notice_settles_a_payment",
        *contract.payouts,
        "contract/an_approved_payout_is_paid",
    ),
    competencies=("security.authentication",),
)
async def a_signature_is_compared_in_constant_time(
    source: Path, platform: Platform, testbed: Testbed, fresh: Fresh
) -> None:
    """How long a forged notice takes to be refused tells nothing of its right signature."""
    with probe("the source, along the way of a notice") as reading_it:
        reading = await read_signatures(source)
        for place in reading.places:
            reading_it.note(str(place))
        if reading.because:
            reading_it.note(reading.because)
        if reading.answer == "variable":
            places = "; ".join(str(place) for place in reading.places)
            raise Vulnerable(
                "A MAC is compared with a notice's signature until the first byte that differs, at"
                f" {places}",
                _HINT,
            )
    for party in get_args(Party):
        await _verified(party, _about_nothing(party, fresh), testbed, platform)
    if reading.answer == "unknown":
        raise NotReached(reading.because)


async def _verified(party: Party, notice: bytes, testbed: Testbed, platform: Platform) -> None:
    """A notice is read with its signature, and refused if one digit of that is another."""
    lease, at = testbed.lease, str(int(time.time()))
    mac = signature({"psp": lease.psp_secret, "bank": lease.bank_secret}[party], notice, at)
    with probe(f"a notice of the {party}'s, with one digit of its signature changed"):
        answer = await bring(party, notice, testbed, platform)
        if answer.status == 401:
            raise Broken(f"{answer} to a notice that is signed as the contract says.")
        for place in (0, len(mac) // 2, len(mac) - 1):
            other = format(int(mac[place], 16) ^ 1, "x")
            header = f"t={at},v1={mac[:place]}{other}{mac[place + 1 :]}"
            answer = await post_notice(party, notice, header, platform)
            if answer.failed:
                raise Broken(f"{answer} to a notice whose signature is wrong.")
            if answer.status != 401:
                because = f"{answer} to a notice of the {party}'s whose signature is wrong."
                raise NotReached(because, _SIGNED.get(party))


def _about_nothing(party: Party, fresh: Fresh) -> bytes:
    """A notice of something that nobody asked for."""
    amount = fresh.money(1_000, 9_000)
    told: dict[str, object] = {
        "amount": amount.decimal,
        "currency": amount.currency,
        "reference": fresh.key(),
        "reason": None,
    }
    if party == "psp":
        names = {"id": f"op_{fresh.word(24)}", "authorisation": f"auth_{fresh.word(24)}"}
        return psp_notice(told | names | {"type": "sale", "status": "succeeded"}, fresh)
    payee = fresh.payee().model_dump()
    names = {"id": f"bnk_{fresh.word(24)}", "status": "paid"}
    return bank_notice(told | names | {"payee": payee}, fresh)
