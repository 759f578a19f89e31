"""sort-injection: the ``sort`` parameter reaches SQL (CWE-89)."""

from __future__ import annotations

from urllib.parse import quote

from checks.amounts import Money
from checks.attachment import Testbed
from checks.client import Answer
from checks.fresh import Fresh
from checks.probes import probe
from checks.registry import check
from checks.shapes import Page
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Look the parameter up in a table from the documented names to columns, and answer 422 for"
    " any other; no part of it may become part of a statement."
)

_DOCUMENTED = ("created_at", "-created_at", "amount", "-amount")

#: Fails at run time, in any query, unless the CASE around it is decided the other way.
_FAILURES = (
    "1/(length(current_user)-length(current_user))",
    "1/(SELECT 0)",
    "CAST(current_user AS integer)",
)

#: Ways in which a condition can be made part of an ORDER BY, before, behind or around a column.
_STYLES = (
    "{case}",
    "({case})",
    "-({case})",
    "{base},{case}",
    "{base} ASC,{case}",
    "{base},({case}) DESC",
    "{base}/**/,/**/{case}",
    "{base}\n,{case}",
    "{case},{base}",
    "{base}+({case})",
    "{base}*({case})",
    "{base} NULLS LAST,{case} --",
    "{base} DESC,{case} -- ",
    '{base}",({case})--',
    "{base}',({case})--",
    '{base}" ASC,({case}),"{base}',
    "{base}),({case}",
    "{base})) -- {case}",
)

#: Not documented; refused without ado by a service that looks names up.
_STRANGE = (
    "1",
    "-1",
    "2 desc",
    "amount desc",
    "amount,created_at",
    "random()",
    "(amount)",
    "amount--",
    "amount'",
    'amount"',
    "created_at;",
    "--amount",
    "amount asc nulls first",
    "__class__",
    "-__dict__",
    "metadata",
)


@check(
    "sort-injection",
    needs=("contract/payments_are_listed_sorted_and_filtered",),
    competencies=("security.injection",),
)
async def sort_is_a_name_and_no_sql(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """The sort parameter is one of the documented names; anything else is refused, not executed."""
    account = await alice.open_account()
    amounts = fresh.random.sample(range(1_000, 90_000), 3)
    for amount in amounts:
        await alice.authorise(Money(amount, "GBP"), account)
    for sort in _DOCUMENTED:
        (await _listed(alice, sort)).expect(200).read(Page)
    ignored = await _conditions(alice)
    ignored += await _strange(alice, fresh)
    await _stacked(alice, testbed, fresh)
    with probe("the list still works"):
        (await _listed(alice, "-amount")).expect(200)
    if ignored:
        raise Broken(
            f"{ignored[0]}; the contract asks for 422 where sort is not documented.", _HINT
        )


async def _listed(alice: Merchant, sort: str) -> Answer:
    return await alice.get(f"/v1/payments?sort={quote(sort, safe='')}")


async def _conditions(alice: Merchant) -> list[Answer]:
    """A condition put into ``sort`` must not be decided by the database."""
    ignored = []
    for turn, failure in enumerate(_FAILURES):
        with probe(f"a condition inside sort, decided or failing by {failure}"):
            for index, style in enumerate(_STYLES):
                base = ("amount", "created_at")[(turn + index) % 2]
                answers = []
                for condition in ("1=2", "1=1"):
                    case = f"CASE WHEN {condition} THEN 1 ELSE {failure} END"
                    answers.append(await _listed(alice, style.format(base=base, case=case)))
                    _judge(answers[-1])
                if answers[0].ok != answers[1].ok:
                    raise Vulnerable(
                        f"{answers[0]}, and {answers[1]} with {condition} instead: the database"
                        " decided what stands in sort.",
                        _HINT,
                    )
                ignored += [answer for answer in answers if answer.ok]
    return ignored


async def _strange(alice: Merchant, fresh: Fresh) -> list[Answer]:
    ignored = []
    with probe("names that are not documented"):
        for sort in (*_STRANGE, fresh.word(), f"-{fresh.word()}"):
            answer = await _listed(alice, sort)
            _judge(answer)
            if answer.ok:
                ignored.append(answer)
        strange = f"sort={quote(fresh.word())}%27"
        for pair in (f"sort=amount&{strange}", f"{strange}&sort=amount"):
            _judge(await alice.get(f"/v1/payments?{pair}"))
    return ignored


async def _stacked(alice: Merchant, testbed: Testbed, fresh: Fresh) -> None:
    """A second statement behind the first must have no effect on the database."""
    table = fresh.word(16)
    with probe("a second statement inside sort"):
        for base in ("amount", "-created_at"):
            for style in ("{base}; {ddl}", "{base};{ddl}; --", "{base} DESC; {ddl}"):
                ddl = f"CREATE TABLE {table} (id int)"
                answer = await _listed(alice, style.format(base=base, ddl=ddl))
                _judge(answer)
    async with testbed.observer() as observer:
        if await observer.fetchval("SELECT to_regclass($1)::text", table) is not None:
            raise Vulnerable(f"A statement in sort was executed: it made the table {table}.", _HINT)


def _judge(answer: Answer) -> None:
    """A failure shows that the value was executed as something; a refusal is what is asked for."""
    if answer.failed:
        raise Vulnerable(
            f"{answer}: what stands in sort was not refused, but run and failed.", _HINT
        )
