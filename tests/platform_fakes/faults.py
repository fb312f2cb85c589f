"""Faults: responses that tests request in place of the real ones."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault:
    """A response in place of the real one.

    :param raw: the whole body.
    """

    status: int
    raw: bytes
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


NOT_JSON = Fault(
    status=502,
    raw=b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    headers={"content-type": "text/html"},
)


@dataclasses.dataclass(kw_only=True)
class PlannedFault:
    """A fault that waits for matching requests."""

    method: str
    path: re.Pattern[str]
    fault: Fault
    times: int
    skip: int = 0


class FaultQueue:
    """The planned faults, in order."""

    def __init__(self) -> None:
        self._queue: list[PlannedFault] = []

    def add(self, method: str, path: str, fault: Fault, times: int, skip: int) -> None:
        self._queue.append(
            PlannedFault(method=method, path=re.compile(path), fault=fault, times=times, skip=skip)
        )

    def clear(self) -> None:
        self._queue.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault for a request, if there is one, and count the request."""
        for planned in self._queue:
            if planned.method not in {"*", method} or not planned.path.search(path):
                continue
            if planned.skip:
                planned.skip -= 1
            elif planned.times:
                planned.times -= 1
                return planned.fault
        return None
