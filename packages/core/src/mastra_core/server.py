"""Settings of the HTTP server. The package ``mastra_server`` contains the server."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from mastra_core.arguments.argument_types import check_types, refuse_text
from mastra_core.arguments.function_parameters import check_parameters
from mastra_core.arguments.number_checks import check_count, check_seconds
from mastra_core.errors import ConfigError

__all__ = ("ApiRoute", "Cors", "Middleware", "RateLimit", "Server")

T = TypeVar("T")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s]+")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_METHOD_NAMES = ", ".join(_METHODS)
_MAX_PORT = 65535
_SEQUENCES = ("public", "api_routes", "model_settings", "mcp_resources", "trusted_proxies")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cors:
    """The settings for pages of other origins that call the server.

    :param origins: allowed origins; ``*`` allows every origin.
    :param credentials: whether browsers may send cookies and credentials; not allowed with the
        origin ``*``.
    :param headers: request headers to allow in addition to the default ones.
    :param max_age: seconds that a browser may cache the response to a preflight request.
    :raises ConfigError: for credentials together with the origin ``*``, for a value that is not an
        origin, for a negative ``max_age``, or for an argument of the wrong type.
    """

    origins: Sequence[str] = ("*",)
    credentials: bool = False
    headers: Sequence[str] = ()
    max_age: int = 3600

    def __post_init__(self) -> None:
        refuse_text(self.origins, "origins", "Cors")
        refuse_text(self.headers, "headers", "Cors")
        check_types(vars(self), Cors.__annotations__)
        check_count("max_age", self.max_age, least=0)
        for origin in self.origins:
            if origin not in ("*", "null") and not _ORIGIN.fullmatch(origin):
                raise ConfigError(
                    f"{origin!r} in origins is not an origin, so no page would match it.",
                    "Write a scheme and a host, without a path: 'https://app.example.com'.",
                )
        if self.credentials and "*" in self.origins:
            raise ConfigError(
                "Cors(credentials=True) with '*' would let any website send requests with the "
                "login of a visitor.",
                "List the origins of the pages, such as origins=['https://app.example.com'].",
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RateLimit:
    """The number of requests that one client may send.

    :param amount: the limit, such as ``100/minute`` or ``5/second``.
    :param by: a function of the request that returns the client's key; by default the key is the
        client's address.
    :param storage: the storage in which requests are counted. Processes that share one limit need a
        database (``postgresql://...``, ``sqlite:///file.db``) or a shared storage of the package
        ``limits``, such as ``async+redis://host:6379``.
    :raises ConfigError: for an argument of the wrong type, or a function with other parameters.
    """

    amount: str
    by: Callable[..., Any] | None = None
    storage: str = "async+memory://"

    def __post_init__(self) -> None:
        check_types(vars(self), RateLimit.__annotations__)
        if self.by is not None:
            check_parameters(self.by, "by", "request")

    @property
    def is_in_database(self) -> bool:
        """Whether all processes count their requests in one SQLite or PostgreSQL database."""
        return self.storage.startswith(("sqlite:", "postgresql:", "postgres:"))

    @property
    def is_in_memory(self) -> bool:
        """Whether each process counts its own requests in memory."""
        return self.storage.startswith("async+memory:")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ApiRoute:
    """A custom endpoint in addition to the endpoints of the API.

    :param path: path from the root, with parameters in braces: ``/orders/{order}``.
    :param handler: ``async def handler(request)``, which returns data, text or a response.
    :param method: one HTTP method, or several.
    :param requires_auth: whether ``Server(auth=...)`` also protects this endpoint.
    :raises ConfigError: for an invalid path, method or handler.
    """

    path: str
    handler: Callable[..., Any]
    method: str | Sequence[str] = "GET"
    requires_auth: bool = True

    def __post_init__(self) -> None:
        if not callable(self.handler):
            raise ConfigError(
                f"The handler {self.handler!r} of the route {self.path!r} is not callable.",
                "Pass an async function: async def handler(request).",
            )
        check_types(vars(self), ApiRoute.__annotations__)
        check_parameters(self.handler, "handler", "request")
        if not self.path.startswith("/"):
            raise ConfigError(
                f"The route {self.path!r} does not begin with '/'.", "Write '/orders/{order}'."
            )
        if set(self.path) & set("?# ") or self.path.count("{") != self.path.count("}"):
            raise ConfigError(
                f"The route {self.path!r} is not a path, so no request would match it.",
                "Write '/orders/{order}', without a query.",
            )
        if not self.methods:
            raise ConfigError(
                f"The route {self.path!r} has no method.", f"Use one or more of {_METHOD_NAMES}."
            )
        for method in self.methods:
            if method not in _METHODS:
                raise ConfigError(
                    f"The route {self.path!r} has the unknown method {method!r}.",
                    f"Use one or more of {_METHOD_NAMES}.",
                )

    @property
    def methods(self) -> tuple[str, ...]:
        """The HTTP methods of the endpoint."""
        return (self.method,) if isinstance(self.method, str) else tuple(self.method)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """The settings of the HTTP server.

    :param host: address to bind; the environment variable ``HOST`` overrides it.
    :param port: port to bind; ``PORT`` overrides it.
    :param api_prefix: path of the API; a client must be configured with the same prefix.
    :param auth: authenticates callers: an object with ``authenticate(token, request)``.
    :param public: paths that need no ``auth``, in the format of ``Middleware.path``.
    :param api_routes: custom endpoints: ``ApiRoute(...)``, or handlers of Litestar.
    :param on_error: ``on_error(error, request)``, which may return a response to send in place of
        the server's error.
    :param openapi: whether ``openapi.json`` and a page that shows it are served below the prefix;
        by default only under ``mastra dev``.
    :param model_settings: names of further settings of the model that a caller may pass, in
        snake_case (``parallel_tool_calls``). If the names contain ``extra_body``, a caller can
        choose the model.
    :param cors: ``False`` omits the CORS headers.
    :param rate_limit: how many requests one client may send; the server answers further requests
        with 429.
    :param logs: whether the latest log lines are kept and served at ``/logs`` below the prefix; by
        default only under ``mastra dev``.
    :param traces: whether the latest traces, with the inputs and outputs of agents and workflows,
        are kept and served at ``/observability/traces`` below the prefix; by default only under
        ``mastra dev`` with the extra ``telemetry`` installed.
    :param metrics: whether ``/metrics`` is served for Prometheus.
    :param mcp: whether agents, workflows and tools are served as an MCP server at
        ``/mcp/mastra/mcp`` below the prefix.
    :param mcp_resources: the ``McpResource`` objects that the MCP server offers.
    :param https_only: whether plain HTTP is redirected and browsers are told to use HTTPS (HSTS).
    :param body_limit: maximum size of a request body in bytes; the server answers a larger one with
        413.
    :param timeout: seconds until the first byte of a response; after that, the server answers with
        504.
    :param run_timeout: seconds that a streamed agent run may take, even after its client has
        disconnected.
    :param drain_timeout: seconds in which running requests can end after SIGTERM, or under ``mastra
        dev`` after a file is saved. ``drain_timeout`` is 5 seconds by default, and 300 seconds
        under ``mastra dev``.
    :param trusted_proxies: addresses or networks whose ``X-Forwarded-*`` headers are trusted.
    :raises ConfigError: for an invalid prefix, an ``auth`` without ``authenticate``, an invalid
        name in ``model_settings``, a number out of its range, an invalid proxy, a function with
        other parameters, or an argument of the wrong type.
    """

    host: str = "0.0.0.0"  # noqa: S104  # a server in a container that binds loopback is unreachable
    port: int = 3000
    api_prefix: str = "/api"
    auth: Any = None
    public: Sequence[str] = ()
    api_routes: Sequence[Any] = ()
    on_error: Callable[..., Any] | None = None
    openapi: bool | None = None
    model_settings: Sequence[str] = ()
    cors: Cors | Literal[False] = Cors()
    rate_limit: RateLimit | None = None
    logs: bool | None = None
    traces: bool | None = None
    metrics: bool = False
    mcp: bool = False
    mcp_resources: Sequence[Any] = ()
    https_only: bool = False
    body_limit: int = 4_718_592
    timeout: float = 180
    run_timeout: float = 3600
    drain_timeout: float | None = None
    trusted_proxies: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in _SEQUENCES:  # the path "*" of `public`, for example, opens every route
            refuse_text(getattr(self, name), name, "Server")
        check_types(vars(self), Server.__annotations__)
        self._check_numbers()
        if self.cors is not False:
            object.__setattr__(self, "cors", from_mapping(Cors, self.cors, "server.cors"))
        if self.rate_limit is not None:
            limit = from_mapping(RateLimit, self.rate_limit, "server.rate_limit")
            object.__setattr__(self, "rate_limit", limit)
        object.__setattr__(self, "api_routes", tuple(map(_convert_route, self.api_routes)))
        object.__setattr__(self, "api_prefix", _normalize_prefix(self.api_prefix))
        if self.auth is not None and not callable(getattr(self.auth, "authenticate", None)):
            raise ConfigError(
                f"The value of auth= is a {type(self.auth).__name__!r}, which has no method "
                "authenticate(token, request).",
                "Pass ApiKeys(...), Jwt(...) or an object with the method authenticate.",
            )
        if self.auth is not None:
            check_parameters(self.auth.authenticate, "auth.authenticate", "token", "request")
        if self.on_error is not None:
            check_parameters(self.on_error, "on_error", "error", "request")
        _check_proxies(self.trusted_proxies)
        _check_setting_names(self.model_settings)

    def _check_numbers(self) -> None:
        if not 0 <= self.port <= _MAX_PORT:
            raise ConfigError(
                f"port={self.port!r} is not a port.", f"Use a number from 0 to {_MAX_PORT}."
            )
        check_count("body_limit", self.body_limit, least=1)
        for name in ("timeout", "run_timeout"):
            check_seconds(f"{name}={getattr(self, name)!r}", getattr(self, name))
        if self.drain_timeout is not None:
            check_seconds(
                f"drain_timeout={self.drain_timeout!r}", self.drain_timeout, allows_zero=True
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Middleware:
    """A function or class that runs around requests.

    :param handler: ``async def handler(request, next)``, or an ASGI middleware class.
    :param path: ``/api/*`` covers ``/api`` and everything below it; ``*`` covers every route. An
        empty path covers all routes below ``Server.api_prefix``.
    :raises ConfigError: for an invalid path, a value that is not callable, or a function with other
        parameters.
    """

    handler: Any
    path: str = ""

    def __post_init__(self) -> None:
        if not callable(self.handler):
            raise ConfigError(
                f"The middleware handler {self.handler!r} is not callable.",
                "Pass async def handler(request, next), or an ASGI middleware class.",
            )
        check_types(vars(self), Middleware.__annotations__)
        if inspect.isroutine(self.handler):
            check_parameters(self.handler, "handler", "request", "next")
        if self.path and self.path != "*" and not self.path.startswith("/"):
            raise ConfigError(
                f"The middleware path {self.path!r} does not begin with '/'.",
                "Write '/api/*', or '*' for every route.",
            )


def as_server(value: Server | Mapping[str, Any] | None) -> Server:
    """Convert settings to ``Server``.

    :param value: a ``Server``, a mapping of its fields, or ``None`` for the defaults. A mapping may
        contain mappings for ``cors``, ``rate_limit`` and each of ``api_routes``.
    :raises ConfigError: for an unknown key or an invalid value.
    """
    return from_mapping(Server, {} if value is None else value, "server")


def as_middleware(value: Any, api_prefix: str = "/api") -> Middleware:
    """Convert a value to ``Middleware`` with a path.

    :param value: a ``Middleware``, a mapping of its fields, or a callable.
    :param api_prefix: the prefix that a middleware without a path covers.
    :raises ConfigError: for an unknown key or an invalid value.
    """
    middleware = from_mapping(
        Middleware, {"handler": value} if callable(value) else value, "middleware"
    )
    return (
        middleware if middleware.path else dataclasses.replace(middleware, path=f"{api_prefix}/*")
    )


def from_mapping(type_: type[T], value: Any, where: str) -> T:
    """Convert a value to the dataclass ``type_``.

    :param type_: a dataclass.
    :param value: an instance of ``type_``, or a mapping of its fields.
    :param where: the name of the value in error messages (``server.cors``).
    :raises ConfigError: for an unknown key; the hint contains the nearest known key.
    """
    if isinstance(value, type_):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{where}={value!r} is not valid.",
            f"Pass {type_.__name__}(...) or a mapping of its fields.",
        )
    known = [field.name for field in dataclasses.fields(type_)]  # type: ignore[arg-type]  # it is a dataclass
    for key in value:
        if key not in known:
            raise ConfigError(f"{where} has no setting {key!r}.", _suggest_key(str(key), known))
    try:
        return type_(**value)
    except TypeError as error:
        raise ConfigError(
            f"{where} has invalid arguments: {error}.", f"Use {', '.join(known)}."
        ) from None


def _convert_route(value: Any) -> Any:
    """Convert a mapping to an ``ApiRoute``; any other value is a handler of Litestar."""
    return from_mapping(ApiRoute, value, "api_routes") if isinstance(value, Mapping) else value


def _suggest_key(key: str, choices: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(key, choices, 1)
    return f"Did you mean {near[0]!r}?" if near else f"It takes {', '.join(choices)}."


def _check_proxies(proxies: Sequence[str]) -> None:
    if not proxies:
        return
    import ipaddress  # most applications have no proxies

    for proxy in proxies:
        try:
            if proxy != "*":
                ipaddress.ip_network(proxy)
        except ValueError as error:
            raise ConfigError(
                f"{proxy!r} in trusted_proxies is neither an address nor a network: {error}.",
                "Write an address such as '10.0.0.5', or a network such as '10.0.0.0/8'.",
            ) from None


def _check_setting_names(names: Sequence[str]) -> None:
    for name in names:
        if not (name.isidentifier() and name == name.lower()):
            raise ConfigError(
                f"model_settings contains {name!r}, which is not the name of a setting.",
                "Write names in snake_case, such as model_settings=['parallel_tool_calls'].",
            )


def _normalize_prefix(text: str) -> str:
    """Return ``text`` with a leading slash and without a trailing slash."""
    prefix = "/" + "/".join(part for part in text.split("/") if part)
    if set(prefix) & set("?#{}*% ") or ".." in prefix:
        raise ConfigError(
            f"api_prefix={text!r} is not a path.", "Write a path, such as '/api' or '/v1'."
        )
    return prefix.rstrip("/")
