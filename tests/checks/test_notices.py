"""Notices go where they belong, signed by whom they come from."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

from checks.fresh import Fresh
from checks.notices import bank_notice, bring, psp_notice


class Recorded:
    """An anonymous caller that keeps what it is to send."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    async def post(self, path: str, **options: Any) -> None:
        self.sent.append((path, options))


async def brought(party: Any, notice: bytes) -> tuple[str, dict[str, Any]]:
    anonymous = Recorded()
    lease = SimpleNamespace(psp_secret="of the PSP", bank_secret="of the bank")
    testbed = cast(Any, SimpleNamespace(lease=lease))
    await bring(party, notice, testbed, cast(Any, SimpleNamespace(anonymous=anonymous)), 1)
    (sent,) = anonymous.sent
    return sent


async def test_a_notice_goes_to_its_partys_path_as_it_stands() -> None:
    notice = bank_notice({"id": "bnk_1"}, Fresh(1, "x"))
    path, options = await brought("bank", notice)
    assert path == "/v1/webhooks/bank"
    assert (options["content"], options["replica"]) == (notice, 1)
    assert json.loads(notice)["payment"] == {"id": "bnk_1"}


async def test_each_party_signs_with_its_own_secret() -> None:
    notice = psp_notice({"id": "op_1"}, Fresh(1, "x"))
    signatures = {
        party: (await brought(party, notice))[1]["headers"]["Webhook-Signature"]
        for party in ("psp", "bank")
    }
    macs = {party: signed.partition("v1=")[2] for party, signed in signatures.items()}
    assert macs["psp"] != macs["bank"]
    assert all(len(mac) == 64 for mac in macs.values())
    assert json.loads(notice)["operation"] == {"id": "op_1"}
    assert json.loads(notice)["id"].startswith("ntc_")
