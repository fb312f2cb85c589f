"""Find the WebSocket routes of an app by its objects, without importing a framework.

This module runs in the Python of the target. The module uses only the standard library.
"""

import collections
import contextlib
import sys

MAX_ROUTES = 10_000  # an object may lead to itself
MAX_WRAPPERS = 20  # middlewares around an app


def list_websocket_paths(app):
    """Return the paths of the WebSocket routes of an app.

    Starlette, FastAPI, Litestar, Quart and Channels are supported.
    """
    paths = set()
    for collect in (collect_paths, collect_channels_paths):
        with contextlib.suppress(Exception):  # any object may have attributes of these names
            collect(app, paths)
    return sorted(paths)


def collect_paths(app, paths):
    paths.update(list_quart_paths(app))
    waiting = collections.deque(("", each) for each in resolve_routers(find_routes(app)))
    for _ in range(MAX_ROUTES):
        if not waiting:
            break
        prefix, context = waiting.popleft()
        route = getattr(context, "original_route", context)
        path = prefix + str(getattr(context, "path", "") or "")
        if is_websocket_route(route):
            paths.add(path)
        else:
            paths.update(path + each for each in list_quart_paths(getattr(route, "app", None)))
            waiting.extend((path, each) for each in resolve_routers(find_routes(route)))


def list_quart_paths(app):
    routes = getattr(app, "url_map", None)
    rules = routes.iter_rules() if hasattr(routes, "iter_rules") else ()
    return [rule.rule for rule in rules if getattr(rule, "websocket", False)]


def collect_channels_paths(app, paths):
    """Collect the paths below the part of Channels' router that handles WebSockets."""
    app = app.application_mapping["websocket"]
    for _ in range(MAX_WRAPPERS):
        if routes := getattr(app, "routes", None):
            paths.update("/" + str(route.pattern).lstrip("^/") for route in routes)
            return
        app = getattr(app, "inner", None) or getattr(app, "application", None)


def find_routes(app):
    """Return the routes of an app, which may be mounted or wrapped in middlewares."""
    for _ in range(MAX_WRAPPERS):
        routes = getattr(app, "routes", None)
        if routes and isinstance(routes, (list, tuple)):
            return routes
        app = getattr(app, "app", None)
    return ()


def resolve_routers(routes):
    """Replace the routers that a FastAPI app includes with their routes and whole paths."""
    fastapi = sys.modules.get("fastapi.routing")
    resolve = getattr(fastapi, "iter_route_contexts", None)  # older versions include copies
    return routes if resolve is None else resolve(routes)


def is_websocket_route(route):
    return any(
        cls.__name__ == "WebSocketRoute"
        and cls.__module__.partition(".")[0] in ("starlette", "litestar")
        for cls in type(route).__mro__
    )
