"""Accounts that money is withdrawn from: Flask and psycopg 2. VARIANT says how it is kept right."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.pool
from flask import Flask, request

app = Flask(__name__)
pool = psycopg2.pool.ThreadedConnectionPool(1, 8, os.environ["DATABASE_URL"])

Debit = Callable[[Any, int, int], bool]

TAKE = "UPDATE accounts SET balance = balance - %s WHERE id = %s"


def racy(cursor: Any, account: int, amount: int) -> bool:
    cursor.execute("SELECT balance FROM accounts WHERE id = %s", (account,))
    if cursor.fetchone()[0] < amount:
        return False
    cursor.execute(TAKE, (amount, account))
    return True


def late_lock(cursor: Any, account: int, amount: int) -> bool:
    """Racy: what is decided by was read before the lock."""
    cursor.execute("SELECT balance FROM accounts WHERE id = %s", (account,))
    enough = cursor.fetchone()[0] >= amount
    cursor.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", (account,))
    if enough:
        cursor.execute(TAKE, (amount, account))
    return enough


def for_update(cursor: Any, account: int, amount: int) -> bool:
    cursor.execute("SELECT balance FROM accounts WHERE id = %s FOR UPDATE", (account,))
    if cursor.fetchone()[0] < amount:
        return False
    cursor.execute(TAKE, (amount, account))
    return True


def conditional(cursor: Any, account: int, amount: int) -> bool:
    cursor.execute(f"{TAKE} AND balance >= %s", (amount, account, amount))
    return bool(cursor.rowcount)


def constraint(cursor: Any, account: int, amount: int) -> bool:
    cursor.execute("SAVEPOINT before")
    try:
        cursor.execute(f"{TAKE} RETURNING CASE WHEN balance < 0 THEN 1 / 0 END", (amount, account))
    except psycopg2.errors.DivisionByZero:
        cursor.execute("ROLLBACK TO before")
        return False
    return True


VARIANTS: dict[str, Debit] = {
    "racy": racy,
    "late_lock": late_lock,
    "for_update": for_update,
    "conditional": conditional,
    "constraint": constraint,
}
debit = VARIANTS[os.environ.get("VARIANT", "racy")]


@app.get("/healthz")
def healthz() -> Any:
    return {"status": "ok"}


@app.post("/accounts")
def open_account() -> Any:
    with _transaction() as cursor:
        balance = request.get_json()["balance"]
        cursor.execute("INSERT INTO accounts (balance) VALUES (%s) RETURNING id", (balance,))
        return {"id": cursor.fetchone()[0]}, 201


@app.post("/accounts/<int:account>/withdrawals")
def withdraw(account: int) -> Any:
    amount = request.get_json()["amount"]
    with _transaction() as cursor:
        if not debit(cursor, account, amount):
            return {"error": "insufficient funds"}, 422
        cursor.execute(
            "INSERT INTO withdrawals (account, amount) VALUES (%s, %s) RETURNING id, taken",
            (account, amount),
        )
        number, taken = cursor.fetchone()
        return {"id": number, "taken": taken.isoformat()}, 201


class _transaction:  # noqa: N801 - reads as a function
    def __enter__(self) -> Any:
        self.connection = pool.getconn()
        return self.connection.cursor()

    def __exit__(self, kind: object, *_: object) -> None:
        (self.connection.rollback if kind else self.connection.commit)()
        pool.putconn(self.connection)


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]), threaded=True)
