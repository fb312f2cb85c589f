"""Routes for load balancers: whether the process is alive, and whether it accepts requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, route
from litestar.response.base import ASGIResponse

from mastra_server.http.responses import json_response
from mastra_server.http.schemas import Health, Ready

if TYPE_CHECKING:
    from mastra_core.workflows.durable.durable_engine import DurableEngine
    from mastra_core.workflows.durable.run_load import RunLoad
    from mastra_server.http.schemas import Obstacle

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
    """Report whether the server can answer requests, and the load of a durable engine."""
    reason = await _find_obstacle(request)
    engine: DurableEngine | None = request.app.state.mastra.durable_engine
    answer: dict[str, Any] = {"ready": not reason}
    if reason:
        answer["reason"] = reason
    if engine is not None and (load := engine.load) is not None:
        answer["runs"] = _describe_load(load)
    return json_response(answer, 503 if reason else 200)


async def _find_obstacle(request: Request[Any, Any, Any]) -> Obstacle | None:
    """Return why the server cannot answer requests; ``None`` if it can."""
    state = request.app.state
    if state.draining:
        return "draining"
    return None if await state.database_checks.pass_all() else "database"


def _describe_load(load: RunLoad) -> dict[str, int | None]:
    return {
        "queued": load.queued,
        "oldestQueued": load.oldest,
        "parked": load.parked,
        "takeovers": load.takeovers,
    }


ROUTES = (_check_liveness, _check_readiness)
