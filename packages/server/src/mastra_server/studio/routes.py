"""Routes that Mastra Studio calls first, to find out what the server supports."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.agents.providers import list_providers
from mastra_server.auth.guards import AuthGuard, is_studio_in_development
from mastra_server.http.handlers import get
from mastra_server.http.responses import json_response
from mastra_server.http.schemas import Pagination
from mastra_server.mcp.tools import McpServer, describe_application

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_NO_PAGE = {"total": 0, "page": 0, "perPage": 10, "hasMore": False}
_CAPABILITIES = {"user": True, "session": False, "sso": False, "rbac": False, "acl": False}


class User(TypedDict):
    """The user to whom the request's credentials belong."""

    id: str
    name: NotRequired[str]
    email: NotRequired[str]


class UserCapabilities(TypedDict):
    """The supported features of user management: only the description of the current user."""

    user: bool
    session: bool
    sso: bool
    rbac: bool
    acl: bool


class Capabilities(TypedDict):
    """Whether callers must authenticate. The server has no login page, so ``login`` is ``null``.

    The user and its capabilities are only reported for valid credentials.
    """

    enabled: bool
    login: None
    user: NotRequired[User]
    capabilities: NotRequired[UserCapabilities]
    access: NotRequired[None]


class Installed(TypedDict):
    """An installed package."""

    name: str
    version: str


class System(TypedDict):
    """The capabilities of the server."""

    packages: list[Installed]
    isDev: bool
    cmsEnabled: bool
    liveKitConnectionRouteEnabled: bool
    observabilityEnabled: bool
    storageType: str


class Provider(TypedDict):
    """A provider of models, and whether the provider's API key is set."""

    id: str
    name: str
    envVar: str | list[str]
    connected: bool
    models: list[str]
    label: NotRequired[str]


class Providers(TypedDict):
    """The known providers of models."""

    providers: list[Provider]


class Vectors(TypedDict):
    """Vector stores; always empty."""

    vectors: list[str]


class McpServers(TypedDict):
    """The application as an MCP server; empty if it is not an MCP server."""

    servers: list[McpServer]
    total_count: int
    next: None


class Workspaces(TypedDict):
    """Workspaces; always empty."""

    workspaces: list[Any]


class ReviewSummary(TypedDict):
    """The results of experiments that wait for a review; always empty."""

    counts: list[Any]


class Feedback(TypedDict):
    """Feedback about runs; always empty."""

    feedback: list[Any]
    pagination: Pagination


class Tags(TypedDict):
    """The tags of traces and log lines; always empty."""

    tags: list[str]


class ServiceNames(TypedDict):
    """The names of other services with traces or log lines; always empty."""

    serviceNames: list[str]


class Experiments(TypedDict):
    """Experiments; always empty."""

    experiments: list[Any]
    pagination: Pagination


class Datasets(TypedDict):
    """Datasets; always empty."""

    datasets: list[Any]
    pagination: Pagination


class Models(TypedDict):
    """The models that a user may choose in Studio; always empty."""

    providers: list[Any]


class ModelPolicy(TypedDict):
    """Whether a user can choose models in Studio. Only the application's code can choose them."""

    active: bool


class BuilderSettings(TypedDict):
    """The settings of the agent builder, which is not supported."""

    enabled: bool
    modelPolicy: ModelPolicy


@get(
    "/api/auth/capabilities",
    operation_id="studio_capabilities",
    requires_auth=False,
    response=Capabilities,
)
async def _get_capabilities(request: _Request) -> ASGIResponse:
    """Report whether callers must authenticate, and to whom valid credentials belong.

    The Studio that ``mastra dev`` serves does not have to authenticate.
    """
    user = await _find_user(request)
    if user is not None:
        described = {"user": user, "capabilities": _CAPABILITIES, "access": None}
        return json_response({"enabled": True, "login": None, **described})
    has_auth = request.app.state.mastra.server.auth is not None
    enabled = has_auth and not is_studio_in_development(request)
    return json_response({"enabled": enabled, "login": None})


@get("/api/auth/me", operation_id="studio_user", response=User | None)
async def _get_user(request: _Request) -> ASGIResponse:
    """Get the user of the request's credentials; ``null`` if the server has no authentication."""
    return json_response(await _find_user(request))


@get("/api/system/packages", operation_id="studio_system", response=System)
async def _get_system(request: _Request) -> ASGIResponse:
    """Report the capabilities of the server, without the versions of its packages."""
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
async def _list_providers() -> ASGIResponse:
    """List providers of models and the variables of their API keys, without the models."""
    return json_response({"providers": [_build_provider(*item) for item in list_providers()]})


@get("/api/mcp/v0/servers", operation_id="studio_mcp_servers", response=McpServers)
async def _list_mcp_servers(request: _Request) -> ASGIResponse:
    """List the MCP servers: the application itself, or none."""
    servers = [describe_application()] if request.app.state.mastra.server.mcp else []
    return json_response({"servers": servers, "total_count": len(servers), "next": None})


