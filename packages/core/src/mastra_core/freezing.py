"""Tell platforms that freeze a process between two of its requests."""

from __future__ import annotations

import os

__all__ = ("freezes_between_requests",)

_VARIABLES = ("AWS_LAMBDA_FUNCTION_NAME", "VERCEL")


def freezes_between_requests() -> bool:
    """Return whether the platform pauses the threads of this process between requests.

    Netlify's functions run on AWS Lambda.
    """
    return any(name in os.environ for name in _VARIABLES)
