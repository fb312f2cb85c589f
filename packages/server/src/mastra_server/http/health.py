"""Is the process alive, and does it want more requests."""

from __future__ import annotations

from typing import Any

from litestar import Request, route
from litestar.response.base import ASGIResponse

from mastra_server.http.responses import json_answer
from mastra_server.http.schemas import Health, Ready

__all__ = ("PATHS", "ROUTES")

PATHS = frozenset(("/health", "/ready"))


@route(
    "/health",
    operation_id="health_alive",
    http_method=["GET", "HEAD"],
    requires_auth=False,
    answer=Health,
)
async def _alive() -> ASGIResponse:
    """Whether the process lives."""
    return json_answer({"success": True})


@route(
    "/ready",
    operation_id="health_ready",
    http_method=["GET", "HEAD"],
    requires_auth=False,
    answer=Ready,
    errors=(503,),
)
async def _ready(request: Request[Any, Any, Any]) -> ASGIResponse:
    """Whether the server takes requests; 503 while it drains."""
    draining = bool(request.app.state.draining)
    return json_answer({"ready": not draining}, 503 if draining else 200)


ROUTES = (_alive, _ready)
