"""Is the process alive, and does it want more requests."""

from __future__ import annotations

from typing import Any

from litestar import Request, route
from litestar.response.base import ASGIResponse

from mastra_server.answers import json_answer

__all__ = ("PATHS", "ROUTES")

PATHS = frozenset(("/health", "/ready"))


@route("/health", http_method=["GET", "HEAD"], requires_auth=False)
async def _alive() -> ASGIResponse:
    return json_answer({"success": True})


@route("/ready", http_method=["GET", "HEAD"], requires_auth=False)
async def _ready(request: Request[Any, Any, Any]) -> ASGIResponse:
    draining = bool(request.app.state.draining)
    return json_answer({"ready": not draining}, 503 if draining else 200)


ROUTES = (_alive, _ready)
