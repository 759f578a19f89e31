"""Holding what the service shows, and what its tables hold, against the model."""

from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl

from testkit.api import Caller
from testkit.model.cards import Payment, Refund
from testkit.model.conversions import Quote
from testkit.model.ledger import Account, Event, Ledger, Shown, Subject
from testkit.model.movements import Deposit, Transfer
from testkit.model.payouts import Payout
from testkit.model.rules.stage import Shop, Stage

LISTS: dict[type[object], str] = {
    Account: "accounts",
    Transfer: "transfers",
    Payment: "payments",
    Quote: "quotes",
    Payout: "payouts",
}


def agree(told: Shown, expected: Shown) -> None:
    """See that every member that the model knows is told so."""
    differing = {
        name: (told.get(name), value)
        for name, value in expected.items()
        if not _alike(told.get(name), value)
    }
    assert not differing, f"{told.get('id')}: told and expected differ: {differing}"


def _alike(told: object, expected: object) -> bool:
    match told, expected:
        case dict(), dict():
            return all(_alike(told.get(name), value) for name, value in expected.items())
        case list(), list():
            return len(told) == len(expected) and all(map(_alike, told, expected))
    return told == expected


def seen_by(subject: Subject) -> set[str]:
    """The merchants that see an object."""
    match subject:
        case Account():
            return {subject.merchant}
        case Transfer() | Quote():
            return {subject.source.merchant, subject.target.merchant}
        case Refund():
            return {subject.payment.account.merchant}
        case Payment() | Payout() | Deposit():
            return {subject.account.merchant}
    raise TypeError(f"nobody can look at a {type(subject).__name__}")


def path_of(subject: Subject) -> str:
    """Where an object is shown."""
    if isinstance(subject, Refund):
        return f"/v1/payments/{subject.payment.id}/refunds/{subject.id}"
    return f"/v1/{LISTS[type(subject)]}/{subject.id}"


async def whole(caller: Caller, path: str, limit: int = 100) -> list[Shown]:
    """All rows of a list, newest first, page by page."""
    found: list[Shown] = []
    path, _, which = path.partition("?")
    parameters: dict[str, object] = {"limit": limit, **dict(parse_qsl(which))}
    while True:
        answer = await caller.get(path, **parameters)
        assert answer.status_code == 200, (path, answer.text)
        found += answer.json()["data"]
        if answer.json()["next_cursor"] is None:
            return found
        parameters["cursor"] = answer.json()["next_cursor"]


def compare_balances(stage: Stage, ledger: Ledger, shops: Sequence[Shop]) -> None:
    """All accounts; what is available is never negative (3.2)."""
    pages = stage.all(*(whole(shop.merchant, "/v1/accounts") for shop in shops))
    for shop, told in zip(shops, pages, strict=True):
        shown = {account["id"]: account for account in told}
        expected = [account for account in ledger.accounts if account.merchant == shop.id]
        assert shown.keys() == {account.id for account in expected}
        for account in expected:
            assert shown[account.id]["balance"]["available"]["amount"] >= 0
            agree(shown[account.id], account.shown())


def compare_objects(
    stage: Stage, ledger: Ledger, shops: Sequence[Shop], subjects: Iterable[Subject]
) -> None:
    """Objects and their events as those who may see them are told; entries of accounts."""
    for subject in subjects:
        for shop in shops:
            if shop.id not in seen_by(subject):
                continue
            if isinstance(subject, Account):
                compare_entries(stage, shop, subject)
                continue
            if not isinstance(subject, Deposit):
                answer = stage.do(shop.merchant.get(path_of(subject)))
                assert answer.status_code == 200, (path_of(subject), answer.text)
                agree(answer.json(), subject.shown())
            told = stage.do(whole(shop.merchant, f"/v1/events?object={subject.id}"))
            compare_stream(told[::-1], ledger.events.get((shop.id, subject.id), []))


