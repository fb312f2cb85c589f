"""A stateful fake of Vercel's REST API over HTTP, for tests: `FakeVercel`.

Where it is unlike the platform: everything is plain http on 127.0.0.1. A deployment's `url` and
the production host are `127.0.0.1:PORT`, each with a port of its own, so whoever puts a scheme
before such a host writes `http://` where the host is a loopback address.
"""

from __future__ import annotations

from tests.vercel.fake.faults import (
    BUILDS_LIMITED,
    CLIENT_RETIRED,
    GONE,
    MISSING_ADDON,
    NOT_JSON,
    PAYMENT_NEEDED,
    TOO_LARGE,
    TRANSFERRING,
    UPLOAD_QUOTA,
    Fault,
    busy,
    failing,
)
from tests.vercel.fake.lifecycle import Outcome, Pace
from tests.vercel.fake.vercel import FakeVercel

__all__ = (
    "BUILDS_LIMITED",
    "CLIENT_RETIRED",
    "GONE",
    "MISSING_ADDON",
    "NOT_JSON",
    "PAYMENT_NEEDED",
    "TOO_LARGE",
    "TRANSFERRING",
    "UPLOAD_QUOTA",
    "FakeVercel",
    "Fault",
    "Outcome",
    "Pace",
    "busy",
    "failing",
)
