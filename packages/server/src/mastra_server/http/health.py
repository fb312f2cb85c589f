"""Routes for load balancers: whether the process is alive, and whether it accepts requests."""

from __future__ import annotations

from typing import Any

from litestar import Request, route
from litestar.response.base import ASGIResponse

from mastra_server.http.responses import json_response
from mastra_server.http.schemas import Health, Ready

__all__ = ("HEALTH_PATHS", "ROUTES")

HEALTH_PATHS = frozenset(("/health", "/ready"))


@route(
    "/health",
    operation_id="health_alive",
    http_method=["GET", "HEAD"],
    requires_auth=False,
    response=Health,
)
async def _check_liveness() -> ASGIResponse:
    """Report that the process is alive."""
    return json_response({"success": True})


@route(
    "/ready",
    operation_id="health_ready",
    http_method=["GET", "HEAD"],
    requires_auth=False,
    response=Ready,
    errors=(503,),
)
async def _check_readiness(request: Request[Any, Any, Any]) -> ASGIResponse:
    """Report whether the server accepts requests; 503 while it drains."""
    draining = bool(request.app.state.draining)
    return json_response({"ready": not draining}, 503 if draining else 200)


ROUTES = (_check_liveness, _check_readiness)
