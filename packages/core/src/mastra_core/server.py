"""How the server behaves: settings only, the server itself is ``mastra_server``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from mastra_core.errors import ConfigError

__all__ = ("ApiRoute", "Cors", "Middleware", "RateLimit", "Server")

T = TypeVar("T")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cors:
    """Which pages of other origins may call the server."""

    origins: Sequence[str] = ("*",)
    credentials: bool = False
    headers: Sequence[str] = ()
    max_age: int = 3600


@dataclasses.dataclass(frozen=True, kw_only=True)
class RateLimit:
    """How often somebody may ask.

    :param amount: such as ``100/minute`` or ``5/second``.
    :param by: a function of the request that says who asks; the client's address without it.
    :param storage: where it is counted, in the words of the package ``limits``; processes that
        are to count together need one they share, such as ``async+redis://host:6379``.
    """

    amount: str
    by: Callable[..., Any] | None = None
    storage: str = "async+memory://"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ApiRoute:
    """An endpoint of your own, beside those of the API.

    :param path: from the root, with parameters in braces: ``/orders/{order}``.
    :param handler: ``async def handler(request)``; it answers with data, text or a response.
    :param method: one, or several.
    :param requires_auth: ``False`` leaves it open where ``Server(auth=...)`` closes the rest.
    """

    path: str
    handler: Callable[..., Any]
    method: str | Sequence[str] = "GET"
    requires_auth: bool = True

    def __post_init__(self) -> None:
        if not callable(self.handler):
            raise ConfigError(
                f"The handler {self.handler!r} of the route {self.path!r} cannot be called.",
                "Pass async def handler(request).",
            )
        if not self.path.startswith("/"):
            raise ConfigError(
                f"The route {self.path!r} does not begin with '/'.", "Write '/orders/{order}'."
            )
        for method in self.methods:
            if method not in _METHODS:
                raise ConfigError(
                    f"The route {self.path!r} has the method {method!r}.",
                    f"Use some of {', '.join(_METHODS)}.",
                )

    @property
    def methods(self) -> tuple[str, ...]:
        """Every method it answers."""
        return (self.method,) if isinstance(self.method, str) else tuple(self.method)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """How the server behaves.

    :param host: address to bind; the environment variable ``HOST`` overrides it.
    :param port: port to bind; ``PORT`` overrides it.
    :param api_prefix: where the API is; a client is told the same one.
    :param auth: who may call: an object with ``authenticate(token, request)``.
    :param public: paths that need no ``auth``, each written like a middleware's.
    :param api_routes: endpoints of your own: ``ApiRoute(...)``, or handlers of Litestar.
    :param on_error: ``on_error(error, request)`` may answer in place of the server.
    :param openapi: whether ``openapi.json`` and a page that shows it are served below the prefix;
        under ``mastra dev`` only where not said.
    :param cors: ``False`` leaves the headers out.
    :param rate_limit: how often somebody may ask; 429 beyond that.
    :param logs: whether the latest lines of the log are kept and told at ``/logs`` below the
        prefix; under ``mastra dev`` only where not said.
    :param traces: whether the latest traces are kept, with what agents and workflows got and gave,
        and told at ``/observability/traces`` below the prefix; where not said, under ``mastra dev``
        if the extra ``telemetry`` is installed.
    :param metrics: ``/metrics`` for Prometheus.
    :param mcp: agents, workflows and tools as an MCP server at ``/mcp/mastra/mcp`` below the
        prefix.
    :param https_only: plain HTTP is redirected, and browsers are told to remember (HSTS).
    :param body_limit: bytes; a larger request body is answered 413.
    :param timeout: seconds to the first byte of an answer; then 504.
    :param run_timeout: seconds that a streamed agent run may take, watched or not.
    :param drain_timeout: seconds that running requests get after SIGTERM.
    :param trusted_proxies: addresses or networks whose ``X-Forwarded-*`` headers are believed.
    """

    host: str = "0.0.0.0"  # noqa: S104  # a server in a container that binds loopback is unreachable
    port: int = 3000
    api_prefix: str = "/api"
    auth: Any = None
    public: Sequence[str] = ()
    api_routes: Sequence[Any] = ()
    on_error: Callable[..., Any] | None = None
    openapi: bool | None = None
    cors: Cors | Literal[False] = Cors()
    rate_limit: RateLimit | None = None
    logs: bool | None = None
    traces: bool | None = None
    metrics: bool = False
    mcp: bool = False
    https_only: bool = False
    body_limit: int = 4_718_592
    timeout: float = 180
    run_timeout: float = 3600
    drain_timeout: float = 5
    trusted_proxies: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_prefix", _prefix(self.api_prefix))
        if self.auth is not None and not callable(getattr(self.auth, "authenticate", None)):
            raise ConfigError(
                f"auth is {self.auth!r}, which has no authenticate(token, request).",
                "Pass ApiKeys(...), Jwt(...) or an object of your own with that method.",
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Middleware:
    """Code around requests.

    :param handler: ``async def handler(request, next)``, or an ASGI middleware class.
    :param path: ``/api/*`` covers ``/api`` and all below it; ``*`` covers every route. Without
        one it is the whole API, whatever ``Server.api_prefix``.
    """

    handler: Any
    path: str = ""

    def __post_init__(self) -> None:
        if not callable(self.handler):
            raise ConfigError(
                f"The middleware handler {self.handler!r} cannot be called.",
                "Pass async def handler(request, next), or an ASGI middleware class.",
            )
        if self.path and self.path != "*" and not self.path.startswith("/"):
            raise ConfigError(
                f"The middleware path {self.path!r} does not begin with '/'.",
                "Write '/api/*', or '*' for every route.",
            )


def as_server(value: Server | Mapping[str, Any] | None) -> Server:
    """``value`` as ``Server``; a mapping may nest others for ``cors`` and for ``api_routes``."""
    if isinstance(value, Mapping) and isinstance(value.get("cors"), Mapping):
        value = {**value, "cors": from_mapping(Cors, value["cors"], "server.cors")}
    if isinstance(value, Mapping) and isinstance(value.get("rate_limit"), Mapping):
        limit = from_mapping(RateLimit, value["rate_limit"], "server.rate_limit")
        value = {**value, "rate_limit": limit}
    server = from_mapping(Server, value or {}, "server")
    routes = [
        from_mapping(ApiRoute, item, "api_routes") if isinstance(item, Mapping) else item
        for item in server.api_routes
    ]
    return dataclasses.replace(server, api_routes=tuple(routes))


def as_middleware(value: Any, api_prefix: str = "/api") -> Middleware:
    """``value`` as ``Middleware``: itself, a mapping, or a bare callable; its path filled in."""
    made = from_mapping(Middleware, {"handler": value} if callable(value) else value, "middleware")
    return made if made.path else dataclasses.replace(made, path=f"{api_prefix}/*")


def from_mapping(cls: type[T], value: Any, where: str) -> T:
    """``value`` as the dataclass ``cls``: itself, or a mapping of its fields.

    :raises ConfigError: for an unknown key, with the nearest known one.
    """
    if isinstance(value, cls):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{where} is {value!r}.", f"Pass {cls.__name__}(...) or a mapping of its fields."
        )
    known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]  # cls is a dataclass
    for key in value:
        if key not in known:
            raise ConfigError(f"{where} has no setting {key!r}.", _suggest(str(key), known))
    try:
        return cls(**value)
    except TypeError as error:
        raise ConfigError(f"{where}: {error}.", f"It takes {', '.join(known)}.") from None


def _suggest(key: str, known: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(key, known, 1)
    return f"Did you mean {near[0]!r}?" if near else f"It takes {', '.join(known)}."


def _prefix(text: str) -> str:
    """``text`` with one slash at the front and none at the end, as the client writes it."""
    prefix = "/" + "/".join(part for part in text.split("/") if part)
    if set(prefix) & set("?#{}*% ") or ".." in prefix:
        raise ConfigError(f"The api_prefix is {text!r}.", "Write a path, such as '/api' or '/v1'.")
    return prefix.rstrip("/")
