"""Bad input at its edges: no operation answers it with 500, and none lets it have an effect."""

import time
from collections.abc import Callable

import httpx
import pytest
import pytest_asyncio

from payments.dependencies import Context
from testkit.api import money, new_key
from testkit.bank import FakeBank
from testkit.edges import wrong
from testkit.edges.asking import refused, send, signature
from testkit.edges.document import DOCUMENT, OPERATIONS, Operation, documented
from testkit.edges.operations import USES
from testkit.edges.scene import Parties, Scene, set_scene
from testkit.names import Names
from testkit.notices import SECRETS
from testkit.notifier import FakeNotifier
from testkit.psp import FakePsp

pytestmark = pytest.mark.skipif(not DOCUMENT, reason="openapi.yaml is not beside this project")

ROLES = ("viewer", "operator", "owner")


def those(chosen: Callable[[Operation], object]) -> pytest.MarkDecorator:
    """The operations for which something holds, as parameters."""
    return pytest.mark.parametrize("operation", [o for o in OPERATIONS if chosen(o)], ids=str)


@pytest_asyncio.fixture(loop_scope="session")
async def parties(
    fake_psp: FakePsp, fake_bank: FakeBank, fake_notifier: FakeNotifier, names: Names
) -> Parties:
    return Parties(fake_psp, fake_bank, fake_notifier, names)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """The scene that all tests share which change nothing, once it is set."""
    return []


@pytest_asyncio.fixture(loop_scope="session")
async def scene(
    scenes: list[Scene], context: Context, http: httpx.AsyncClient, parties: Parties
) -> Scene:
    if not scenes:
        scenes.append(await set_scene(context, http, parties))
    return scenes[0]


def test_the_table_has_every_operation_of_the_document() -> None:
    assert set(USES) == set(documented())


async def test_the_table_uses_every_operation_well(
    context: Context, http: httpx.AsyncClient, parties: Parties
) -> None:
    scene = await set_scene(context, http, parties)
    for operation in OPERATIONS:
        answer = await send(scene, operation)
        assert 200 <= answer.status_code < 300, (operation.id, answer.text)


@those(lambda operation: operation.schema is not None)
async def test_bodies_that_are_none(scene: Scene, operation: Operation) -> None:
    before = await scene.digest()
    for what, content, status in wrong.NO_BODIES:
        answer = await send(scene, operation, content=content)
        refused(answer, {status} if status else {400, 422}, what)
    for content_type in wrong.NO_CONTENT_TYPES:
        headers: dict[str, str | bytes] = {"Content-Type": content_type or b" "}
        refused(await send(scene, operation, headers=headers), {415}, content_type)
    if operation.described["requestBody"].get("required") or operation.use.party:
        for content in (b"", b"null", b"{}"):
            if content != b"{}" or wrong.resolve(DOCUMENT, operation.schema or {}).get("required"):
                refused(await send(scene, operation, content=content), {400, 422}, content)
    assert await scene.digest() == before


@those(lambda operation: operation.schema is not None)
async def test_bodies_with_one_thing_wrong(scene: Scene, operation: Operation) -> None:
    good = operation.use.filled(scene.mine)
    before = await scene.digest()
    for what, body in wrong.wrong_bodies(DOCUMENT, operation.schema or {}, good):
        answer = await send(scene, operation, content=wrong.encoded(body))
        refused(answer, {400, 422}, what)
    assert await scene.digest() == before


@those(lambda operation: operation.schema is not None)
async def test_ids_in_bodies_that_name_nothing_here(scene: Scene, operation: Operation) -> None:
    good = operation.use.filled(scene.mine)
    before = await scene.digest()
    for name, value in (operation.use.body or {}).items():
        if not str(value).endswith("_id}"):
            continue
        strangers = [f"acc_{'0' * 32}", scene.mine["payment_id"], "acc_1"]
        if name not in operation.use.foreign:
            strangers.append(scene.theirs[value.strip("{}")])
        for stranger in strangers:
            answer = await send(scene, operation, content=wrong.encoded(good | {name: stranger}))
            expected = {401} if operation.id == "issueToken" else {404, 422}
            refused(answer, expected, (name, stranger))
    changed = {table for table, rows in (await scene.digest()).items() if rows != before[table]}
    assert changed <= ({"clients"} if operation.id == "issueToken" else set())


