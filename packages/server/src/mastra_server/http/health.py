"""Routes for load balancers: whether the process is alive, and whether it accepts requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, route
from litestar.response.base import ASGIResponse

from mastra_server.http.responses import json_response
from mastra_server.http.schemas import Health, Ready

if TYPE_CHECKING:
    from mastra_core.workflows.durable.run_load import RunLoad

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
    """Report whether the server accepts requests, and the load of a durable engine."""
    draining = bool(request.app.state.draining)
    load = getattr(request.app.state.mastra.engine, "load", None)  # of engines with a queue
    answer = {"ready": not draining} | ({} if load is None else {"runs": _describe_load(load)})
    return json_response(answer, 503 if draining else 200)


def _describe_load(load: RunLoad) -> dict[str, int | None]:
    return {
        "queued": load.queued,
        "oldestQueued": load.oldest,
        "parked": load.parked,
        "takeovers": load.takeovers,
    }


ROUTES = (_check_liveness, _check_readiness)
