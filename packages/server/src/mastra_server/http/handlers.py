"""Declare the handlers of this server's routes, with little startup time.

Litestar inspects the signature of every handler, and adds a handler for ``OPTIONS`` to every path.
All handlers of this server get the request and return a response. Handlers with equal signatures
share the objects that Litestar derives from a signature, and a call skips Litestar's general code
for arguments and return values.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from mastra_server.http.asgi import App, Receive, Scope, Send

__all__ = ("RequestHandler", "build_options_handler", "delete", "get", "patch", "post")

_SIGNATURES: dict[Hashable, Any] = {}
_MODELS: dict[Hashable, Any] = {}


class RequestHandler(HTTPRouteHandler):
    """A handler whose coroutine function has at most the parameter ``request``.

    Handlers of several applications can share the parsed signature and its model. Dependencies,
    types and decoders of an application do not apply to a function whose only parameter is
    ``request``. Litestar's hooks, such as ``before_request``, are not called.
    """

    def resolve_middleware(self) -> list[Any]:
        """Return the middleware of the handler; the innermost one calls the handler's function."""
        return [self._replace_route, *super().resolve_middleware()]

    def _replace_route(self, app: App) -> App:  # noqa: ARG002  # Litestar passes it by name
        """Return the application that Litestar calls instead of ``app``, the route."""
        return self._call_function

    @functools.cached_property
    def _takes_request(self) -> bool:
        return bool(self.parsed_fn_signature.parameters)

    def resolve_exception_handlers(self) -> Any:
        """Return the exception handlers; Litestar itself would merge them for each request."""
        return self._exception_handlers

    @functools.cached_property
    def _exception_handlers(self) -> Any:
        return super().resolve_exception_handlers()

    async def _call_function(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the guards, call the function, and send its response."""
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        if self.resolve_guards():
            await self.authorize_connection(request)
        response = await (self.fn(request) if self._takes_request else self.fn())
        await response(scope, receive, send)

    @functools.cached_property
    def parsed_fn_signature(self) -> Any:
        """The parsed signature of the function; handlers with equal types share it."""
        key = _build_key(self.fn)
        if key not in _SIGNATURES:
            _SIGNATURES[key] = super().parsed_fn_signature
        return _SIGNATURES[key]

    @functools.cached_property
    def signature_model(self) -> Any:
        """The model of the function's arguments; handlers with equal types share it."""
        key = _build_key(self.fn)
        if key not in _MODELS:
            _MODELS[key] = super().signature_model
        return _MODELS[key]


def _build_key(function: Any) -> Hashable:
    """Return a key that is equal for functions whose signatures have equal types.

    An annotation that is not the name of a global is compared as text. Because equal texts may mean
    different types in two modules, the key then contains the function's module.
    """
    names, annotations = function.__globals__, function.__annotations__
    types = tuple((name, names.get(text, text)) for name, text in annotations.items())
    return (types, None if names.keys() >= {*annotations.values()} else function.__module__)


def get(path: str | Sequence[str], **options: Any) -> RequestHandler:
    """Return a decorator for a function that responds to ``GET``.

    :param path: the path, or a list of paths.
    :param options: options of Litestar's decorator, and the options that
        ``mastra_server.http.operations`` describes.
    """
    return RequestHandler(path, http_method="GET", **options)


def post(path: str | Sequence[str], **options: Any) -> RequestHandler:
    """Return a decorator for a function that responds to ``POST``.

    :param path: the path, or a list of paths.
    :param options: options of Litestar's decorator, and the options that
        ``mastra_server.http.operations`` describes.
    """
    return RequestHandler(path, http_method="POST", **options)


def patch(path: str | Sequence[str], **options: Any) -> RequestHandler:
    """Return a decorator for a function that responds to ``PATCH``.

    :param path: the path, or a list of paths.
    :param options: options of Litestar's decorator, and the options that
        ``mastra_server.http.operations`` describes.
    """
    return RequestHandler(path, http_method="PATCH", **options)


def delete(path: str | Sequence[str], **options: Any) -> RequestHandler:
    """Return a decorator for a function that responds to ``DELETE``.

    :param path: the path, or a list of paths.
    :param options: options of Litestar's decorator, and the options that
        ``mastra_server.http.operations`` describes.
    """
    return RequestHandler(path, http_method="DELETE", **options)


def build_options_handler(handlers: Iterable[HTTPRouteHandler]) -> RequestHandler:
    """Build the handler that responds to ``OPTIONS`` with the methods of the requested path.

    Register this handler before the others, because Litestar adds its own ``OPTIONS`` handler to
    each path that has none.

    :param handlers: all handlers of the paths.
    """
    paths = dict.fromkeys(path for handler in handlers for path in sorted(handler.paths))
    options = RequestHandler(list(paths), http_method="OPTIONS", include_in_schema=False)
    options.paths = paths  # type: ignore[assignment]  # a set that keeps the order
    return options(_list_methods)  # type: ignore[return-value]  # the decorator returns itself


async def _list_methods(request: Request[Any, Any, Any]) -> ASGIResponse:
    """Respond with the methods of all handlers of the path, including the user's handlers."""
    template = request.scope["path_template"]
    methods = next(each.methods for each in request.app.routes if each.path_format == template)
    return ASGIResponse(status_code=204, headers={"allow": ", ".join(sorted(methods))})
