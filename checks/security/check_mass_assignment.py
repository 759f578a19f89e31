"""mass-assignment: a body sets what only the service decides (CWE-915)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checks import contract
from checks.amounts import money
from checks.client import Answer
from checks.fresh import Fresh
from checks.probes import probe
from checks.registry import check
from checks.security.members import HINT, RICH, identities, pounds, said, unfailing, written
from checks.shapes import Account, ClientAccount, Transfer
from checks.tenants import Merchant, transfer_body
from checks.verdicts import Broken, Vulnerable


def _balances() -> tuple[dict[str, object], ...]:
    """Balances as a body might try to set them, in the shapes that a service might store."""
    whole = {"posted": pounds(RICH), "held": pounds(0), "available": pounds(RICH)}
    return (
        {"balance": whole},
        {"balance": RICH},
        {"posted": RICH},
        {"available": RICH},
        {"posted": pounds(RICH), "available": pounds(RICH)},
        {"balance_posted": RICH},
        {"posted_amount": RICH},
        {"balance": {"posted": RICH, "held": 0, "available": RICH}},
        {"held": -RICH},
        {"held": pounds(-RICH)},
    )


@check(
    "mass-assignment",
    needs=(*contract.accounts, *contract.deposits),
    competencies=("security.authorisation", "api.validation"),
)
async def an_accounts_owner_and_balance_are_not_the_clients(
    alice: Merchant, bob: Merchant, fresh: Fresh
) -> None:
    """No body sets an account's id, owner, balance, version or date, when opened or renamed."""
    await alice.open_account()
    extras: tuple[dict[str, object], ...] = (
        *_balances(),
        *identities(fresh, "acc", bob.id),
        {"version": 77},
    )
    for extra in extras:
        with probe(f"an account made with {said(extra)}"):
            body = {"name": fresh.name(), "currency": "GBP"} | extra
            answer = await alice.post("/v1/accounts", body)
            unfailing(answer, extra)
            if answer.ok:
                await _untouched(alice, bob, answer, body, extra)
    account = await alice.funded(money("10.00 GBP"))
    currency: dict[str, object] = {"currency": "KWD"}
    for extra in (*extras, currency):
        before = await alice.account(account)
        with probe(f"an account renamed with {said(extra)}"):
            body = {"name": fresh.name()} | extra
            match = {"If-Match": f'"{before.version}"'}
            answer = await alice.owner.patch(account.url, body, headers=match)
            unfailing(answer, extra)
            shown = await alice.get(account.url)
            if not shown.ok:
                raise Vulnerable(f"{answer}, and then {shown}: its owner lost it.", HINT)
            after = shown.read(Account)
            kept = {"name": after.name, "version": after.version}
            if after != before.model_copy(update=kept) or after.version > before.version + 1:
                raise Vulnerable(
                    f"{answer} with {said(extra)}, and the account was {written(before)}"
                    f" and is {written(after)}.",
                    HINT,
                )


async def _untouched(
    alice: Merchant,
    bob: Merchant,
    answer: Answer,
    body: Mapping[str, object],
    extra: Mapping[str, object],
) -> None:
    """An account made with an extra member is alice's, new and empty all the same."""
    made = answer.read(Account)
    for reader, url in ((bob, made.url), (bob, f"/v1/accounts/{extra.get('id', made.id)}")):
        if (await reader.get(url)).ok:
            raise Vulnerable(f"{answer} with {said(extra)}: the account is now bob's.", HINT)
    shown = await alice.get(made.url)
    if not shown.ok:
        raise Vulnerable(f"{answer} with {said(extra)}, and then {shown}.", HINT)
    now = shown.read(Account)
    balance = now.balance
    amounts = (balance.posted.amount, balance.held.amount, balance.available.amount)
    stamped = now.created_at.year
    wrong_id = now.id == extra.get("id")
    if amounts != (0, 0, 0) or stamped == 2001 or wrong_id or now.version == extra.get("version"):
        raise Vulnerable(
            f"{answer} with {said(extra)}, and the account is {written(now)}: the body set it.",
            HINT,
        )
    if now.name != body["name"] or now.currency != "GBP":
        raise Broken(f"{answer}, but the account is {written(now)}.")


@check(
    "mass-assignment",
    needs=contract.transfers,
    competencies=("security.authorisation", "api.validation"),
)
async def a_transfers_history_is_not_the_clients(
    alice: Merchant, bob: Merchant, fresh: Fresh
) -> None:
    """No body sets a transfer's id or reversal, a client's maker, or a merchant's id."""
    source, target = await alice.funded(), await alice.open_account()
    other = await alice.transfer(source, target, money("1.00 GBP"))
    extras: tuple[dict[str, object], ...] = (
        {"reversed_by": other.id},
        {"reverses": other.id},
        {"status": "reversed"},
        *identities(fresh, "tr", bob.id),
    )
    for extra in extras:
        body = transfer_body(source, target, fresh.money(1, 500)) | extra
        with probe(f"a transfer made with {said(extra)}"):
            answer = await alice.post("/v1/transfers", body, key=fresh.key())
            unfailing(answer, extra)
            if answer.ok:
                made = answer.read(Transfer)
                set_ = made.reversed_by or made.reverses or made.id == extra.get("id")
                if set_ or made.created_at.year == 2001:
                    raise Vulnerable(f"{answer} with {said(extra)}, as {written(made)}.", HINT)
                if (await bob.get(made.url)).ok:
                    raise Vulnerable(f"{answer} with {said(extra)}: bob sees it now.", HINT)
    await _clients(alice, bob, fresh)


async def _clients(alice: Merchant, bob: Merchant, fresh: Fresh) -> None:
    for extra in (
        {"merchant": bob.id},
        {"merchant_id": bob.id},
        {"id": f"cli_{fresh.word(26)}"},
        {"created_by": bob.facts.owner.id},
        {"secret": fresh.word(40)},
    ):
        body: dict[str, Any] = {"name": fresh.name(), "role": "viewer"} | extra
        with probe(f"a client made with {said(extra)}"):
            answer = await alice.post("/v1/clients", body)
            unfailing(answer, extra)
            if not answer.ok:
                continue
            made = answer.read(ClientAccount)
            listed = [item["id"] async for _, item in bob.walk("/v1/clients")]
            set_ = any(answer.members.get(name) == value for name, value in extra.items())
            if made.id in listed or set_:
                raise Vulnerable(f"{answer} with {said(extra)}, as {written(made)}.", HINT)
