"""role-not-enforced: a caller does what its role does not allow (CWE-285, CWE-862)."""

from __future__ import annotations

from collections.abc import Iterable

from checks import contract
from checks.attachment import Testbed
from checks.client import Answer, Client
from checks.expectations import expect_problem
from checks.fresh import Fresh
from checks.probes import probe
from checks.registry import check
from checks.security.premises import Act, Premises, changed
from checks.tenants import Merchant
from checks.verdicts import Broken, Vulnerable

_HINT = (
    "Decide by the role in the verified token whether it suffices, for each operation and before"
    " anything is done; refuse what nobody has allowed."
)

#: What a service might believe of a caller, though only the token says it.
_CLAIMED = ("X-Role", "X-User-Role", "X-Client-Role", "Role")

_NEEDS = (
    *contract.transfers,
    *contract.payments,
    *contract.refunds,
    *contract.quotes,
    *contract.payouts,
    *contract.endpoints,
)


@check("role-not-enforced", needs=_NEEDS, competencies=("security.authorisation",))
async def a_viewer_changes_nothing(alice: Merchant, bob: Merchant, testbed: Testbed) -> None:
    """A viewer is refused whatever moves money, or changes anything."""
    premises = await Premises.open(alice, bob, testbed)
    await _refused(premises, await alice.client("viewer"), premises.acts())


@check("role-not-enforced", needs=_NEEDS, competencies=("security.authorisation",))
async def an_operator_manages_nothing(alice: Merchant, bob: Merchant, testbed: Testbed) -> None:
    """An operator is refused what is the owner's: clients, approvals, endpoints, the audit log."""
    premises = await Premises.open(alice, bob, testbed)
    acts = (act for act in premises.acts() if act.needs == "owner")
    await _refused(premises, await alice.client("operator"), acts)


@check(
    "role-not-enforced",
    needs=(*contract.accounts, *contract.lists),
    competencies=("security.authorisation",),
)
async def a_role_is_not_the_callers_to_claim(alice: Merchant, fresh: Fresh) -> None:
    """Only the token says which role a caller has: no header, parameter or member does."""
    viewer = await alice.client("viewer")
    account = {"name": fresh.name(), "currency": "GBP"}
    opening = Act("open an account", "operator", "POST", "/v1/accounts", account)
    for role in ("owner", "operator"):
        with probe(f"a viewer says that it is an {role}"):
            for header in _CLAIMED:
                _unmoved(await opening.by(viewer, **{header: role}), opening, viewer)
            asked = await viewer.post(f"/v1/accounts?role={role}", account)
            _unmoved(asked, opening, viewer)
            told = await viewer.post("/v1/accounts", account | {"role": role})
            _unmoved(told, opening, viewer)
    if [item async for _, item in alice.walk("/v1/accounts")]:
        raise Vulnerable("A viewer who was refused has opened an account.", _HINT)


async def _refused(premises: Premises, caller: Client, acts: Iterable[Act]) -> None:
    """None of these is done for a caller, and it is told that its role is why."""
    before = await premises.state()
    answers: list[Answer] = []
    for act in acts:
        with probe(f"{caller.actor} tries to {act.what}"):
            answer = await act.by(caller)
            _unmoved(answer, act, caller)
            answers.append(answer)
    if where := changed(before, await premises.state()):
        raise Vulnerable(f"{caller.actor} was refused everything, and yet changed: {where}.", _HINT)
    for answer in answers:
        expect_problem(answer, 403, code="forbidden")


def _unmoved(answer: Answer, act: Act, caller: Client) -> None:
    if answer.ok:
        raise Vulnerable(f"{answer}: {caller.actor} may not {act.what}.", _HINT)
    if answer.failed:
        raise Broken(f"{answer}, where {caller.actor} tried to {act.what}.")
