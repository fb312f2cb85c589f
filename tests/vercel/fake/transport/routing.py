"""Route requests to functions: `@route("GET", "projects/{id}", 9)`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from tests.vercel.fake.transport.request import ApiError, Request

Handler = Callable[[Request], Any]
UNVERSIONED = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    versions: frozenset[int]
    handler: Handler
    limit_key: str  # key of the route's rate limit


_ROUTES: list[Route] = []


def route(method: str, pattern: str, *versions: int) -> Callable[[Handler], Handler]:
    """Register a function as the handler of a path.

    :param pattern: path without version; `{name}` matches one segment.
    :param versions: the accepted versions; 0 is a path without version.
    """

    def register(handler: Handler) -> Handler:
        shape = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern))
        name = f"{method} /{pattern}"
        _ROUTES.append(
            Route(
                method=method,
                pattern=shape,
                versions=frozenset(versions),
                handler=handler,
                limit_key=name,
            )
        )
        return handler

    return register


def find_route(method: str, path: str) -> tuple[Route, Mapping[str, str]]:
    """Return the route of a path and the arguments in it; `/now/` of older paths is ignored."""
    address = re.fullmatch(r"/(?:v(\d+)/)?(?:now/)?(.+?)/?", path)
    version, rest = (int(address[1] or UNVERSIONED), address[2]) if address else (UNVERSIONED, "")
    for route in _ROUTES:
        match = route.pattern.fullmatch(rest)
        if match and route.method == method and version in route.versions:
            return route, {name: unquote(part) for name, part in match.groupdict().items()}
    raise ApiError(404, "not_found", f"The requested endpoint {method} {path} does not exist")
