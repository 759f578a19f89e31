"""mass-assignment: a body sets what only the service decides (CWE-915)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checks import contract
from checks.amounts import Money, money
from checks.client import Answer
from checks.fresh import Fresh
from checks.probes import probe
from checks.registry import check
from checks.shapes import Account, ClientAccount, Payment, Refund, Transfer
from checks.tenants import Merchant, Platform, payment_body, transfer_body
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Name the members that a client may send in a schema of its own for each request, and refuse"
    " all others; never copy a body onto a stored object."
)

_PAST = "2001-02-03T04:05:06Z"

#: Balances as a body might try to set them, in the shapes that a service might store.
_RICH = 99_999_900


def _money(amount: int) -> dict[str, object]:
    return Money(amount, "GBP").json()


def _balances() -> tuple[dict[str, object], ...]:
    whole = {"posted": _money(_RICH), "held": _money(0), "available": _money(_RICH)}
    return (
        {"balance": whole},
        {"balance": _RICH},
        {"posted": _RICH},
        {"available": _RICH},
        {"posted": _money(_RICH), "available": _money(_RICH)},
        {"balance_posted": _RICH},
        {"posted_amount": _RICH},
        {"balance": {"posted": _RICH, "held": 0, "available": _RICH}},
        {"held": -_RICH},
        {"held": _money(-_RICH)},
    )


def _identities(fresh: Fresh, prefix: str, merchant: str) -> tuple[dict[str, object], ...]:
    return (
        {"id": f"{prefix}_{fresh.word(26)}"},
        {"merchant": merchant},
        {"merchant_id": merchant},
        {"merchantId": merchant},
        {"owner": merchant},
        {"owner_id": merchant},
        {"tenant": merchant},
        {"tenant_id": merchant},
        {"organisation_id": merchant},
        {"organization_id": merchant},
        {"user_id": merchant},
        {"created_at": _PAST},
        {"createdAt": _PAST},
    )


def _asserted(answer: Answer, extra: Mapping[str, object]) -> None:
    """A failure is no way to refuse."""
    if answer.failed:
        raise Broken(f"{answer} for a body with {sorted(extra)}.", _HINT)


@check(
    "mass-assignment",
    needs=(*contract.accounts, *contract.deposits),
    competencies=("security.authorisation", "api.validation"),
)
async def an_accounts_owner_and_balance_are_not_the_clients(
    alice: Merchant, bob: Merchant, fresh: Fresh
) -> None:
    """No body sets an account's id, owner, balance or version, when it is made or renamed."""
    await alice.open_account()
    extras: tuple[dict[str, object], ...] = (
        *_balances(),
        *_identities(fresh, "acc", bob.id),
        {"version": 77},
    )
    for extra in extras:
        with probe(f"an account made with {_said(extra)}"):
            body = {"name": fresh.name(), "currency": "GBP"} | extra
            answer = await alice.post("/v1/accounts", body)
            _asserted(answer, extra)
            if answer.ok:
                await _untouched(alice, bob, answer, body, extra)
    account = await alice.funded(money("10.00 GBP"))
    currency: dict[str, object] = {"currency": "KWD"}
    for extra in (*extras, currency):
        before = await alice.account(account)
        with probe(f"an account renamed with {_said(extra)}"):
            body = {"name": fresh.name()} | extra
            match = {"If-Match": f'"{before.version}"'}
            answer = await alice.owner.patch(account.url, body, headers=match)
            _asserted(answer, extra)
            shown = await alice.get(account.url)
            if not shown.ok:
                raise Vulnerable(f"{answer}, and then {shown}: its owner lost it.", _HINT)
            after = shown.read(Account)
            kept = {"name": after.name, "version": after.version}
            if after != before.model_copy(update=kept) or after.version > before.version + 1:
                raise Vulnerable(
                    f"{answer} with {_said(extra)}, and the account changed from {before} to"
                    f" {after}.",
                    _HINT,
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
            raise Vulnerable(f"{answer} with {_said(extra)}: the account is now bob's.", _HINT)
    shown = await alice.get(made.url)
    if not shown.ok:
        raise Vulnerable(f"{answer} with {_said(extra)}, and then {shown}.", _HINT)
    now = shown.read(Account)
    balance = now.balance
    amounts = (balance.posted.amount, balance.held.amount, balance.available.amount)
    stamped = now.created_at.year
    wrong_id = now.id == extra.get("id")
    if amounts != (0, 0, 0) or stamped == 2001 or wrong_id or now.version == extra.get("version"):
        raise Vulnerable(
            f"{answer} with {_said(extra)}, and the account is {now}: the body set it.", _HINT
        )
    if now.name != body["name"] or now.currency != "GBP":
        raise Broken(f"{answer}, but the account is {now}.")


@check(
    "mass-assignment",
    needs=(*contract.payments, *contract.refunds),
    competencies=("security.authorisation", "api.validation"),
)
async def a_payments_state_is_not_the_clients(alice: Merchant, bob: Merchant, fresh: Fresh) -> None:
    """No body sets a payment's or refund's status, captured or refunded amount, fee or owner."""
    theirs = await bob.open_account()
    extras: tuple[dict[str, object], ...] = (
        {"status": "captured"},
        {"status": "refunded"},
        {"state": "captured"},
        {"captured": _money(_RICH)},
        {"captured_amount": _RICH},
        {"capturedAmount": _RICH},
        {"captured": _RICH},
        {"fee": _money(0)},
        {"fee": 0},
        {"fee_amount": 0},
        {"refunded": _money(1)},
        {"refunds": []},
        {"authorisation": fresh.word(20)},
        *_identities(fresh, "pay", bob.id),
    )
    account = await alice.open_account()
    for extra in extras:
        amount = fresh.money(2_000, 9_000)
        body = payment_body(account, amount, fresh.card(), capture=False) | extra
        with probe(f"a payment made with {_said(extra)}"):
            answer = await alice.post("/v1/payments", body, key=fresh.key())
            _asserted(answer, extra)
            if answer.ok:
                await _plain_payment((alice, bob), account, amount, answer, extra)
                account = await alice.open_account()
    await _follow_ups(alice, theirs, fresh)


async def _plain_payment(
    merchants: tuple[Merchant, Merchant],
    account: Account,
    amount: Money,
    answer: Answer,
    extra: Mapping[str, object],
) -> None:
    """A payment made with an extra member is only authorised, and alice's, all the same."""
    alice, bob = merchants
    made = answer.read(Payment)
    shown = await alice.get(made.url)
    if not shown.ok or (await bob.get(made.url)).ok:
        raise Vulnerable(f"{answer} with {_said(extra)}: the payment changed hands.", _HINT)
    now = shown.read(Payment)
    nothing = Money(0, amount.currency)
    figures = (now.captured.money, now.refunded.money, now.fee.money)
    right = now.status == "authorised" and figures == (nothing, nothing, nothing)
    posted = (await alice.account(account)).balance.posted.amount
    stamped = now.created_at.year == 2001
    if not right or posted or stamped or now.id == extra.get("id") or now.account != account.id:
        raise Vulnerable(
            f"{answer} with {_said(extra)}, and the payment is {now.status}, captured"
            f" {now.captured.money}, fee {now.fee.money}, created {now.created_at}; posted"
            f" {posted}.",
            _HINT,
        )
    captured = await alice.capture(now)
    wanted = Money((amount.amount * 150 + 5_000) // 10_000, "GBP").amount
    if captured.captured.money != amount or abs(captured.fee.amount - wanted) > 1:
        raise Vulnerable(
            f"{answer} with {_said(extra)}; captured, it shows {captured.captured.money} and a fee"
            f" of {captured.fee.money}.",
            _HINT,
        )


async def _follow_ups(alice: Merchant, theirs: Account, fresh: Fresh) -> None:
    """Captures and refunds take no more than they name, either."""
    account = await alice.funded()
    payment = await alice.authorise(account=account)
    for extra in ({"fee": _money(0)}, {"status": "captured"}, {"captured": _money(_RICH)}):
        part = fresh.money(100, 900)
        with probe(f"a capture with {_said(extra)}"):
            body = {"amount": part.json()} | extra
            answer = await alice.post(f"{payment.url}/capture", body, key=fresh.key())
            _asserted(answer, extra)
            now = await alice.payment(payment)
            wanted = part if answer.ok else Money(0, "GBP")
            if now.captured.money != wanted or (answer.ok and now.fee.amount == 0):
                raise Vulnerable(f"{answer} with {_said(extra)}, and it is {now}.", _HINT)
            if answer.ok:
                payment = await alice.authorise(account=account)
    taken = await alice.pay(account=account)
    for extra in (
        {"status": "failed"},
        {"status": "pending"},
        {"account": theirs.id},
        {"payment": f"pay_{fresh.word(26)}"},
        {"id": f"ref_{fresh.word(26)}"},
    ):
        before = (await alice.account(account)).balance.available.amount
        part = fresh.money(100, 900)
        with probe(f"a refund with {_said(extra)}"):
            body = {"amount": part.json()} | extra
            answer = await alice.post(f"{taken.url}/refunds", body, key=fresh.key())
            _asserted(answer, extra)
            after = (await alice.account(account)).balance.available.amount
            if answer.ok:
                refund = answer.read(Refund)
                told = (refund.status, refund.payment, refund.amount.money)
                if told != ("succeeded", taken.id, part) or refund.id == extra.get("id"):
                    raise Vulnerable(f"{answer} with {_said(extra)}, as {refund}.", _HINT)
            if after != before - (part.amount if answer.ok else 0):
                raise Vulnerable(f"{answer} with {_said(extra)} moved {before - after}.", _HINT)


@check(
    "mass-assignment",
    needs=contract.transfers,
    competencies=("security.authorisation", "api.validation"),
)
async def a_transfers_history_is_not_the_clients(
    alice: Merchant, bob: Merchant, platform: Platform, fresh: Fresh
) -> None:
    """No body sets a transfer's id or reversal, a client's maker, or a merchant's id."""
    source, target = await alice.funded(), await alice.open_account()
    other = await alice.transfer(source, target, money("1.00 GBP"))
    extras: tuple[dict[str, object], ...] = (
        {"reversed_by": other.id},
        {"reverses": other.id},
        {"status": "reversed"},
        *_identities(fresh, "tr", bob.id),
    )
    for extra in extras:
        body = transfer_body(source, target, fresh.money(1, 500)) | extra
        with probe(f"a transfer made with {_said(extra)}"):
            answer = await alice.post("/v1/transfers", body, key=fresh.key())
            _asserted(answer, extra)
            if answer.ok:
                made = answer.read(Transfer)
                set_ = made.reversed_by or made.reverses or made.id == extra.get("id")
                if set_ or made.created_at.year == 2001:
                    raise Vulnerable(f"{answer} with {_said(extra)}, as {made}.", _HINT)
                if (await bob.get(made.url)).ok:
                    raise Vulnerable(f"{answer} with {_said(extra)}: bob sees it now.", _HINT)
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
        with probe(f"a client made with {_said(extra)}"):
            answer = await alice.post("/v1/clients", body)
            _asserted(answer, extra)
            if not answer.ok:
                continue
            made = answer.read(ClientAccount)
            listed = [item["id"] async for _, item in bob.walk("/v1/clients")]
            set_ = any(answer.members.get(name) == value for name, value in extra.items())
            if made.id in listed or set_:
                raise Vulnerable(f"{answer} with {_said(extra)}, as {made}.", _HINT)


def _said(extra: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in extra.items())
