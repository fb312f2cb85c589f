"""Serve the agents, workflows and tools of a ``Mastra`` object over HTTP with Litestar.

Public names are imported on first use, so build tools can import this package without Litestar.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mastra_server.agents.chat.chat_routes import chat_routes
    from mastra_server.app import create_app
    from mastra_server.auth.api_keys import ApiKeys
    from mastra_server.auth.jwt import Jwt
    from mastra_server.http.request_context import request_context

__all__ = ("ApiKeys", "Jwt", "chat_routes", "create_app", "request_context")

_MODULES = {
    "ApiKeys": "mastra_server.auth.api_keys",
    "Jwt": "mastra_server.auth.jwt",
    "chat_routes": "mastra_server.agents.chat.chat_routes",
    "create_app": "mastra_server.app",
    "request_context": "mastra_server.http.request_context",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