def compare_events(stage: Stage, ledger: Ledger, shops: Sequence[Shop]) -> None:
    """All events of all merchants: none is left out, and none is about anything else."""
    pages = stage.all(*(whole(shop.merchant, "/v1/events") for shop in shops))
    for shop, told in zip(shops, pages, strict=True):
        streams: dict[tuple[str, str], list[Shown]] = {}
        for event in reversed(told):
            streams.setdefault((shop.id, event["object"]), []).append(event)
        expected = {of: stream for of, stream in ledger.events.items() if of[0] == shop.id}
        assert streams.keys() == expected.keys(), streams.keys() ^ expected.keys()
        for of, stream in streams.items():
            compare_stream(stream, expected[of])


def compare_stream(told: Sequence[Shown], expected: Sequence[Event]) -> None:
    """One object's events, oldest first: each once, numbered, with the object as it was (16.4)."""
    steps = [(event["sequence"], event["type"]) for event in told]
    assert steps == [(event.sequence, event.type) for event in expected]
    for event, meant in zip(told, expected, strict=True):
        agree(event["data"], meant.data or {})


def compare_entries(stage: Stage, shop: Shop, account: Account) -> None:
    """An account's entries (3.5)."""
    told = stage.do(whole(shop.merchant, f"{path_of(account)}/entries"))
    assert sum(entry["amount"]["amount"] for entry in told) == account.posted
    shown = sorted((e["kind"], e["reference"], e["amount"]["amount"]) for e in told)
    meant = sorted((e.kind, e.reference, e.amount) for e in account.entries)
    assert shown == meant, (account, shown, meant)


def compare_lists(stage: Stage, shops: Sequence[Shop], subjects: Iterable[Subject]) -> None:
    """The lists of all kinds of objects, in small pages; and what is in none of a merchant's."""
    known = list(subjects)
    for kind, name in LISTS.items():
        if kind is Account:
            continue
        pages = stage.all(*(whole(shop.merchant, f"/v1/{name}", limit=7) for shop in shops))
        for shop, told in zip(shops, pages, strict=True):
            meant = {o.id: o for o in known if isinstance(o, kind) and shop.id in seen_by(o)}
            assert [row["id"] for row in told] == list(meant)[::-1]
            for row in told:
                agree(row, meant[row["id"]].shown())
    for subject in known:
        for shop in shops:
            if shop.id not in seen_by(subject):
                answer = stage.do(shop.merchant.get(path_of(subject)))
                assert answer.status_code in (403, 404), path_of(subject)


_LEGS = """
    SELECT kind, reference, transaction_id, currency, sum(amount) AS total
    FROM transactions JOIN entries ON transaction_id = transactions.id
    WHERE transaction_id IN (
        SELECT transaction_id FROM entries WHERE account_id = ANY(:accounts)
    )
    GROUP BY kind, reference, transaction_id, currency
"""
_BALANCES = """
    SELECT account_id, posted, held, coalesce(sum(amount), 0) AS total
    FROM balances LEFT JOIN entries USING (account_id)
    WHERE account_id = ANY(:accounts) GROUP BY account_id, posted, held
"""
_WHOLE = "SELECT currency, sum(amount) AS total FROM entries GROUP BY currency"


def compare_ledger(stage: Stage, ledger: Ledger) -> None:
    """The tables: every transaction is meant, is there once, and comes to zero (section 8)."""
    accounts = {account.id: account for account in ledger.accounts}
    legs = stage.query(_LEGS, accounts=list(accounts))
    assert sorted((leg.kind, leg.reference) for leg in legs) == sorted(ledger.posted)
    assert not [leg for leg in legs if leg.total != 0]
    assert not [row for row in stage.query(_WHOLE) if row.total != 0]
    for row in stage.query(_BALANCES, accounts=list(accounts)):
        account = accounts[row.account_id]
        assert (row.posted, row.held, row.total) == (account.posted, account.held, account.posted)
