"""The rules of Netlify's edge, for previews."""

from __future__ import annotations

import uuid
from pathlib import Path

from mastra_deployer.kit import PreviewRules
from mastra_deployer_netlify.bundle.function_limits import REQUEST

__all__ = ("build_rules",)

_ERRORS = {413: "The request is too large.", 502: "The function did not respond."}


def build_rules(static: Path) -> PreviewRules:
    """Return the rules by which the preview applies Netlify's limits, errors and headers.

    :param static: directory of static files; may not exist.
    """
    return PreviewRules(
        static=static,
        max_body=REQUEST,
        errors={status: {"errorMessage": text} for status, text in _ERRORS.items()},
        build_headers=_build_headers,
        hidden_headers=("x-nf-",),
    )


def _build_headers(client: str) -> dict[str, str]:
    return {
        "x-nf-client-connection-ip": client,
        "x-nf-request-id": uuid.uuid4().hex,
        "x-nf-deploy-context": "dev",
    }
