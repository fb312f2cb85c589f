"""What may go wrong between a deployer and its platform, and when."""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal

__all__ = (
    "LOST",
    "RESET",
    "TRUNCATED",
    "Exchange",
    "Fault",
    "Rule",
    "at_random",
    "busy",
    "each_once",
    "failing",
    "since",
)

Kind = Literal["answer", "reset", "lost", "truncated", "slow"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request as the proxy saw it.

    :param index: how many came before it.
    :param headers: names, in lower case; values are not kept.
    :param fault: what was done to it, where something was.
    """

    index: int
    method: str
    path: str
    headers: tuple[str, ...]
    body: bytes
    fault: Fault | None = None

    def __str__(self) -> str:
        return f"request {self.index}, {self.method} {self.path}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault:
    """What the proxy does to one request.

    :param kind: ``answer`` in place of the platform; ``reset`` the connection before the platform
        hears of it; ``lost``: it hears and answers, and the connection breaks; ``truncated``: half
        of its answer arrives; ``slow``: all of it, later.
    :param seconds: how much later.
    """

    kind: Kind
    status: int = 0
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0


RESET = Fault(kind="reset")
LOST = Fault(kind="lost")
TRUNCATED = Fault(kind="truncated")

Rule = Callable[[Exchange], Fault | None]


def busy(retry_after: str = "1") -> Fault:
    """429 with ``Retry-After``."""
    return failing(429, "slow down", {"retry-after": retry_after})


def failing(status: int, words: str, headers: Mapping[str, str] | None = None) -> Fault:
    """An answer of that status, with words where most platforms have them."""
    body = json.dumps({"error": {"code": "suite", "message": words}}).encode()
    typed = {"content-type": "application/json", **(headers or {})}
    return Fault(kind="answer", status=status, headers=typed, body=body)


def since(index: int, fault: Fault) -> Rule:
    """That fault from one request on, for ever."""
    return lambda exchange: fault if exchange.index >= index else None


def each_once(fault: Fault, meant: Callable[[Exchange], bool]) -> Rule:
    """That fault for every request that is meant, when it comes for the first time."""
    seen: set[tuple[str, str, bytes]] = set()

    def rule(exchange: Exchange) -> Fault | None:
        same = (exchange.method, exchange.path, exchange.body)
        if same in seen or not meant(exchange):
            return None
        seen.add(same)
        return fault

    return rule


def at_random(seed: int, share: float, *faults: Fault) -> Rule:
    """One of the faults for that share of requests.

    The same seed gives the same request, sent for the same time, the same fault, in whatever order
    requests come.
    """
    times: Counter[tuple[str, str, bytes]] = Counter()

    def rule(exchange: Exchange) -> Fault | None:
        same = (exchange.method, exchange.path, exchange.body)
        times[same] += 1
        dice = random.Random(f"{seed} {times[same]} {same!r}")  # noqa: S311  # no secret
        return dice.choice(faults) if dice.random() < share else None

    return rule