@those(lambda operation: operation.in_place("path"))
async def test_paths_that_name_nothing_here(scene: Scene, operation: Operation) -> None:
    before = await scene.digest()
    for name in operation.in_place("path"):
        own = scene.mine[operation.use.objects.get(name, name)]
        prefix = own.partition("_")[0]
        wrongs = [
            scene.theirs[operation.use.objects.get(name, name)],
            f"{prefix}_{'0' * 32}",
            *(f"{prefix}_1", f"{own}0", own[:-1], f"{own}%0A", f"{own}%00", "%FF"),
            *({own.upper()} - {own}),
            *(f"xx_{'0' * 32}", "%2E%2E", "x'%20OR%201=1", "a" * 3_000, "\u0661"),
        ]
        for value in wrongs:
            path = operation.use.path(operation.template, scene.mine, **{name: value})
            answer = await send(scene, operation, path=path)
            refused(answer, {403, 404}, value)
            assert own not in answer.text
    assert await scene.digest() == before


@those(lambda operation: "Idempotency-Key" in operation.parameters)
async def test_keys_that_are_none_or_were_used(scene: Scene, operation: Operation) -> None:
    by = scene.callers[operation.use.by]
    used = new_key()
    if operation.use.by == "admin":
        body = {"account": scene.mine["account_id"], "amount": money(7)}
        assert (await by.post("/v1/deposits", body, used)).status_code == 201
    else:
        body = {"from": scene.mine["account_id"], "to": scene.mine["second_id"]}
        body |= {"amount": money(7)}
        moved = await scene.callers["operator"].post("/v1/transfers", body, used)
        assert moved.status_code == 201
    before = await scene.digest()
    for key in (
        b"",
        b'""',
        b"~" * 256,
        b"caf\xe9",
        "clé".encode(),
        b"a\tb",
        b"\x7f",
        b'"a" "b"\xff',
    ):
        answer = await send(scene, operation, headers={"Idempotency-Key": key})
        refused(answer, {400}, key)
        assert answer.json()["code"] in ("idempotency_key_missing", "idempotency_key_invalid")
    answer = await send(scene, operation, headers={"Idempotency-Key": used})
    refused(answer, {422}, "used")
    assert answer.json()["code"] == "idempotency_key_reused"
    assert await scene.digest() == before


@those(lambda operation: operation.in_place("query"))
async def test_queries_that_are_none(scene: Scene, operation: Operation) -> None:
    edges = {
        "limit": ["0", "101", "-1", "1.5", "x", "", "1e1", "\u0661", "9" * 400],
        "object": ["", "no id", "x'", "é", "a" * 101, "a\x00"],
        "cursor": ["", "x", "AAAA", "=" * 8, "é", "A" * 1_001, *await cursors(scene, operation)],
    }
    before = await scene.digest()
    for name in operation.in_place("query"):
        for value in edges.get(name, ["", "x", "id", "amount;--", "created_at,amount"]):
            answer = await send(scene, operation, query={name: value})
            refused(answer, {422}, (name, value))
    assert await scene.digest() == before


async def cursors(scene: Scene, operation: Operation) -> list[str]:
    """Cursors of other lists and of another merchant, and its own with a character changed."""
    found: list[str] = []
    for one in OPERATIONS:
        if "cursor" not in one.in_place("query"):
            continue
        everybodys = one.use.by == "admin"
        callers = [("owner", scene.mine), ("stranger", scene.theirs)]
        for by, objects in [("admin", scene.mine)] if everybodys else callers:
            path = one.use.path(one.template, objects)
            page = await scene.callers[by].get(path, limit=1)
            cursor = page.json()["next_cursor"]
            if cursor and (one is not operation or by == "stranger"):
                found.append(cursor)
            elif cursor:
                found += [
                    cursor[:-1],
                    cursor + "A",
                    ("A" if cursor[0] != "A" else "B") + cursor[1:],
                ]
    assert len(found) > 10
    return found


