"""Turn the user's own endpoints into Litestar handlers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator
from typing import Any, cast

from litestar import Controller, Litestar, Request, Router, route
from litestar.handlers import BaseRouteHandler
from litestar.response.base import ASGIResponse
from litestar.routes import BaseRoute, HTTPRoute

from mastra_core import ApiRoute, Mastra
from mastra_core.errors import ConfigError
from mastra_core.logger import get_logger
from mastra_server.http.health import HEALTH_PATHS
from mastra_server.http.paths import PathPattern
from mastra_server.http.responses import to_response

__all__ = ("build_user_routes", "check_user_routes", "warn_about_open_routes")

_PARAMETER = re.compile(r"\{(\w+)\}")


def build_user_routes(mastra: Mastra) -> Iterator[Any]:
    """Yield the handlers of ``Server(api_routes=...)``.

    :param mastra: the application.
    :returns: handlers, routers and controllers of Litestar.
    :raises ConfigError: for a path below the API's prefix, or a value that is not a route.
    """
    for item in mastra.server.api_routes:
        if isinstance(item, ApiRoute):
            yield _build_handler(item, mastra.server.api_prefix)
        elif isinstance(item, BaseRouteHandler | Router) or _is_controller(item):
            yield item
        else:
            raise ConfigError(
                f"api_routes contains {item!r}, which is not a route.",
                "Pass ApiRoute(path=..., handler=...), or a Litestar handler.",
            )


def check_user_routes(app: Litestar) -> None:
    """Check that no two endpoints differ only in the names of their parameters.

    Of two endpoints that differ only in the names of parameters, Litestar would serve only the last
    one.

    :param app: the application with all routes.
    :raises ConfigError: when two endpoints have the same method and equal paths.
    """
    paths: dict[tuple[str, str], str] = {}
    for item in app.routes:
        if not isinstance(item, HTTPRoute):
            continue
        shape = _PARAMETER.sub("{}", item.path_format)
        for method in item.methods - {"OPTIONS"}:
            other = paths.setdefault((method, shape), item.path_format)
            if other != item.path_format:
                raise ConfigError(
                    f"The endpoints {other!r} and {item.path_format!r} match the same {method} "
                    "requests.",
                    "Give one of the two endpoints another path.",
                )


def warn_about_open_routes(app: Litestar, mastra: Mastra) -> None:
    """Log a warning for custom endpoints that neither ``auth`` nor a middleware protects.

    A middleware without a path covers the API only. If only a middleware without a path checks
    credentials, custom endpoints outside of the API need none.

    :param app: the application with all routes.
    :param mastra: the application's settings.
    """
    if mastra.server.auth is not None or not mastra.server_middleware:
        return
    patterns = [PathPattern(each.path, "middleware") for each in mastra.server_middleware]
    for item in app.routes:
        is_covered = any(pattern.matches(item.path) for pattern in patterns)
        if not is_covered and _is_custom(item, mastra.server.api_prefix):
            get_logger("mastra.server").warning(
                "no middleware covers the endpoint %s, so every caller may call it: set "
                "Server(auth=...), the path '*' of the middleware, or requires_auth=False",
                item.path,
            )


def _is_custom(item: BaseRoute, prefix: str) -> bool:
    """Return whether a route is the user's own and is not declared as public."""
    if item.path in (*HEALTH_PATHS, "/metrics") or f"{item.path}/".startswith(f"{prefix}/"):
        return False
    handlers = getattr(item, "route_handlers", None) or [getattr(item, "route_handler", None)]
    # Litestar adds a handler for OPTIONS to each route.
    own = [each for each in handlers if getattr(each, "http_methods", None) != {"OPTIONS"}]
    return not all(each.opt.get("requires_auth") is False for each in own)


def _is_controller(item: Any) -> bool:
    return isinstance(item, type) and issubclass(item, Controller)


def _build_handler(item: ApiRoute, prefix: str) -> Any:
    if item.path in HEALTH_PATHS or (prefix and (item.path + "/").startswith(prefix + "/")):
        raise ConfigError(
            f"The path {item.path!r} is reserved for the server's own routes.",
            f"Choose a path outside of {prefix}/, /health and /ready.",
        )

    async def handle(request: Request[Any, Any, Any]) -> ASGIResponse:
        value = item.handler(request)
        value = await value if isinstance(value, Awaitable) else value
        return cast("ASGIResponse", to_response(value, request))  # Litestar reads the annotation

    handle.__name__ = getattr(item.handler, "__name__", "answer")
    handle.__doc__ = item.handler.__doc__
    path = _PARAMETER.sub(r"{\1:str}", item.path)
    methods: Any = list(item.methods)
    return route(
        path,
        operation_id=f"routes_{handle.__name__}",
        http_method=methods,
        status_code=200,  # the default of DELETE allows no body
        requires_auth=item.requires_auth,
    )(handle)
