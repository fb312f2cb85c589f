"""Build the ASGI application: its routes, and the layers around them.

The layers, from the outermost to the innermost, are: request boundary, canonical path, request id,
metrics, span, HTTPS, CORS, foreign pages, rate limit, time limit, body limit, private responses,
error boundary, the user's middleware, Litestar's routes. Layers that the settings do not need are
left out, because each layer takes time in every request.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from litestar import Litestar
from litestar.exceptions import ImproperlyConfiguredException

from mastra_core import ApiRoute, Mastra
from mastra_core.agents.toolboxes import close_toolboxes
from mastra_core.arguments.argument_types import require_instance
from mastra_core.errors import ConfigError
from mastra_core.freezing import freezes_between_requests, get_background_role
from mastra_core.request_scope import is_request_scoped
from mastra_core.telemetry import is_sdk_installed
from mastra_server.a2a import routes as a2a_routes
from mastra_server.agents import approval_routes
from mastra_server.agents import routes as agent_routes
from mastra_server.agents import tools as tool_routes
from mastra_server.agents.live_runs import LiveRuns
from mastra_server.agents.thread_runs import ThreadRuns
from mastra_server.auth.guards import build_guards
from mastra_server.http import health
from mastra_server.http.asgi import App
from mastra_server.http.errors import ErrorBoundary, get_exception_handlers
from mastra_server.http.handlers import build_options_handler
from mastra_server.http.not_found import get_not_found_handlers
from mastra_server.http.openapi import get_openapi_routes
from mastra_server.http.paths import CanonicalPath, mount_handlers
from mastra_server.http.readiness import DatabaseChecks
from mastra_server.http.server_state import ServerState
from mastra_server.http.startup import StartupErrorApp, keep_startup_error, open_resources
from mastra_server.http.user_routes import (
    build_user_routes,
    check_user_routes,
    warn_about_open_routes,
)
from mastra_server.mcp import resources as mcp_resources
from mastra_server.mcp import tools as mcp_tools
from mastra_server.mcp.app import McpRoute
from mastra_server.memory import routes as memory_routes
from mastra_server.middleware.cors import CorsHeaders
from mastra_server.middleware.foreign_pages import ForeignPages
from mastra_server.middleware.https import HttpsOnly
from mastra_server.middleware.limits import BodyLimit, TimeLimit
from mastra_server.middleware.private_responses import PrivateResponses
from mastra_server.middleware.rate_limit import RateLimiter
from mastra_server.middleware.request_boundary import RequestBoundary
from mastra_server.middleware.request_id import RequestId
from mastra_server.middleware.request_metrics import RequestMetrics
from mastra_server.middleware.request_spans import RequestSpans
from mastra_server.middleware.user_middleware import wrap_user_middleware
from mastra_server.observability import log_query
from mastra_server.observability import logs as log_routes
from mastra_server.observability.server_logs import ServerLogs
from mastra_server.observability.server_metrics import ServerMetrics
from mastra_server.openai import routes as openai_routes
from mastra_server.openai.response_store import ResponseStore
from mastra_server.studio import routes as studio_routes
from mastra_server.threads import routes as thread_routes
from mastra_server.workflows import no_schedules
from mastra_server.workflows import routes as workflow_routes

if TYPE_CHECKING:
    from mastra_core.workflows.durable.durable_engine import DurableEngine
    from mastra_server.observability.trace_store import TraceStore

__all__ = ("create_app",)


class _PluginFreeApp(StartupErrorApp):
    """Litestar without the default plugins for types of other libraries.

    This server reads and writes bodies with msgspec. The default plugins would import pydantic if
    it is installed, which takes 300 ms of every cold start.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[object]) -> list[object]:  # type: ignore[override]  # a private type
        return plugins


