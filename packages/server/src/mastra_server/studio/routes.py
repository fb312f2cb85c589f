"""What Mastra Studio and its client ask a server for before anything else: what it has."""

from __future__ import annotations

import os
from typing import Any, NotRequired, TypedDict

from litestar import Request, get
from litestar.response.base import ASGIResponse

from mastra_core.agents.providers import known_providers
from mastra_server.http.responses import json_response
from mastra_server.mcp.tools import McpServer, itself

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]


class Capabilities(TypedDict):
    """Whether somebody must sign in; there is no page to do so."""

    enabled: bool
    login: None


class Installed(TypedDict):
    """One package."""

    name: str
    version: str


class System(TypedDict):
    """What the server is made of."""

    packages: list[Installed]
    isDev: bool
    cmsEnabled: bool
    liveKitConnectionRouteEnabled: bool
    observabilityEnabled: bool
    storageType: str


class Provider(TypedDict):
    """One provider of models, and whether its key is there."""

    id: str
    name: str
    envVar: str | list[str]
    connected: bool
    models: list[str]
    label: NotRequired[str]


class Providers(TypedDict):
    """Those whose keys are known."""

    providers: list[Provider]


class Vectors(TypedDict):
    """Vector stores; there are none."""

    vectors: list[str]


class McpServers(TypedDict):
    """The application itself, where it is one."""

    servers: list[McpServer]
    total_count: int
    next: None


class ModelPolicy(TypedDict):
    """Which models may be chosen: the application says, nobody else."""

    active: bool


class BuilderSettings(TypedDict):
    """The builder of agents; there is none."""

    enabled: bool
    modelPolicy: ModelPolicy


@get(
    "/api/auth/capabilities",
    operation_id="studio_capabilities",
    requires_auth=False,
    response=Capabilities,
)
async def _capabilities(request: _Request) -> ASGIResponse:
    """Whether callers must be known."""
    closed = request.app.state.mastra.server.auth is not None
    return json_response({"enabled": closed, "login": None})


@get("/api/system/packages", operation_id="studio_system", response=System)
async def _system(request: _Request) -> ASGIResponse:
    """What the server is made of; which versions is nobody's business."""
    mastra = request.app.state.mastra
    return json_response(
        {
            "packages": [],
            "isDev": os.environ.get("MASTRA_DEV") == "true",
            "cmsEnabled": False,
            "liveKitConnectionRouteEnabled": False,
            "observabilityEnabled": request.app.state.trace_store is not None,
            "storageType": type(mastra.storage).__name__,
        }
    )


@get("/api/agents/providers", operation_id="studio_providers", response=Providers)
async def _providers() -> ASGIResponse:
    """Providers of models by name, with the variables of their keys; no list of models."""
    return json_response({"providers": [_provider(*item) for item in known_providers()]})


@get("/api/mcp/v0/servers", operation_id="studio_mcp_servers", response=McpServers)
async def _mcp_servers(request: _Request) -> ASGIResponse:
    """The MCP servers of the application: itself, or none."""
    served = [itself()] if request.app.state.mastra.server.mcp else []
    return json_response({"servers": served, "total_count": len(served), "next": None})


@get("/api/editor/builder/settings", operation_id="studio_builder", response=BuilderSettings)
async def _builder() -> ASGIResponse:
    """The builder of agents; there is none."""
    return json_response({"enabled": False, "modelPolicy": {"active": False}})


@get("/api/vectors", operation_id="studio_vectors", response=Vectors)
async def _vectors() -> ASGIResponse:
    """Vector stores; there are none."""
    return json_response({"vectors": []})


@get("/api/scores/scorers", operation_id="studio_scorers", response=dict[str, Any])
async def _scorers() -> ASGIResponse:
    """Scorers; there are none."""
    return json_response({})


@get("/api/processors", operation_id="studio_processors", response=dict[str, Any])
async def _processors() -> ASGIResponse:
    """Processors; there are none."""
    return json_response({})


ROUTES = (
    _capabilities,
    _system,
    _providers,
    _mcp_servers,
    _builder,
    _vectors,
    _scorers,
    _processors,
)


def _provider(name: str, variables: tuple[str, ...]) -> Provider:
    return {
        "id": name,
        "name": name,
        "label": name,
        "envVar": variables[0] if len(variables) == 1 else list(variables),
        "connected": any(os.environ.get(variable) for variable in variables),
        "models": [],
    }
