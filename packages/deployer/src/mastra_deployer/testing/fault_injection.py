"""Inject faults between a deployer and its platform, with rules that select requests."""

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
    "build_error",
    "build_rate_limit",
    "fail_at_random",
    "fail_each_once",
    "fail_from",
)

Kind = Literal["answer", "reset", "lost", "truncated", "slow"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request that the proxy recorded.

    :param index: the position of the request among all requests under the same rule, from 0.
    :param method: the method in upper case.
    :param path: the path with the query.
    :param headers: the headers by name in lower case, without the values of credentials.
    :param body: the whole content.
    :param fault: the injected fault, if any.
    """

    index: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    fault: Fault | None = None

    def __str__(self) -> str:
        return f"request {self.index}, {self.method} {self.path}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault that the proxy injects into one request.

    :param kind: ``answer``: the proxy responds in place of the platform; ``reset``: the connection
        is reset before the platform gets the request; ``lost``: the platform responds, and the
        connection is reset before the response arrives; ``truncated``: half of the response
        arrives; ``slow``: the response is delayed.
    :param status: the status of the response, for ``answer``.
    :param headers: the headers of the response, for ``answer``.
    :param body: the body of the response, for ``answer``.
    :param seconds: the delay, for ``slow``.
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


def build_rate_limit(retry_after: str = "1") -> Fault:
    """Return a fault that responds 429.

    :param retry_after: value of the ``Retry-After`` header.
    """
    return build_error(429, "slow down", {"retry-after": retry_after})


def build_error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Fault:
    """Return a fault that responds with an error in the most common format.

    :param status: the status of the response.
    :param message: the value of ``error.message`` in the JSON body.
    :param headers: further headers, besides the content type.
    """
    body = json.dumps({"error": {"code": "suite", "message": message}}).encode()
    headers = {"content-type": "application/json", **(headers or {})}
    return Fault(kind="answer", status=status, headers=headers, body=body)


def fail_from(index: int, fault: Fault) -> Rule:
    """Return a rule that injects the fault into one request and all later requests.

    :param index: the index of the first request that fails.
    :param fault: the fault to inject.
    """
    return lambda exchange: fault if exchange.index >= index else None


def fail_each_once(fault: Fault, matches: Callable[[Exchange], bool]) -> Rule:
    """Return a rule that injects the fault into the first attempt of each matching request.

    :param fault: the fault to inject.
    :param matches: returns whether a request may get the fault.
    """
    known: set[tuple[str, str, bytes]] = set()

    def select(exchange: Exchange) -> Fault | None:
        key = (exchange.method, exchange.path, exchange.body)
        if key in known or not matches(exchange):
            return None
        known.add(key)
        return fault

    return select


def fail_at_random(seed: int, share: float, *faults: Fault) -> Rule:
    """Return a rule that injects random faults into some of the requests.

    The fault of a request depends on the seed, the request and the number of its attempt, but not
    on the order of the requests.

    :param seed: selects the random sequence.
    :param share: the share of requests that fail, from 0 to 1.
    :param faults: the faults to choose from.
    """
    attempts: Counter[tuple[str, str, bytes]] = Counter()

    def select(exchange: Exchange) -> Fault | None:
        key = (exchange.method, exchange.path, exchange.body)
        attempts[key] += 1
        rng = random.Random(f"{seed} {attempts[key]} {key!r}")  # noqa: S311  # no secret
        return rng.choice(faults) if rng.random() < share else None

    return select
