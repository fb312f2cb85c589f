"""A stateful fake of Vercel's REST API over HTTP, for tests: `FakeVercel`.

It differs from the platform in one point: everything is plain HTTP on 127.0.0.1. A deployment's
`url` and the production host are `127.0.0.1:PORT`, each with its own port. A client must therefore
use `http://` for a host with a loopback address.
"""

from __future__ import annotations

from tests.platform_fakes.faults import NOT_JSON, Fault
from tests.vercel.fake.server import FakeVercel
from tests.vercel.fake.state.deployment import BuildSpeed, Outcome
from tests.vercel.fake.transport.faults import (
    ADDON_REQUIRED,
    API_RETIRED,
    BUILDS_LIMITED,
    CLIENT_RETIRED,
    PAYMENT_REQUIRED,
    TOO_LARGE,
    TRANSFERRING,
    UPLOAD_QUOTA,
    make_error,
    make_rate_limit_error,
)

__all__ = (
    "ADDON_REQUIRED",
    "API_RETIRED",
    "BUILDS_LIMITED",
    "CLIENT_RETIRED",
    "NOT_JSON",
    "PAYMENT_REQUIRED",
    "TOO_LARGE",
    "TRANSFERRING",
    "UPLOAD_QUOTA",
    "BuildSpeed",
    "FakeVercel",
    "Fault",
    "Outcome",
    "make_error",
    "make_rate_limit_error",
)
