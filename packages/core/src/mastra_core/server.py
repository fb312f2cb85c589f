"""How the server behaves: settings only, the server itself is ``mastra_server``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from mastra_core.errors import ConfigError

__all__ = ("Cors", "Middleware", "Server")

T = TypeVar("T")
DEFAULT_MIDDLEWARE_PATH = "/api/*"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cors:
    """Which pages of other origins may call the server."""

    origins: Sequence[str] = ("*",)
    credentials: bool = False
    headers: Sequence[str] = ()
    max_age: int = 3600


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """How the server behaves.

    :param host: address to bind; the environment variable ``HOST`` overrides it.
    :param port: port to bind; ``PORT`` overrides it.
    :param cors: ``False`` leaves the headers out.
    :param body_limit: bytes; a larger request body is answered 413.
    :param timeout: seconds to the first byte of an answer; then 504.
    :param drain_timeout: seconds that running requests get after SIGTERM.
    """

    host: str = "0.0.0.0"  # noqa: S104  # a server in a container that binds loopback is unreachable
    port: int = 3000
    cors: Cors | Literal[False] = Cors()
    body_limit: int = 4_718_592
    timeout: float = 180
    drain_timeout: float = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Middleware:
    """Code around requests.

    :param handler: ``async def handler(request, next)``, or an ASGI middleware class.
    :param path: ``/api/*`` covers ``/api`` and all below it; ``*`` covers every route.
    """

    handler: Any
    path: str = DEFAULT_MIDDLEWARE_PATH

    def __post_init__(self) -> None:
        if not callable(self.handler):
            raise ConfigError(
                f"The middleware handler {self.handler!r} cannot be called.",
                "Pass async def handler(request, next), or an ASGI middleware class.",
            )
        if self.path != "*" and not self.path.startswith("/"):
            raise ConfigError(
                f"The middleware path {self.path!r} does not begin with '/'.",
                "Write '/api/*', or '*' for every route.",
            )


def as_server(value: Server | Mapping[str, Any] | None) -> Server:
    """``value`` as ``Server``; a mapping may nest another for ``cors``."""
    if isinstance(value, Mapping) and isinstance(value.get("cors"), Mapping):
        value = {**value, "cors": from_mapping(Cors, value["cors"], "server.cors")}
    return from_mapping(Server, value or {}, "server")


def as_middleware(value: Any) -> Middleware:
    """``value`` as ``Middleware``: itself, a mapping, or a bare callable."""
    return from_mapping(Middleware, {"handler": value} if callable(value) else value, "middleware")


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
