"""What the load consists of: operations and their weights, users, slices; and the plan of one run.

The mix is that of a small merchant's day: mostly transfers and reads, some card payments, a few
refunds, and now and then a client that repeats a request because it missed the answer.
"""

from __future__ import annotations

import random
import string
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

Side = Literal["submission", "reference"]
Operation = Literal["transfer", "payment", "refund", "retry", "list", "account"]

#: Of a hundred requests, how many are which.
WEIGHTS: dict[Operation, int] = {
    "transfer": 30,
    "list": 20,
    "account": 20,
    "payment": 15,
    "retry": 10,
    "refund": 5,
}

#: Seconds after which a request counts as timed out, whatever has arrived of the answer.
REQUEST_SECONDS = 5.0
#: Bytes of a body beyond which the answer counts as wrong and the connection is closed.
BODY_BYTES = 256 * 1024


def card_token(chance: random.Random) -> str:
    """A PSP's token of letters alone: digits might make a card number, to be refused (6.5)."""
    return "tok_" + "".join(chance.choices(string.ascii_lowercase, k=24))


@dataclass(frozen=True, slots=True)
class Profile:
    """Users at once without pauses, and the seconds and number of the slices."""

    name: Literal["quick", "full"]
    users: int
    warm_up: float
    slice: float
    pairs: int

    @property
    def seconds(self) -> float:
        """How long warm-up and slices of both sides last."""
        return 2 * (self.warm_up + self.slice * self.pairs)


PROFILES: dict[Literal["quick", "full"], Profile] = {
    "quick": Profile("quick", users=8, warm_up=1.0, slice=0.75, pairs=8),
    "full": Profile("full", users=8, warm_up=4.0, slice=2.5, pairs=16),
}


class Slice(BaseModel):
    """A stretch of the run in which one side is driven; ``pair`` is ``None`` for the warm-up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: Side
    pair: int | None
    seconds: float


class Target(BaseModel):
    """A running service to be driven: base URLs of its replicas, and its administrator's token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replicas: tuple[str, ...]
    admin_token: str


class Plan(BaseModel):
    """All that the load generator is told: whom to drive, in which order, from which seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    submission: Target
    reference: Target
    users: int
    seed: int
    slices: tuple[Slice, ...]
    results: str


class Driven(BaseModel):
    """A slice as it was driven: seconds since the run began."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: Side
    pair: int | None
    started: float
    deadline: float


class Sample(BaseModel):
    """One request: which slice, when it ended and how long it took (s), and what was wrong.

    ``problem`` is empty for the answer that the contract asks for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    slice: int
    operation: str
    ended: float
    seconds: float
    problem: str


class Results(BaseModel):
    """What the load generator hands back; ``cpu`` is the processor time (s) that it used itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slices: tuple[Driven, ...]
    samples: tuple[Sample, ...]
    failure: str | None
    cpu: float


def slices(profile: Profile, seed: int) -> tuple[Slice, ...]:
    """The order of a run: each side warmed up, then pairs, each in an order of its own."""
    chance = random.Random(f"load order {seed}")  # noqa: S311 - an order, not a secret
    sides: tuple[Side, Side] = ("submission", "reference")
    order = [Slice(side=side, pair=None, seconds=profile.warm_up) for side in sides]
    for pair in range(profile.pairs):
        turn = chance.sample(sides, 2)
        order += [Slice(side=side, pair=pair, seconds=profile.slice) for side in turn]
    return tuple(order)
