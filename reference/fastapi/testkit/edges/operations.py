"""Every operation of the contract's document, as somebody would use it who makes no mistake."""

from dataclasses import dataclass, field
from typing import Any

from testkit.edges.scene import Objects

Money = dict[str, Any]


@dataclass(frozen=True)
class Use:
    """One operation, used well: who may, at least, and with what.

    Strings in braces in ``body`` are names of a scene's objects; ``objects`` says which of them a
    path is about, where that is not the one of the parameter's own name.
    """

    by: str
    body: Any = None
    objects: dict[str, str] = field(default_factory=dict)
    foreign: frozenset[str] = frozenset()
    """Members that may name another merchant's object."""

    party: str = ""
    """Who signs it, of a notice."""

    def path(self, template: str, objects: Objects, **others: str) -> str:
        """The path about those objects, or about others."""
        named = {name: objects[self.objects.get(name, name)] for name in _names(template)}
        return template.format(**named | others)

    def filled(self, objects: Objects) -> Any:
        """The body about those objects."""
        return _filled(self.body, objects)


def _names(template: str) -> list[str]:
    return [part.partition("}")[0] for part in template.split("{")[1:]]


def _filled(body: Any, objects: Objects) -> Any:
    if isinstance(body, dict):
        return {name: _filled(value, objects) for name, value in body.items()}
    if isinstance(body, str) and body.startswith("{"):
        return objects[body.strip("{}")]
    return body


def _pounds(amount: int) -> Money:
    return {"amount": amount, "currency": "GBP"}


_PAYEE = {"name": "Alder Crates", "bank_account": "NO9386011117947"}
_URL = "https://shop.example/hook"

USES: dict[str, Use] = {
    "createMerchant": Use("admin", {"name": "Corner shop"}),
    "issueToken": Use("nobody", {"client_id": "{client_id}", "client_secret": "{client_secret}"}),
    "publicKeys": Use("nobody"),
    "createClient": Use("owner", {"name": "till", "role": "viewer"}),
    "listClients": Use("owner"),
    "openAccount": Use("operator", {"name": "till", "currency": "JPY"}),
    "listAccounts": Use("viewer"),
    "getAccount": Use("viewer"),
    "renameAccount": Use("operator", {"name": "drawer"}),
    "listEntries": Use("viewer"),
    "createDeposit": Use(
        "admin",
        {"account": "{account_id}", "amount": _pounds(1), "reference": "float"},
        foreign=frozenset({"account"}),
    ),
    "createTransfer": Use(
        "operator",
        {
            "from": "{account_id}",
            "to": "{second_id}",
            "amount": _pounds(1),
            "reference": "INV-1",
        },
        foreign=frozenset({"to"}),
    ),
    "listTransfers": Use("viewer"),
    "getTransfer": Use("viewer"),
    "reverseTransfer": Use("operator", {}),
    "createPayment": Use(
        "operator",
        {
            "account": "{account_id}",
            "amount": _pounds(1),
            "payment_method": "tok_of-a-card",
            "capture": True,
            "reference": "INV-1",
            "description": "apples",
        },
    ),
    "listPayments": Use("viewer"),
    "getPayment": Use("viewer"),
    "capturePayment": Use(
        "operator", {"amount": _pounds(1)}, objects={"payment_id": "authorised_id"}
    ),
    "voidPayment": Use("operator", {}, objects={"payment_id": "voidable_id"}),
    "syncPayment": Use("operator", {}),
    "createRefund": Use("operator", {"amount": _pounds(1), "reference": "sour"}),
    "listRefunds": Use("viewer"),
    "getRefund": Use("viewer"),
    "createQuote": Use(
        "operator", {"from": "{account_id}", "to": "{euros_id}", "amount": _pounds(1)}
    ),
    "listQuotes": Use("viewer"),
    "getQuote": Use("viewer"),
    "executeQuote": Use("operator", {}),
    "createPayout": Use(
        "operator",
        {
            "account": "{account_id}",
            "amount": _pounds(1),
            "payee": _PAYEE,
            "reference": "INV-1",
        },
    ),
    "listPayouts": Use("viewer"),
    "getPayout": Use("viewer"),
    "changePayout": Use(
        "operator",
        {"amount": _pounds(1), "payee": _PAYEE},
        objects={"payout_id": "changeable_id"},
    ),
    "cancelPayout": Use("operator", {}, objects={"payout_id": "cancellable_id"}),
    "approvePayout": Use("owner", {"code": "{code}"}, objects={"payout_id": "approvable_id"}),
    "challengeApprover": Use("owner", {}, objects={"payout_id": "changeable_id"}),
    "syncPayout": Use("operator", {}),
    "listEvents": Use("viewer"),
    "getEvent": Use("viewer"),
    "createWebhookEndpoint": Use("owner", {"url": _URL, "types": ["payment.captured"]}),
    "listWebhookEndpoints": Use("viewer"),
    "getWebhookEndpoint": Use("viewer"),
    "changeWebhookEndpoint": Use(
        "owner", {"url": _URL, "types": ["payment.captured"], "disabled": False}
    ),
    "rotateWebhookSecret": Use("owner", {}),
    "listDeliveries": Use("viewer"),
    "redeliver": Use("owner", {}),
    "takePspNotice": Use(
        "nobody", {"id": "ntc_of-an-operation", "operation": "{psp_news}"}, party="psp"
    ),
    "takeBankNotice": Use(
        "nobody", {"id": "ntc_of-a-payment", "payment": "{bank_news}"}, party="bank"
    ),
    "fetchSettlement": Use("admin", {}),
    "listSettlements": Use("admin"),
    "getSettlement": Use("admin"),
    "listDifferences": Use("admin"),
    "listAuditRecords": Use("owner"),
    "healthz": Use("nobody"),
    "readyz": Use("nobody"),
    "metrics": Use("nobody"),
    "deleteWebhookEndpoint": Use("owner"),
    "deleteClient": Use("owner"),
}
"""Used in this order, each finds what it needs; those that delete come last."""
