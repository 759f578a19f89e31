"""Card payments: sale, authorisation, capture, void, refund, lists (contract 6)."""

from __future__ import annotations

from checks import contract
from checks.amounts import Money, money
from checks.attachment import Psp
from checks.books import Books
from checks.expectations import expect_payment, expect_problem
from checks.fresh import Fresh
from checks.processor import effects
from checks.registry import check
from checks.shapes import Page, Payment
from checks.tenants import Merchant, payment_body
from checks.verdicts import Broken


@check(needs=contract.accounts, competencies=("money.ledger", "money.arithmetic"))
async def a_sale_is_captured_and_credited(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """A sale charges the card once and credits captured less the fee."""
    books = Books()
    account = books.open(alice, await alice.open_account())
    for amount in (fresh.money(100, 9_000), fresh.money(10_000, 900_000)):
        card, reference = fresh.card(), fresh.reference()
        body = payment_body(account, amount, card) | {"reference": reference}
        answer = await alice.post("/v1/payments", body, key=fresh.key())
        payment = answer.expect(201).read(Payment)
        expect_payment(payment, "captured", amount)
        if (payment.account, payment.amount.money, payment.reference, payment.refunds) != (
            account.id,
            amount,
            reference,
            (),
        ):
            raise Broken(f"{answer} with {payment}.")
        if await alice.payment(payment) != payment:
            raise Broken(f"GET {payment.url} shows another payment than was answered.")
        charged = effects(await psp.journal(card))
        if [(done.type, done.amount, done.currency) for done in charged] != [
            ("sale", amount.decimal, amount.currency)
        ]:
            raise Broken(f"The PSP was made to do {charged} for one sale of {amount}.")
        books.capture(account, amount)
    await books.agree()


@check(needs=contract.sales, competencies=("money.arithmetic",))
async def a_fee_is_rounded_to_the_nearest_penny(alice: Merchant, fresh: Fresh) -> None:
    """The fee on a capture is rounded, to nothing too, and the account gets the rest."""
    books = Books()
    account = books.open(alice, await alice.open_account())
    rounded = [fresh.money(low, low + 66) for low in (34, 101, 1_001, 90_001)]
    for amount in (Money(1, "GBP"), Money(33, "GBP"), Money(34, "GBP"), *rounded):
        expect_payment(await alice.pay(amount, account), "captured", amount)
        books.capture(account, amount)
    await books.agree()


@check(needs=contract.sales, competencies=("money.ledger",))
async def an_authorisation_is_captured_later(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """An authorisation credits nothing; it is captured once, in full or in part."""
    books = Books()
    account = books.open(alice, await alice.open_account())
    for part in (None, fresh.money(1000, 9_000)):
        card, amount = fresh.card(), fresh.money(10_000, 90_000)
        payment = await alice.pay(amount, account, capture=False, card=card)
        expect_payment(payment, "authorised", Money(0, "GBP"))
        await books.agree()
        taken = part or amount
        captured = await alice.capture(payment, part)
        expect_payment(captured, "captured", taken)
        books.capture(account, taken)
        await books.agree()
        done = [(effect.type, effect.amount) for effect in effects(await psp.journal(card))]
        if done != [("authorisation", amount.decimal), ("capture", taken.decimal)]:
            raise Broken(f"The PSP was made to do {done}.")
    await books.agree()


@check(needs=contract.payments, competencies=("api.validation", "money.ledger"))
async def a_capture_keeps_to_its_authorisation(alice: Merchant, fresh: Fresh) -> None:
    """A capture beyond the authorised amount, or a second one, is refused without effect."""
    books = Books()
    account = books.open(alice, await alice.open_account())
    amount = fresh.money(1000, 90_000)
    payment = await alice.authorise(amount, account)
    path = f"{payment.url}/capture"
    beyond = {"amount": Money(amount.amount + 1, "GBP").json()}
    refused = await alice.post(path, beyond, key=fresh.key())
    expect_problem(refused, 422, code="amount_too_large")
    await books.agree()
    await alice.capture(payment)
    books.capture(account, amount)
    await books.agree()
    for act, code in (("capture", "not_capturable"), ("void", "not_voidable")):
        again = await alice.post(f"{payment.url}/{act}", {}, key=fresh.key())
        expect_problem(again, 409, code=code)
    await books.agree()


@check(needs=contract.payments, competencies=("money.ledger",))
async def an_authorisation_is_voided(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """A void ends an authorisation; afterwards there is nothing to capture."""
    books = Books()
    account = books.open(alice, await alice.open_account())
    card = fresh.card()
    payment = await alice.pay(account=account, capture=False, card=card)
    voided = await alice.void(payment)
    expect_payment(voided, "voided", Money(0, "GBP"))
    await books.agree()
    done = [effect.type for effect in effects(await psp.journal(card))]
    if done != ["authorisation", "void"]:
        raise Broken(f"The PSP was made to do {done}.")


@check(needs=contract.voids, competencies=("money.ledger",))
async def a_void_is_final(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """What is voided is neither captured nor voided again."""
    card = fresh.card()
    payment = await alice.pay(capture=False, card=card)
    await alice.void(payment)
    for act, code in (("capture", "not_capturable"), ("void", "not_voidable")):
        refused = await alice.post(f"{payment.url}/{act}", {}, key=fresh.key())
        expect_problem(refused, 409, code=code)
    if (await alice.payment(payment)).status != "voided":
        raise Broken("A refused request changed a voided payment.")
    done = [effect.type for effect in effects(await psp.journal(card))]
    if done != ["authorisation", "void"]:
        raise Broken(f"The PSP was made to do {done}.")


@check(needs=contract.sales, competencies=("api.validation", "compliance.cards"))
async def only_card_tokens_are_taken(alice: Merchant, fresh: Fresh) -> None:
    """What is no token, and members that would hold card data, are refused before all else."""
    good = payment_body(await alice.open_account(), fresh.money(100, 9000), fresh.card())
    for change in (
        {"payment_method": fresh.word()},
        {"number": str(fresh.number(1, 9))},
        {"cvv": "123"},
        {"cvc": "123"},
    ):
        expect_problem(await alice.post("/v1/payments", good | change, key=fresh.key()), 422)
    if [item async for _, item in alice.walk("/v1/payments")]:
        raise Broken("A refused payment is listed.")


@check(needs=contract.sales, competencies=("money.arithmetic",))
async def cards_are_charged_in_other_currencies(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """A sale in another currency is told to the PSP in that currency, to the last digit."""
    for currency in fresh.pair():
        card, amount = fresh.card(), fresh.money(1_000, 99_999, currency)
        payment = await alice.pay(amount, card=card)
        expect_payment(payment, "captured", amount)
        done = [(item.amount, item.currency) for item in effects(await psp.journal(card))]
        if done != [(amount.decimal, amount.currency)]:
            raise Broken(f"For {amount} the PSP was sent {done}.")


@check(needs=contract.payments, competencies=("api.contract", "api.pagination"))
async def payments_are_listed_sorted_and_filtered(
    alice: Merchant, bob: Merchant, fresh: Fresh
) -> None:
    """Payments are listed by time or amount, either way round, page by page, and by status."""
    account = await alice.open_account()
    amounts = fresh.random.sample(range(1_000, 90_000), 5)
    made = [
        await alice.pay(Money(amount, "GBP"), account, capture=index % 2 == 0)
        for index, amount in enumerate(amounts)
    ]
    by_time = [payment.id for payment in made]
    by_amount = [payment.id for payment in sorted(made, key=lambda one: one.amount.amount)]
    orders = {
        "created_at": by_time,
        "-created_at": by_time[::-1],
        "amount": by_amount,
        "-amount": by_amount[::-1],
    }
    for sort, wanted in orders.items():
        listed = [item["id"] async for _, item in alice.walk("/v1/payments", limit=2, sort=sort)]
        if listed != wanted:
            raise Broken(f"GET /v1/payments?sort={sort} in pages of 2 gives {listed}.")
    default = (await alice.get("/v1/payments")).expect(200).read(Page)
    if [item["id"] for item in default.data] != by_time[::-1]:
        raise Broken("GET /v1/payments does not list the newest first.")
    captured = [item["id"] async for _, item in alice.walk("/v1/payments", status="captured")]
    if set(captured) != {payment.id for payment in made if payment.status == "captured"}:
        raise Broken(f"GET /v1/payments?status=captured gives {captured}.")
    expect_problem(await alice.get(f"/v1/payments?status={fresh.word()}"), 422)
    if (await bob.get("/v1/payments")).expect(200).read(Page).data:
        raise Broken("GET /v1/payments lists another merchant's payments.")


@check(needs=contract.sales, competencies=("api.validation",))
async def a_payment_needs_an_account(alice: Merchant, psp: Psp, fresh: Fresh) -> None:
    """A payment to an unknown account reaches no card."""
    own, card = await alice.open_account(), fresh.card()
    nowhere = own.model_copy(update={"id": f"acc_{fresh.word(26)}"})
    body = payment_body(nowhere, money("5.00 GBP"), card)
    expect_problem(await alice.post("/v1/payments", body, key=fresh.key()), 404)
    if effects(await psp.journal(card)):
        raise Broken("A card was charged for a refused payment.")
