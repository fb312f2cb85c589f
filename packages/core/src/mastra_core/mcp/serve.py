"""Serve the agents, workflows and tools of an application as MCP tools, and its resources."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import AgentFailed, RequestError
from mastra_core.logger import get_logger
from mastra_core.mcp.exposed_tools import ExposedTool, McpCaller, build_exposed_tools
from mastra_core.mcp.resources import McpResource, build_resources
from mastra_core.mcp.results import to_error_result, to_result
from mastra_core.mcp.sdk import import_sdk_module
from mastra_core.redaction import safe_message

if TYPE_CHECKING:
    from mastra_core.mastra import Mastra

__all__ = ("McpApp", "serve_stdio")

_RESOURCE_NOT_FOUND = -32002
_GetCaller = Callable[[Mapping[str, Any]], McpCaller]


async def serve_stdio(mastra: Mastra) -> None:
    """Serve an application over standard input and output, until the input ends.

    :param mastra: the application.
    :raises ConfigError: when the extra ``mcp`` is not installed, or two tools have the same name.
    """
    server = _build_server(mastra)
    async with import_sdk_module("mcp.server.stdio").stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


class McpApp:
    """Serves an application over HTTP, as an ASGI application for one path.

    No request depends on an earlier one, so several processes may serve the same clients. The
    context manager ``run`` must be active while requests are served.

    :param mastra: the application.
    :param get_caller: returns the caller of a request from its ASGI scope. Runs belong to the
        resource of their caller; by default, they belong to nobody.
    :raises ConfigError: when the extra ``mcp`` is not installed.
    """

    def __init__(self, mastra: Mastra, get_caller: _GetCaller | None = None) -> None:
        manager = import_sdk_module(
            "mcp.server.streamable_http_manager"
        ).StreamableHTTPSessionManager
        server = _build_server(mastra, get_caller)
        self._manager = manager(server, stateless=True, json_response=True)

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Accept requests until the context ends; one ``McpApp`` can be run only once."""
        async with self._manager.run():
            yield

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        await self._manager.handle_request(scope, receive, send)


def _build_server(mastra: Mastra, get_caller: _GetCaller | None = None) -> Any:
    types, tools = import_sdk_module("mcp_types"), build_exposed_tools(mastra)

    async def handle_list_tools(_: Any, __: Any) -> Any:
        return types.ListToolsResult(tools=[_to_sdk_tool(each) for each in tools.values()])

    async def handle_call_tool(context: Any, params: Any) -> Any:
        tool = tools.get(params.name)
        if tool is None:
            return to_error_result(f"There is no tool {params.name!r}.")
        caller = McpCaller() if get_caller is None else get_caller(context.request.scope)
        return await _call_tool(tool, params.arguments or {}, caller)

    module = import_sdk_module("mcp.server.lowlevel")
    return module.Server(
        "mastra",
        on_list_tools=handle_list_tools,
        on_call_tool=handle_call_tool,
        **_build_resource_handlers(mastra, get_caller),
    )


def _build_resource_handlers(mastra: Mastra, get_caller: _GetCaller | None) -> dict[str, Any]:
    """Build the handlers of resources; there are none if the application has no resources."""
    types, resources = import_sdk_module("mcp_types"), build_resources(mastra)

    async def handle_list(_: Any, __: Any) -> Any:
        listed = [types.Resource(**each.describe()) for each in resources.values()]
        return types.ListResourcesResult(resources=listed)

    async def handle_read(context: Any, params: Any) -> Any:
        caller = McpCaller() if get_caller is None else get_caller(context.request.scope)
        return await _read_resource(resources.get(params.uri), params.uri, caller)

    if not resources:
        return {}
    return {"on_list_resources": handle_list, "on_read_resource": handle_read}


def _to_sdk_tool(tool: ExposedTool) -> Any:
    return import_sdk_module("mcp_types").Tool(
        name=tool.name, description=tool.description, input_schema=tool.input_schema
    )


async def _read_resource(resource: McpResource | None, uri: str, caller: McpCaller) -> Any:
    types, error_type = import_sdk_module("mcp_types"), import_sdk_module("mcp").MCPError
    if resource is None:
        raise error_type(_RESOURCE_NOT_FOUND, f"There is no resource {uri!r}.")
    try:
        contents = await resource.read(caller)
    except RequestError as error:
        raise error_type(types.INVALID_PARAMS, error.message) from None
    except Exception as error:  # noqa: BLE001  # user code may raise anything
        get_logger("mastra.mcp").error("%s failed", resource.uri, exc_info=error)
        raise error_type(types.INTERNAL_ERROR, f"{resource.uri} failed.") from None
    kind = types.TextResourceContents if "text" in contents else types.BlobResourceContents
    return types.ReadResourceResult(contents=[kind(**contents)])


async def _call_tool(tool: ExposedTool, arguments: dict[str, Any], caller: McpCaller) -> Any:
    try:
        return to_result(await tool.call(arguments, caller))
    except (RequestError, AgentFailed) as error:
        return to_error_result(error.message)
    except Exception as error:  # noqa: BLE001  # user code may raise anything
        get_logger("mastra.mcp").error("%s failed", tool.name, exc_info=error)
        return to_error_result(safe_message(error))
