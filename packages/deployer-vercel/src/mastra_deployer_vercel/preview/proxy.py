"""The rules of Vercel's edge network, for previews."""

from __future__ import annotations

import itertools
import uuid
from pathlib import Path

from mastra_deployer.kit import PreviewRules

__all__ = ("build_rules",)

_MAX_BODY = 4_500_000  # bytes of a request body; Vercel's limit
_ERRORS = {413: "FUNCTION_PAYLOAD_TOO_LARGE", 502: "FUNCTION_INVOCATION_FAILED"}


def build_rules(static: Path) -> PreviewRules:
    """Return the rules by which the preview applies Vercel's limits, errors and headers.

    :param static: directory of static files; may not exist.
    """
    numbers = itertools.count(1)

    def build_headers(client: str) -> dict[str, str]:
        return {
            "x-real-ip": client,
            "x-vercel-id": f"dev1::{uuid.uuid4().hex[:12]}",
            "x-vercel-internal-invocation-id": uuid.uuid4().hex,
            "x-vercel-internal-request-id": str(next(numbers)),
        }

    return PreviewRules(
        static=static,
        max_body=_MAX_BODY,
        errors={status: {"error": {"code": code}} for status, code in _ERRORS.items()},
        build_headers=build_headers,
        hidden_headers=("x-vercel-internal",),
    )