@those(lambda operation: operation.use.by != "nobody")
async def test_callers_that_may_not(scene: Scene, operation: Operation) -> None:
    needed = operation.use.by
    before = await scene.digest()
    for token in ("", "x", "a.b.c", "Bearer", "\x00".join("ab"), "\xe9"):
        headers: dict[str, str | bytes] = {"Authorization": f"Bearer {token}".encode("latin-1")}
        answer = await send(scene, operation, by=scene.callers["nobody"], headers=headers)
        refused(answer, {401}, token)
        assert "www-authenticate" in answer.headers
    answer = await send(scene, operation, by=scene.callers["nobody"])
    refused(answer, {401}, "no token")
    weaker = ROLES if needed == "admin" else ROLES[: ROLES.index(needed)]
    for role in (*weaker, *(() if needed == "admin" else ("admin",))):
        answer = await send(scene, operation, by=scene.callers[role])
        refused(answer, {403}, role)
        assert answer.json()["code"] == "forbidden"
    assert await scene.digest() == before


@those(lambda operation: operation.use.party)
async def test_signatures_that_are_none(scene: Scene, operation: Operation) -> None:
    own, body = SECRETS[operation.use.party], wrong.encoded(operation.use.filled(scene.mine))
    (other,) = {secret for party, secret in SECRETS.items() if party != operation.use.party}
    now, right = time.time(), signature(own, body)
    moment, _, mac = right.partition(",")
    headers = [
        *("", "x", moment, mac, f"{moment},", right[:-1], f"{right}0", right.replace("v1", "v0")),
        *(right.replace("t=", "t=-"), right.replace("t=", "t=x"), f"{moment},{right}"),
        *(signature(other, body), signature("", body), signature(own, body + b" ")),
        *(
            signature(own, body, now - 310),
            signature(own, body, now + 310),
            signature(own, body, 0),
        ),
        *(f"t={'9' * 30},{mac}", f"t=\u0661,{mac}", "\x00", "," * 5_000),
    ]
    before = await scene.digest()
    for header in headers:
        sent: dict[str, str | bytes] = {"Webhook-Signature": header.encode()}
        answer = await send(scene, operation, headers=sent)
        refused(answer, {401}, header[:80])
        assert answer.json()["code"] == "signature_invalid"
    assert await scene.digest() == before


@those(lambda operation: "If-Match" in operation.parameters)
async def test_versions_that_are_none_or_stale(scene: Scene, operation: Operation) -> None:
    before = await scene.digest()
    for tag in ("", '"0"', '"2"', '"1', "1", '"x"', '""', ",", "é", "\x00"):
        answer = await send(scene, operation, headers={"If-Match": tag.encode()})
        refused(answer, {412, 428}, tag)
    assert await scene.digest() == before


async def test_codes_that_are_wrong_stale_or_somebody_elses(
    context: Context, http: httpx.AsyncClient, parties: Parties
) -> None:
    scene = await set_scene(context, http, parties)
    (operation,) = (one for one in OPERATIONS if one.id == "approvePayout")
    good = scene.mine["code"]
    payout, other = scene.mine["approvable_id"], scene.mine["changeable_id"]
    before = await scene.digest()
    other_code = f"{(int(good) + 1) % 10**8:08d}"
    for code in (other_code, scene.theirs["code"], good[:-1], f"0{good}"):
        if code != good:
            answer = await send(scene, operation, content=wrong.encoded({"code": code}))
            refused(answer, {422}, code)
    elsewhere = operation.template.format(payout_id=other)
    answer = await send(scene, operation, path=elsewhere)
    refused(answer, {422}, "another payout's")
    changed = {table for table, rows in (await scene.digest()).items() if rows != before[table]}
    assert changed <= {"payout_approvers", "audit_records"}

    amount = wrong.encoded({"amount": money(99)})
    (change,) = (one for one in OPERATIONS if one.id == "changePayout")
    await send(scene, change, path=f"/v1/payouts/{payout}", content=amount)
    refused(await send(scene, operation), {403, 422}, "stale")
    assert (await scene.callers["owner"].get(f"/v1/payouts/{payout}")).json()["status"] == (
        "awaiting_approval"
    )


@pytest.mark.parametrize("amount", [1, 10**12])
async def test_the_smallest_and_the_largest_amount_are_amounts(
    context: Context, http: httpx.AsyncClient, parties: Parties, amount: int
) -> None:
    scene = await set_scene(context, http, parties)
    for operation in OPERATIONS:
        if "amount" in (operation.use.body or {}):
            body = operation.use.filled(scene.mine) | {"amount": money(amount)}
            answer = await send(scene, operation, content=wrong.encoded(body))
            assert answer.json().get("code") != "validation_failed", (operation.id, answer.text)
