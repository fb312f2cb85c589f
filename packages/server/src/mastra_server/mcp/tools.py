"""Routes that show the application as an MCP server, and call its tools without MCP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.response.base import ASGIResponse

from mastra_core.errors import NotFound, RequestError
from mastra_server.agents.tools import build_failure_response
from mastra_server.descriptions.inline_references import inline_references
from mastra_server.http.callers import identify_caller
from mastra_server.http.handlers import get, post
from mastra_server.http.request_body import InvalidBody, read_body
from mastra_server.http.request_context import (
    request_context,
    restrict_to_resource,
    restrict_to_thread,
)
from mastra_server.http.responses import json_response, list_response

if TYPE_CHECKING:
    from mastra_core.mcp.exposed_tools import ExposedTool, McpCaller

__all__ = (
    "OWN_PATH",
    "ROUTES",
    "SERVER_PATH",
    "McpServer",
    "check_server",
    "describe_application",
    "get_mcp_caller",
)

_Request = Request[Any, Any, Any]
_ID = "mastra"
SERVER_PATH = "/api/mcp/{server_id:str}"
# The path of the protocol contains this part, so the router tries no parameter in its place.
OWN_PATH = f"/api/mcp/{_ID}"


class McpVersion(TypedDict):
    """The version that an MCP server reports; it is fixed, because applications have no version."""

    version: str
    release_date: str
    is_latest: bool


class McpServer(TypedDict):
    """An MCP server."""

    id: str
    name: str
    version_detail: McpVersion
    transports: list[str]


class McpTool(TypedDict):
    """A tool of an MCP server."""

    id: str
    name: str
    description: str
    inputSchema: dict[str, Any]
    outputSchema: NotRequired[dict[str, Any]]


class McpTools(TypedDict):
    """The tools of an MCP server."""

    tools: list[McpTool]


class McpResult(TypedDict):
    """The output of a tool."""

    result: Any


class _Called(msgspec.Struct):
    data: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


def describe_application() -> McpServer:
    """Describe the application as an MCP server."""
    version: McpVersion = {"version": "", "release_date": "", "is_latest": True}
    return {
        "id": _ID,
        "name": _ID,
        "version_detail": version,
        "transports": ["streamable-http"],
    }


@get("/api/mcp/v0/servers/{server_id:str}", operation_id="mcp_tools_details", response=McpServer)
async def _get_server(request: _Request) -> ASGIResponse:
    """Get the application's description as an MCP server."""
    check_server(request)
    return json_response(describe_application())


@get(
    [f"{OWN_PATH}/tools", f"{SERVER_PATH}/tools"],
    operation_id="mcp_tools_{path}",
    response=McpTools,
)
async def _list_tools(request: _Request) -> ASGIResponse:
    """List the agents, workflows and tools that the application exposes."""
    return await list_response(request, "tools", _list_offers(request).values(), _describe_tool, {})


@get(
    [f"{OWN_PATH}/tools/{{tool_id:str}}", f"{SERVER_PATH}/tools/{{tool_id:str}}"],
    operation_id="mcp_tools_{path}",
    response=McpTool,
)
async def _get_tool(request: _Request) -> ASGIResponse:
    """Get an exposed tool."""
    return json_response(_describe_tool(_find_offer(request)))


@post(
    [f"{OWN_PATH}/tools/{{tool_id:str}}/execute", f"{SERVER_PATH}/tools/{{tool_id:str}}/execute"],
    operation_id="mcp_tools_{path}",
    body=_Called,
    response=McpResult,
    errors=(402, 409, 422, 429, 502, 503),
)
async def _execute_tool(request: _Request) -> ASGIResponse:
    """Execute an exposed tool, as in a call over MCP."""
    from mastra_core.agents.protocol import AgentFailed

    offer, body = _find_offer(request), await read_body(request, _Called)
    if isinstance(body.data, msgspec.UnsetType):
        raise InvalidBody("data", "data is required")
    try:
        result = await offer.call(body.data, get_mcp_caller(request))
        return json_response({"result": result})
    except (RequestError, AgentFailed):
        raise
    except Exception as error:  # noqa: BLE001  # user code may raise anything
        return build_failure_response(offer.name, error)


ROUTES = (_get_server, _list_tools, _get_tool, _execute_tool)


def get_mcp_caller(request: ASGIConnection[Any, Any, Any, Any]) -> McpCaller:
    """Return the caller of a tool, who owns the runs that the call starts.

    The request context has only the values that ``auth`` and middleware set, because MCP transmits
    no context.

    :param request: the request, or Litestar's connection.
    """
    from mastra_core.mcp.exposed_tools import McpCaller  # rarely needed

    return McpCaller(
        context=dict(request_context(request)),
        resource=restrict_to_resource(request),
        thread=restrict_to_thread(request),
        name=identify_caller(request.scope),
    )


def check_server(request: _Request) -> None:
    """Check that the path names the application, which is the only MCP server.

    :param request: the request.
    :raises NotFound: when the path names another server.
    """
    server_id = request.path_params.get("server_id", _ID)
    if server_id != _ID:
        raise NotFound(f"There is no MCP server {server_id!r}.")


def _list_offers(request: _Request) -> dict[str, ExposedTool]:
    from mastra_core.mcp.exposed_tools import build_exposed_tools  # rarely needed

    check_server(request)
    state = request.app.state
    if "exposed_tools" not in state:
        state.exposed_tools = build_exposed_tools(state.mastra)
    tools: dict[str, ExposedTool] = state.exposed_tools
    return tools


def _find_offer(request: _Request) -> ExposedTool:
    name = request.path_params["tool_id"]
    offer = _list_offers(request).get(name)
    if offer is None:
        raise NotFound(f"The MCP server offers no tool {name!r}.")
    return offer


def _describe_tool(offer: ExposedTool) -> McpTool:
    tool: McpTool = {
        "id": offer.name,
        "name": offer.name,
        "description": offer.description,
        "inputSchema": inline_references(offer.input_schema),
    }
    if offer.output_schema is not None:
        tool["outputSchema"] = inline_references(offer.output_schema)
    return tool
