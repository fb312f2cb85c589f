"""Injected errors: responses that tests request in place of the real ones."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from tests.vercel.fake.transport.request import Response

DAY = 86_400


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault:
    """A response in place of the real one.

    :param raw: the whole body.
    """

    status: int
    raw: bytes
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def to_response(self) -> Response:
        return Response(status=self.status, raw=self.raw, headers=self.headers)


def make_error(status: int, code: str, message: str, /, **extra: Any) -> Fault:
    """Build an error in the format of the platform."""
    body = {"error": {"code": code, "message": message, **extra}}
    return Fault(
        status=status,
        raw=json.dumps(body).encode(),
        headers={"content-type": "application/json; charset=utf-8"},
    )


def make_rate_limit_error(retry_after: str = "1") -> Fault:
    """Build a 429 with `Retry-After`: seconds or an HTTP date."""
    fault = make_error(429, "rate_limited", "Too many requests")
    return dataclasses.replace(fault, headers={**fault.headers, "retry-after": retry_after})


def _make_quota_error() -> Fault:
    fault = make_error(
        429,
        "rate_limited",
        'Too many requests - try again in 24 hours (more than 5000, code: "api-upload-free").',
        errorName="api-upload-free",
        limit={"total": 5000, "remaining": 0, "reset": DAY},
    )
    return dataclasses.replace(fault, headers={**fault.headers, "retry-after": str(DAY)})


UPLOAD_QUOTA = _make_quota_error()
BUILDS_LIMITED = make_error(
    429, "builds_rate_limited", "Deployment rate limited - retry in 60 minutes."
)
PAYMENT_REQUIRED = make_error(
    402, "payment_required", "The account is blocked: an invoice is unpaid."
)
TRANSFERRING = make_error(409, "conflict", "The project is being transferred to another team.")
API_RETIRED = make_error(410, "gone", "This version of the API is retired.")
CLIENT_RETIRED = make_error(426, "upgrade_required", "This version of the client is retired.")
ADDON_REQUIRED = make_error(428, "missing_addon", "The team needs an add-on for this.")
TOO_LARGE = Fault(
    status=413, raw=b"Request Entity Too Large\n", headers={"content-type": "text/plain"}
)
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
