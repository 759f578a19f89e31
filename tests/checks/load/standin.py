"""A small service that keeps as much of the contract as the load asks for, or breaks it as told.

Run as a program with a mode; prints its port once it listens. Modes: ``good``; ``slow``; ``busy``
(503 for transfers); ``forgetful`` (repeats execute again); ``loses-money``; ``hangs``, ``huge``,
``endless``, ``drips``, ``redirects``, ``garbles`` (all in transfers); ``dead`` (500 for all).
"""

import asyncio
import itertools
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

MODE = sys.argv[1] if len(sys.argv) > 1 else "good"
ids = itertools.count()
balances: dict[str, int] = {}
done: dict[str, Any] = {}
payments: list[dict[str, Any]] = []


def money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "GBP"}


async def merchants(request: Request) -> Response:
    if MODE == "dead":
        return JSONResponse({"code": "internal"}, 500)
    return JSONResponse({"id": "mer_1", "owner": {"id": f"cli_{next(ids)}", "secret": "s"}}, 201)


async def token(request: Request) -> Response:
    client = (await request.json())["client_id"]
    return JSONResponse({"access_token": client, "token_type": "Bearer", "expires_in": 900})


async def accounts(request: Request) -> Response:
    name = f"acc_{next(ids)}"
    balances[name] = 0
    return JSONResponse({"id": name}, 201)


async def account(request: Request) -> Response:
    name = request.path_params["id"]
    return JSONResponse({"id": name, "balance": {"posted": money(balances[name])}})


async def deposits(request: Request) -> Response:
    body = await request.json()
    balances[body["account"]] += body["amount"]["amount"]
    return JSONResponse({"id": "dep_1"}, 201)


async def endless(pause: float) -> AsyncIterator[bytes]:
    while True:
        yield b"x" * (1 if pause else 65536)
        await asyncio.sleep(pause)


async def misbehave() -> Response | None:  # noqa: PLR0911 - one a mode
    match MODE:
        case "slow":
            await asyncio.sleep(0.1)
        case "busy":
            return JSONResponse({"code": "busy"}, 503, {"Retry-After": "1"})
        case "hangs":
            await asyncio.sleep(3600)
        case "huge-error":
            return Response(b"x" * (64 << 20), 500)
        case "huge":
            return Response(b"x" * (64 << 20), 201)
        case "endless":
            return StreamingResponse(endless(0), 201)
        case "drips":
            return StreamingResponse(endless(0.01), 201)
        case "redirects":
            return RedirectResponse("/v1/accounts", 307)
        case "garbles":
            return Response(b"[" * 100_000, 201)
    return None


async def transfers(request: Request) -> Response:
    body = await request.json()
    key = request.headers["authorization"] + request.headers["idempotency-key"]
    if (strange := await misbehave()) is not None:
        return strange
    if key in done and MODE != "forgetful":
        return JSONResponse(done[key], 201, {"Idempotency-Replayed": "true"})
    amount = body["amount"]["amount"]
    balances[body["from"]] -= amount
    balances[body["to"]] += 0 if MODE == "loses-money" else amount
    done[key] = body | {"id": f"tr_{next(ids)}"}
    return JSONResponse(done[key], 201)


async def pay(request: Request) -> Response:
    body = await request.json()
    amount = body["amount"]["amount"]
    balances[body["account"]] += amount - 1
    payment = {
        "id": f"pay_{next(ids)}",
        "account": body["account"],
        "status": "captured",
        "captured": body["amount"],
        "fee": money(1),
    }
    payments.append(payment)
    return JSONResponse(payment, 201)


async def refund(request: Request) -> Response:
    body = await request.json()
    paid = next(p for p in payments if p["id"] == request.path_params["id"])
    balances[paid["account"]] -= body["amount"]["amount"]
    return JSONResponse({"status": "succeeded"}, 201)


async def listed(request: Request) -> Response:
    return JSONResponse({"data": payments[-20:], "next_cursor": None})


app = Starlette(
    routes=[
        Route("/v1/merchants", merchants, methods=["POST"]),
        Route("/v1/token", token, methods=["POST"]),
        Route("/v1/accounts", accounts, methods=["POST"]),
        Route("/v1/accounts/{id}", account),
        Route("/v1/deposits", deposits, methods=["POST"]),
        Route("/v1/transfers", transfers, methods=["POST"]),
        Route("/v1/payments", pay, methods=["POST"]),
        Route("/v1/payments", listed),
        Route("/v1/payments/{id}/refunds", refund, methods=["POST"]),
    ]
)


def main() -> None:
    # With the protocol named, or asyncio leaves Nagle's algorithm on.
    tcp = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    with socket.socket(*tcp) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(app, log_level="error", access_log=False)
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