@get("/api/editor/builder/settings", operation_id="studio_builder", response=BuilderSettings)
async def _get_builder_settings() -> ASGIResponse:
    """Get the settings of the agent builder, which is not supported."""
    return json_response({"enabled": False, "modelPolicy": {"active": False}})


@get("/api/vectors", operation_id="studio_vectors", response=Vectors)
async def _list_vectors() -> ASGIResponse:
    """List the vector stores; the list is always empty."""
    return json_response({"vectors": []})


@get("/api/scores/scorers", operation_id="studio_scorers", response=dict[str, Any])
async def _list_scorers() -> ASGIResponse:
    """List scorers; always empty."""
    return json_response({})


@get("/api/processors", operation_id="studio_processors", response=dict[str, Any])
async def _list_processors() -> ASGIResponse:
    """List processors; always empty."""
    return json_response({})


@get("/api/workspaces", operation_id="studio_workspaces", response=Workspaces)
async def _list_workspaces() -> ASGIResponse:
    """List workspaces; always empty."""
    return json_response({"workspaces": []})


@get("/api/experiments/review-summary", operation_id="studio_experiments", response=ReviewSummary)
async def _get_review_summary() -> ASGIResponse:
    """Count the results of experiments that wait for a review; always empty."""
    return json_response({"counts": []})


@get("/api/observability/feedback", operation_id="studio_feedback", response=Feedback)
async def _list_feedback() -> ASGIResponse:
    """List feedback about runs; always empty."""
    return json_response({"feedback": [], "pagination": _NO_PAGE})


@get("/api/datasets", operation_id="studio_datasets", response=Datasets)
async def _list_datasets() -> ASGIResponse:
    """List datasets; always empty."""
    return json_response({"datasets": [], "pagination": _NO_PAGE})


@get("/api/channels/platforms", operation_id="studio_channels", response=list[Any])
async def _list_platforms() -> ASGIResponse:
    """List the chat platforms to which agents are connected; always empty."""
    return json_response([])


@get("/api/editor/builder/models/available", operation_id="studio_models", response=Models)
async def _list_models() -> ASGIResponse:
    """List the models that a user may choose; always empty, because the code chooses them."""
    return json_response({"providers": []})


@get(
    "/api/agents/{agent_id:str}/voice/speakers",
    operation_id="studio_speakers",
    response=list[Any],
)
async def _list_speakers() -> ASGIResponse:
    """List the voices of an agent; always empty."""
    return json_response([])


@get("/api/observability/discovery/tags", operation_id="studio_tags", response=Tags)
async def _list_tags() -> ASGIResponse:
    """List the tags of traces and log lines; always empty."""
    return json_response({"tags": []})


@get(
    "/api/observability/discovery/service-names",
    operation_id="studio_services",
    response=ServiceNames,
)
async def _list_service_names() -> ASGIResponse:
    """List the names of other services; always empty, because one server keeps its own data."""
    return json_response({"serviceNames": []})


@get("/api/experiments", operation_id="studio_experiment_list", response=Experiments)
async def _list_experiments() -> ASGIResponse:
    """List experiments; always empty."""
    return json_response({"experiments": [], "pagination": _NO_PAGE})


ROUTES = (
    _get_capabilities,
    _get_user,
    _get_system,
    _list_providers,
    _list_mcp_servers,
    _get_builder_settings,
    _list_vectors,
    _list_scorers,
    _list_processors,
    _list_workspaces,
    _get_review_summary,
    _list_feedback,
    _list_datasets,
    _list_platforms,
    _list_models,
    _list_speakers,
    _list_tags,
    _list_service_names,
    _list_experiments,
)


async def _find_user(request: _Request) -> dict[str, str] | None:
    """Describe the authenticated user by the id and, if known, the name and the email address."""
    auth = request.app.state.mastra.server.auth
    user = request.scope.get("user")  # set by the guard, except for a public route
    if user is None and auth is not None:
        user = await AuthGuard(auth, []).find_user(request)
    if user is None:
        return None
    resource = auth.resource(user) if hasattr(auth, "resource") else None
    found = {name: _read_field(user, name) for name in ("id", "sub", "name", "email")}
    id_ = found["id"] or found["sub"] or str(resource or "") or found["email"] or found["name"]
    own = {name: found[name] for name in ("name", "email") if found[name]}
    return {"id": id_ or (user if isinstance(user, str) else "user"), **own}


def _read_field(user: Any, name: str) -> str:
    value = user.get(name) if isinstance(user, Mapping) else getattr(user, name, None)
    return value if isinstance(value, str) else ""


def _build_provider(name: str, variables: tuple[str, ...]) -> Provider:
    return {
        "id": name,
        "name": name,
        "label": name,
        "envVar": variables[0] if len(variables) == 1 else list(variables),
        "connected": any(os.environ.get(variable) for variable in variables),
        "models": [],
    }
