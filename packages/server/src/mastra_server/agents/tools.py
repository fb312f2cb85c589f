"""Routes of tools: list, details, execute."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core import Tool, ToolContext
from mastra_core.agents.tool_calls import describe_invalid_input
from mastra_core.errors import InvalidInput, NotFound, RequestError
from mastra_core.logger import get_logger
from mastra_core.redaction import safe_message
from mastra_server.descriptions.describe import describe_tool
from mastra_server.http.handlers import get, post
from mastra_server.http.request_body import InvalidBody, read_body
from mastra_server.http.request_context import (
    build_context,
    restrict_to_resource,
    restrict_to_thread,
)
from mastra_server.http.responses import json_response, object_response
from mastra_server.http.schemas import ListQuery, StartQuery, ToolDetails

__all__ = ("ROUTES", "ToolBody", "build_failure_response", "execute_tool")

_Request = Request[Any, Any, Any]


class ToolBody(msgspec.Struct, rename="camel"):
    """The input of a tool; ``data`` is required."""

    data: Any = msgspec.UNSET
    request_context: dict[str, Any] | None = None


@get("/api/tools", operation_id="tools_list", query=ListQuery, response=dict[str, ToolDetails])
async def _list_tools(request: _Request) -> ASGIResponse:
    """List all tools, by registration key."""
    partial = request.query_params.get("partial") == "true"
    tools = request.app.state.mastra.tools
    return await object_response(request, tools, lambda each: describe_tool(each, partial=partial))


@get("/api/tools/{tool_id:str}", operation_id="tools_details", response=ToolDetails)
async def _get_tool(request: _Request) -> ASGIResponse:
    """Get a tool, by its registration key or id."""
    return json_response(describe_tool(_find_tool(request)))


@post(
    "/api/tools/{tool_id:str}/execute",
    operation_id="tools_execute",
    query=StartQuery,
    body=ToolBody,
    response=Any,
    errors=(409, 422),
)
async def _execute_tool(request: _Request) -> ASGIResponse:
    """Execute a tool; invalid input gets status 200 and ``"error": true``."""
    return await execute_tool(_find_tool(request), request)


ROUTES = (_list_tools, _get_tool, _execute_tool)


async def execute_tool(tool: Tool, request: _Request) -> ASGIResponse:
    """Execute ``tool`` with the request's body, and respond with its output.

    Invalid input gets status 200 and ``"error": true``, as in Mastra. A call that requires approval
    is refused, because there is nobody to ask.

    :param tool: the tool.
    :param request: the request.
    :returns: the response.
    :raises InvalidBody: when the body has no field ``data``.
    :raises Conflict: when the call requires approval.
    """
    body = await read_body(request, ToolBody)
    if body.data is msgspec.UNSET:
        raise InvalidBody("data", "data is required")
    run_id = request.query_params.get("runId", "")
    context = ToolContext(
        request_context=build_context(request, body.request_context),
        run_id=run_id,
        thread=restrict_to_thread(request),
        resource=restrict_to_resource(request),
    )
    try:
        return json_response(await tool.execute(body.data, context, check_approval=True))
    except InvalidInput as error:
        return json_response(describe_invalid_input(tool.id, body.data, error))
    except RequestError:
        raise
    except Exception as error:  # noqa: BLE001  # user code may raise anything
        return build_failure_response(tool.id, error)


def build_failure_response(tool_id: str, error: Exception) -> ASGIResponse:
    """Build the response for an exception in a tool's own code.

    :param tool_id: the id of the tool.
    :param error: the exception.
    :returns: a response with status 422. Clients repeat a request after a status of 500 or more,
        and each repetition would execute the tool again.
    """
    get_logger("mastra.server").error("tool %r failed", tool_id, exc_info=error)
    return json_response({"error": safe_message(error)}, 422)


def _find_tool(request: _Request) -> Tool:
    try:
        tool: Tool = request.app.state.mastra.get_tool(request.path_params["tool_id"])
    except NotFound:
        raise NotFound("Tool not found") from None
    return tool