def create_app(mastra: Mastra) -> Litestar:
    """Build the ASGI application that serves ``mastra``.

    ``app.state.mastra`` is the ``Mastra`` object itself. Code that stops the process may set
    ``app.state.draining`` first. While ``draining`` is set, ``/ready`` responds with 503, and
    streams that only wait for a thread's next run end. All other active requests still finish.

    :param mastra: the agents, workflows, tools and server settings to serve.
    :returns: the Litestar application.
    :raises ConfigError: for a middleware path that no request can match, or for an endpoint whose
        path and method another route has.
    """
    require_instance(mastra, Mastra, "mastra")
    limiters: list[RateLimiter] = []
    trace_store, trace_routes = _create_trace_store(mastra)
    api_routes = _build_api_routes(mastra, trace_routes)
    metrics = ServerMetrics(mastra)
    mcp = [McpRoute(mastra)] if mastra.server.mcp else []
    handlers = [
        *health.ROUTES,
        build_options_handler(api_routes),
        *api_routes,
        *build_user_routes(mastra),
        *metrics.routes,
        *(each.build_route() for each in mcp),
    ]
    try:
        app = _choose_app_class(mastra)(
            route_handlers=handlers,
            guards=list(build_guards(mastra)),
            exception_handlers={**get_exception_handlers(), **get_not_found_handlers()},
            lifespan=[_run_lifespan, *(each.run_lifespan for each in mcp)],
            state=_build_state(mastra, metrics, trace_store, limiters),
            logging_config=None,
            openapi_config=None,
            request_max_body_size=None,  # BodyLimit also covers bodies that a middleware reads
            debug=False,
        )
    except ImproperlyConfiguredException as error:
        raise ConfigError(
            f"Server(api_routes=...) cannot be served: {error.detail.rstrip('.')}.",
            "Correct this endpoint. No two endpoints may have the same path and method.",
        ) from None
    if mastra.server.api_routes:
        check_user_routes(app)
    warn_about_open_routes(app, mastra)
    traced = trace_store is not None or mastra.telemetry is not None
    app.asgi_handler = _wrap_layers(
        app.asgi_handler, mastra, limiters, measure=metrics.is_enabled, trace=traced
    )
    return app


_API_ROUTES = tuple(
    route
    for module in (
        agent_routes,
        approval_routes,
        thread_routes,
        openai_routes,
        a2a_routes,
        workflow_routes,
        tool_routes,
        memory_routes,
        log_query,
        log_routes,
        studio_routes,
    )
    for route in module.ROUTES
)


def _build_api_routes(mastra: Mastra, trace_routes: Sequence[Any]) -> list[Any]:
    """Return the routes below the prefix of the API."""
    mcp_routes = (*mcp_tools.ROUTES, *mcp_resources.ROUTES) if mastra.server.mcp else ()
    routes = (
        *_API_ROUTES,
        *trace_routes,
        *mcp_routes,
        *_get_schedule_routes(mastra),
        *_get_stored_run_routes(mastra),
        *get_openapi_routes(mastra),
    )
    return list(mount_handlers(routes, mastra.server.api_prefix))


def _build_state(
    mastra: Mastra,
    metrics: ServerMetrics,
    trace_store: TraceStore | None,
    limiters: list[RateLimiter],
) -> ServerState:
    """Return the state that all requests share."""
    return ServerState(
        {
            "mastra": mastra,
            "draining": False,
            "database_checks": DatabaseChecks(mastra),
            "loop": None,
            "live_runs": LiveRuns(mastra.server.run_timeout),
            "thread_runs": ThreadRuns(),
            "metrics": metrics,
            "logs": ServerLogs(mastra, can_list=_should_keep_logs(mastra)),
            "trace_store": trace_store,
            "responses": ResponseStore(mastra.storage),
            "rate_limiters": limiters,
            "remote_runs": None,
        }
    )


def _get_schedule_routes(mastra: Mastra) -> tuple[Any, ...]:
    """Return all schedule routes only if a workflow has a schedule, to reduce startup time."""
    if not any(workflow.schedules for workflow in mastra.workflows.values()):
        return no_schedules.ROUTES
    from mastra_server.workflows.schedule_routes import ROUTES

    return ROUTES


def _get_stored_run_routes(mastra: Mastra) -> tuple[Any, ...]:
    """Return the routes of stored runs if the engine stores runs, or else no routes."""
    if mastra.durable_engine is None:
        return ()
    from mastra_server.workflows.stored_run_routes import ROUTES

    return ROUTES


def _should_keep_logs(mastra: Mastra) -> bool:
    enabled = mastra.server.logs
    return _is_dev() if enabled is None else enabled


def _create_trace_store(mastra: Mastra) -> tuple[TraceStore | None, tuple[Any, ...]]:
    """Return the trace store and its routes; import them only if the server stores traces."""
    if not _should_keep_traces(mastra):
        return None, ()
    from mastra_server.observability import trace_query, traces
    from mastra_server.observability.trace_store import TraceStore

    return TraceStore(mastra.telemetry), (*traces.ROUTES, *trace_query.ROUTES)


def _should_keep_traces(mastra: Mastra) -> bool:
    """Return whether the server stores traces: by default, in development with OpenTelemetry."""
    enabled = mastra.server.traces
    return _is_dev() and is_sdk_installed() if enabled is None else enabled


