"""The user's own endpoints, as handlers of Litestar."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator
from typing import Any, cast

from litestar import Controller, Request, Router, route
from litestar.handlers import BaseRouteHandler
from litestar.response.base import ASGIResponse

from mastra_core import ApiRoute, Mastra
from mastra_core.errors import ConfigError
from mastra_server.http.health import PATHS
from mastra_server.http.responses import answer_of

__all__ = ("own_routes",)

_PARAMETER = re.compile(r"\{(\w+)\}")


def own_routes(mastra: Mastra) -> Iterator[Any]:
    """What ``Server(api_routes=...)`` names.

    :raises ConfigError: for a path below the API's prefix, or something that is no route.
    """
    for item in mastra.server.api_routes:
        if isinstance(item, ApiRoute):
            yield _handler(item, mastra.server.api_prefix)
        elif isinstance(item, BaseRouteHandler | Router) or _is_controller(item):
            yield item
        else:
            raise ConfigError(
                f"api_routes has {item!r}.",
                "Pass ApiRoute(path=..., handler=...), or a handler of Litestar.",
            )


def _is_controller(item: Any) -> bool:
    return isinstance(item, type) and issubclass(item, Controller)


def _handler(item: ApiRoute, prefix: str) -> Any:
    if item.path in PATHS or (prefix and (item.path + "/").startswith(prefix + "/")):
        raise ConfigError(
            f"The route {item.path!r} is one of the server's own places.",
            f"Choose a path outside of {prefix}/, /health and /ready.",
        )

    async def answer(request: Request[Any, Any, Any]) -> ASGIResponse:
        value = item.handler(request)
        value = await value if isinstance(value, Awaitable) else value
        return cast("ASGIResponse", answer_of(value, request))  # Litestar reads the annotation

    answer.__name__ = getattr(item.handler, "__name__", "answer")
    answer.__doc__ = item.handler.__doc__
    path = _PARAMETER.sub(r"{\1:str}", item.path)
    methods: Any = list(item.methods)
    return route(
        path,
        operation_id=f"routes_{answer.__name__}",
        http_method=methods,
        requires_auth=item.requires_auth,
    )(answer)
