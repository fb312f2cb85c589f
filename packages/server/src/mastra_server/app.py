"""The application: routes inside, and around them what every request passes through.

From the outside in: canonical path, request id, metrics, span, HTTPS, CORS, rate limit, time limit,
body limit, error boundary, the user's middleware, Litestar's routes. A layer that has nothing to do
is left out: each is paid for by every request.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from litestar import Litestar
from litestar.datastructures import State

from mastra_core import ApiRoute, Mastra
from mastra_core.agents.toolboxes import close_toolboxes
from mastra_core.telemetry import installed
from mastra_server.agents import approval_routes
from mastra_server.agents import routes as agent_routes
from mastra_server.agents import tools as tool_routes
from mastra_server.agents.live_runs import LiveRuns
from mastra_server.agents.thread_runs import ThreadRuns
from mastra_server.auth.guards import gates
from mastra_server.http import health
from mastra_server.http.asgi import App
from mastra_server.http.errors import ErrorBoundary, exception_handlers
from mastra_server.http.not_found import unrouted_handlers
from mastra_server.http.openapi import openapi_routes
from mastra_server.http.paths import CanonicalPath, placed
from mastra_server.http.startup import PlainStart, ready
from mastra_server.http.user_routes import own_routes
from mastra_server.mcp import tools as mcp_tools
from mastra_server.mcp.app import McpRoute
from mastra_server.memory import routes as memory_routes
from mastra_server.middleware.cors import CorsHeaders
from mastra_server.middleware.https import HttpsOnly
from mastra_server.middleware.limits import BodyLimit, TimeLimit
from mastra_server.middleware.metrics import Metrics
from mastra_server.middleware.rate_limit import RateLimiter
from mastra_server.middleware.request_id import RequestId
from mastra_server.middleware.request_spans import RequestSpans
from mastra_server.middleware.user import wrap_user_middleware
from mastra_server.observability import logs as log_routes
from mastra_server.observability.log_buffer import LogBook
from mastra_server.openai import routes as openai_routes
from mastra_server.studio import routes as studio_routes
from mastra_server.threads import routes as thread_routes
from mastra_server.workflows import routes as workflow_routes

if TYPE_CHECKING:
    from mastra_server.observability.trace_store import TraceBook

__all__ = ("create_app",)


class _Application(PlainStart):
    """Litestar without the plugins for other libraries' types.

    Bodies are read and written by msgspec here. Litestar would import pydantic wherever it is
    installed, which costs 300 ms of every cold start.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[object]) -> list[object]:  # type: ignore[override]  # a private type
        return plugins


def create_app(mastra: Mastra) -> Litestar:
    """The ASGI application that serves ``mastra``.

    ``app.state.mastra`` is the object itself. Whoever stops the process may set
    ``app.state.draining`` beforehand: ``/ready`` then answers 503 while requests still finish.

    :raises ConfigError: for a middleware path that cannot be matched, or a route that is taken.
    """
    live_runs = LiveRuns(mastra.server.run_timeout)
    book, told = _traces(mastra)
    offered = mcp_tools.ROUTES if mastra.server.mcp else ()
    rows = (*_API, *told, *offered, *openapi_routes(mastra))
    api = placed(rows, mastra.server.api_prefix)
    metrics = [Metrics()] if mastra.server.metrics else []
    mcp = [McpRoute(mastra)] if mastra.server.mcp else []
    shown = [*(each.route() for each in metrics), *(each.route() for each in mcp)]
    app = _kind(mastra)(
        route_handlers=[*health.ROUTES, *api, *own_routes(mastra), *shown],
        guards=list(gates(mastra)),
        exception_handlers={**exception_handlers(), **unrouted_handlers()},
        lifespan=[_lifespan, *(each.lifespan for each in mcp)],
        state=State(
            {
                "mastra": mastra,
                "draining": False,
                "live_runs": live_runs,
                "thread_runs": ThreadRuns(),
                "log_book": LogBook(mastra.logger) if _keeps_logs(mastra) else None,
                "trace_book": book,
                "responses": openai_routes.Responses(),
            }
        ),
        logging_config=None,
        openapi_config=None,
        request_max_body_size=None,  # ours also covers bodies that a middleware reads
        debug=False,
    )
    traced = book is not None or mastra.telemetry is not None
    app.asgi_handler = _surrounded(app.asgi_handler, mastra, metrics, traced=traced)
    return app


_API = tuple(
    route
    for module in (
        agent_routes,
        approval_routes,
        thread_routes,
        openai_routes,
        workflow_routes,
        tool_routes,
        memory_routes,
        log_routes,
        studio_routes,
    )
    for route in module.ROUTES
)


def _keeps_logs(mastra: Mastra) -> bool:
    wanted = mastra.server.logs
    return _in_dev() if wanted is None else wanted


def _traces(mastra: Mastra) -> tuple[TraceBook | None, tuple[Any, ...]]:
    """What keeps traces, and the routes that tell them; loaded where somebody wants them only."""
    if not _keeps_traces(mastra):
        return None, ()
    from mastra_server.observability import trace_query, traces
    from mastra_server.observability.trace_store import TraceBook

    return TraceBook(mastra.telemetry), (*traces.ROUTES, *trace_query.ROUTES)


def _keeps_traces(mastra: Mastra) -> bool:
    """Under ``mastra dev`` where that needs nothing more to be installed."""
    wanted = mastra.server.traces
    return _in_dev() and installed() if wanted is None else wanted


def _in_dev() -> bool:
    return os.environ.get("MASTRA_DEV") == "true"


def _kind(mastra: Mastra) -> type[Litestar]:
    """Handlers of Litestar's own kind may take what its plugins read, pydantic's models too."""
    ours = all(isinstance(item, ApiRoute) for item in mastra.server.api_routes)
    return _Application if ours else PlainStart


def _surrounded(app: App, mastra: Mastra, metrics: Sequence[Metrics], *, traced: bool) -> App:
    settings = mastra.server
    if mastra.server_middleware:  # what the routes raise, Litestar answers
        app = ErrorBoundary(wrap_user_middleware(app, mastra.server_middleware))
    app = BodyLimit(app, settings.body_limit)
    app = TimeLimit(app, settings.timeout)
    if settings.rate_limit is not None:
        app = RateLimiter(app, settings.rate_limit)
    if settings.cors:
        app = CorsHeaders(app, settings.cors, dev=_in_dev())
    if settings.https_only:
        app = HttpsOnly(app)
    if traced:
        app = RequestSpans(app)
    for each in metrics:
        app = each.around(app)
    return CanonicalPath(RequestId(app))


@contextlib.asynccontextmanager
async def _lifespan(app: Litestar) -> AsyncIterator[None]:
    import asyncio

    mastra: Mastra = app.state.mastra
    traces: TraceBook | None = app.state.trace_book
    await ready(app)
    book: LogBook | None = app.state.log_book
    if book is not None:
        book.open()
    try:
        yield
    finally:
        app.state.draining = True
        if book is not None:
            book.close()
        await app.state.live_runs.close()
        await mastra.engine.close()
        await close_toolboxes(mastra.agents.values())
        await mastra.storage.close()
        if traces is not None:
            traces.stop()
        if mastra.telemetry is not None:
            await asyncio.to_thread(mastra.telemetry.stop)  # a dead collector blocks for seconds