def _is_dev() -> bool:
    return os.environ.get("MASTRA_DEV") == "true"


def _choose_app_class(mastra: Mastra) -> type[Litestar]:
    """Return the application class, with or without Litestar's plugins.

    A user's Litestar handlers may have types that need Litestar's plugins, such as pydantic models.
    """
    plain = all(isinstance(item, ApiRoute) for item in mastra.server.api_routes)
    return _PluginFreeApp if plain else StartupErrorApp


def _wrap_layers(
    app: App, mastra: Mastra, limiters: list[RateLimiter], *, measure: bool, trace: bool
) -> App:
    settings = mastra.server
    if mastra.server_middleware:  # Litestar handles only what the routes raise
        app = ErrorBoundary(wrap_user_middleware(app, mastra.server_middleware))
    durable_engine = mastra.durable_engine
    if freezes_between_requests() and durable_engine is not None:
        app = _add_frozen_runs(app, settings.api_prefix, durable_engine)
    if settings.auth is not None or mastra.server_middleware:
        app = PrivateResponses(app)
    app = BodyLimit(app, settings.body_limit)
    app = TimeLimit(app, settings.timeout)
    if settings.rate_limit is not None:
        app = RateLimiter(app, settings.rate_limit)
        limiters.append(app)
    if settings.cors and not _is_dev():  # mastra dev refuses all requests of foreign pages
        app = ForeignPages(app, settings.api_prefix, settings.cors)
    if settings.cors:
        app = CorsHeaders(app, settings.cors, dev=_is_dev())
    if settings.https_only:
        app = HttpsOnly(app)
    if trace:
        app = RequestSpans(app)
    if measure:
        app = RequestMetrics(app)
    app = CanonicalPath(RequestId(app))
    return RequestBoundary(app) if is_request_scoped() else app


def _add_frozen_runs(app: App, prefix: str, engine: DurableEngine) -> App:
    """Execute durable runs within requests, or leave them to a background function."""
    # Loaded on use: other servers execute runs between requests.
    from mastra_server.middleware.deferred_runs import BackgroundRuns, DeferredRuns
    from mastra_server.middleware.frozen_runs import FrozenRuns

    role = get_background_role()
    if role == "caller":
        return DeferredRuns(app, prefix, engine.has_waiting_runs)
    if role == "worker":
        return BackgroundRuns(app, prefix, engine.continue_runs)
    return FrozenRuns(app, prefix, engine.continue_runs)


async def _open_remote_runs(app: Litestar) -> None:
    """Listen to the servers that share the storage, if the storage allows that."""
    bus = getattr(app.state.mastra.storage, "bus", None)
    if bus is not None:
        from mastra_server.agents.remote.remote_runs import RemoteRuns

        app.state.remote_runs = RemoteRuns(bus, app.state.live_runs, app.state.thread_runs)
        await app.state.remote_runs.open()


@contextlib.asynccontextmanager
async def _run_lifespan(app: Litestar) -> AsyncIterator[None]:
    app.state.draining = False  # an application may be served again
    with keep_startup_error(app):
        await open_resources(app)
    # Each resource is closed, in the reverse order, even if another one cannot be opened or closed.
    async with contextlib.AsyncExitStack() as stack:
        app.state.logs.open()
        stack.callback(app.state.logs.close)
        stack.push_async_callback(_stop_exports, app)
        if app.state.trace_store is not None:
            stack.callback(app.state.trace_store.stop)
        for limiter in app.state.rate_limiters:
            stack.push_async_callback(limiter.close)
        mastra: Mastra = app.state.mastra
        stack.push_async_callback(mastra.storage.close)
        stack.push_async_callback(close_toolboxes, mastra.agents.values())
        stack.push_async_callback(mastra.engine.close)
        with keep_startup_error(app):
            await _open_remote_runs(app)
        if app.state.remote_runs is not None:
            stack.push_async_callback(app.state.remote_runs.close)
        stack.push_async_callback(app.state.live_runs.close)
        with keep_startup_error(app):
            await app.state.metrics.open()
        app.state.loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            app.state.draining = True
            app.state.loop = None


async def _stop_exports(app: Litestar) -> None:
    """Export the last spans and metrics in threads, because a collector may block for seconds."""
    telemetry = app.state.mastra.telemetry
    stop = [] if telemetry is None else [asyncio.to_thread(telemetry.stop)]
    outcomes = await asyncio.gather(*stop, app.state.metrics.close(), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
