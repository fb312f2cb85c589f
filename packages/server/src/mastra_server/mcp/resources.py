"""Routes of the application's MCP resources: list and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core.errors import NotFound
from mastra_server.http.handlers import get, post
from mastra_server.http.request_body import read_body
from mastra_server.http.responses import json_response
from mastra_server.mcp.tools import OWN_PATH, SERVER_PATH, check_server, get_mcp_caller

if TYPE_CHECKING:
    from mastra_core.mcp.resources import McpResource

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]


class ListedResource(TypedDict):
    """A resource of an MCP server."""

    uri: str
    name: str
    description: NotRequired[str]
    mimeType: NotRequired[str]


class McpResources(TypedDict):
    """The resources of an MCP server."""

    resources: list[ListedResource]


class ResourceContents(TypedDict):
    """The content of a resource: a text, or bytes as base64."""

    uri: str
    mimeType: str
    text: NotRequired[str]
    blob: NotRequired[str]


class McpContents(TypedDict):
    """The contents of a resource."""

    contents: list[ResourceContents]


class _Read(msgspec.Struct):
    uri: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]


@get(
    [f"{OWN_PATH}/resources", f"{SERVER_PATH}/resources"],
    operation_id="mcp_tools_{path}",
    response=McpResources,
)
async def _list_resources(request: _Request) -> ASGIResponse:
    """List the resources of the application."""
    found = _get_resources(request).values()
    return json_response({"resources": [each.describe() for each in found]})


@post(
    [f"{OWN_PATH}/resources/read", f"{SERVER_PATH}/resources/read"],
    operation_id="mcp_tools_{path}",
    body=_Read,
    response=McpContents,
    errors=(404,),
)
async def _read_resource(request: _Request) -> ASGIResponse:
    """Read a resource."""
    resources, body = _get_resources(request), await read_body(request, _Read)
    resource = resources.get(body.uri)
    if resource is None:
        raise NotFound(f"Resource '{body.uri}' not found on server 'mastra'")
    return json_response({"contents": [await resource.read(get_mcp_caller(request))]})


ROUTES = (_list_resources, _read_resource)


def _get_resources(request: _Request) -> dict[str, McpResource]:
    from mastra_core.mcp.resources import build_resources  # rarely needed

    check_server(request)
    return build_resources(request.app.state.mastra)
