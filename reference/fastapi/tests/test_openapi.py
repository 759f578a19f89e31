"""The service, and what the contract says for machines."""

from pathlib import Path
from typing import Any

import pytest

from payments.app import create_app
from payments.kit.money import EXPONENTS
from payments.kit.settings import Settings

yaml = pytest.importorskip("yaml")

CONTRACT = Path(__file__).parents[2] / "contract" / "openapi.yaml"


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    """The hand-kept description; a copy of the service alone comes without it."""
    if not CONTRACT.exists():
        pytest.skip("openapi.yaml is not beside this project")
    described: dict[str, Any] = yaml.safe_load(CONTRACT.read_text())
    return described


def statuses(document: dict[str, Any]) -> dict[tuple[str, str], set[str]]:
    """The statuses of each operation.

    FastAPI adds 422 wherever there is a parameter; a path parameter alone is answered 404.
    """
    found = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            listed = {str(status) for status in operation["responses"]}
            parameters = operation.get("parameters", [])
            only_path = all(p.get("in") == "path" or "Id" in p.get("$ref", "") for p in parameters)
            if only_path and "requestBody" not in operation:
                listed.discard("422")
            found[method, path] = listed
    return found


def test_paths_methods_and_statuses_agree(contract: dict[str, Any], settings: Settings) -> None:
    assert statuses(create_app(settings).openapi()) == statuses(contract)


def test_members_agree(contract: dict[str, Any], settings: Settings) -> None:
    served = create_app(settings).openapi()["components"]["schemas"]
    described = contract["components"]["schemas"]
    names = {
        "AccountOut": "Account",
        "AuditRecordOut": "AuditRecord",
        "BalanceOut": "Balance",
        "ClientOut": "Client",
        "DepositOut": "Deposit",
        "DifferenceOut": "Difference",
        "DeliveryOut": "Delivery",
        "EndpointChange": "WebhookEndpointChange",
        "EndpointCreate": "WebhookEndpointCreate",
        "EndpointOut": "WebhookEndpoint",
        "EndpointWithSecret": "WebhookEndpointWithSecret",
        "EntryOut": "Entry",
        "EventOut": "Event",
        "ChallengeCreate": "Nothing",
        "ChallengeOut": "Challenge",
        "MerchantOut": "MerchantWithOwner",
        "PaymentOut": "Payment",
        "PayoutCancel": "Nothing",
        "PayoutOut": "Payout",
        "PayoutSync": "Nothing",
        "QuoteExecute": "Nothing",
        "QuoteOut": "Quote",
        "Redelivery": "Nothing",
        "RefundOut": "Refund",
        "ReversalCreate": "Nothing",
        "FailureOut": "SettlementFailure",
        "OursOut": "Booked",
        "SecretRotate": "Nothing",
        "SettlementFetch": "Nothing",
        "SettlementOut": "Settlement",
        "TheirsOut": "SettlementRow",
        "SyncCreate": "Nothing",
        "TokenOut": "Token",
        "TotalOut": "SettlementTotal",
        "TransferOut": "Transfer",
        "VoidCreate": "Nothing",
    }
    compared = 0
    for name, schema in served.items():
        twin = described.get(names.get(name, name))
        if twin is None or schema["type"] != "object":
            continue
        compared += 1
        assert schema.get("properties", {}).keys() == twin.get("properties", {}).keys(), name
        if name.endswith(("Create", "Rename", "Request")):
            assert schema["additionalProperties"] is twin["additionalProperties"] is False
            assert set(schema.get("required", [])) == set(twin.get("required", [])), name
    assert compared >= 20


def test_currencies_agree(contract: dict[str, Any]) -> None:
    assert set(contract["components"]["schemas"]["Currency"]["enum"]) == set(EXPONENTS)
