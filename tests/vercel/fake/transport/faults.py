"""Faults in the format of Vercel's API."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from tests.platform_fakes.faults import Fault

DAY = 86_400


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
