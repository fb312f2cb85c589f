"""List the operations of Mastra that this server does not support, with the reasons.

These operations have no routes, because every route takes startup time. The server searches this
list of operations only if no route matches a request.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mastra_server.http.errors import UnsupportedOperation

__all__ = ("build_documented_handlers", "find_unsupported")

_SIGNALS = "Signals are not supported, except user messages: call send-message."
_NETWORK = "Networks are not supported: pass other agents as tools, Agent(agents={...})."
_LEGACY = "The protocols of earlier versions are not supported: call generate or stream."
_TRACES = "This server keeps no traces: set Server(traces=True) to keep the latest."
_KNOWLEDGE = "Vector stores are not supported: search in a tool of your own."
_SCORES = "Scores are not supported."
_MANIFEST = "The route manifest is not supported: Server(openapi=True) gives an OpenAPI document."
_SCHEDULES = "No workflow has a schedule: Workflow('report', schedule='0 9 * * *')."
_SCHEDULE_CHANGES = "Schedules are part of the code: change Workflow(schedule=...)."
_MCP = "The application is not an MCP server: set Server(mcp=True) to make it one."

# Name, method, path and reason.
_OPERATIONS = (
    ("network", "POST", "/api/agents/{agent_id:str}/network", _NETWORK),
    ("approve_network", "POST", "/api/agents/{agent_id:str}/approve-network-tool-call", _NETWORK),
    ("decline_network", "POST", "/api/agents/{agent_id:str}/decline-network-tool-call", _NETWORK),
    ("signals", "POST", "/api/agents/{agent_id:str}/signals", _SIGNALS),
    ("generate_legacy", "POST", "/api/agents/{agent_id:str}/generate-legacy", _LEGACY),
    ("stream_legacy", "POST", "/api/agents/{agent_id:str}/stream-legacy", _LEGACY),
    ("network_messages", "GET", "/api/memory/network/threads/{thread_id:str}/messages", _NETWORK),
    ("network_thread", "DELETE", "/api/memory/network/threads/{thread_id:str}", _NETWORK),
    ("traces", "GET", "/api/observability/traces", _TRACES),
    ("light_traces", "GET", "/api/observability/traces/light", _TRACES),
    ("trace", "GET", "/api/observability/traces/{trace_id:str}", _TRACES),
    ("light_trace", "GET", "/api/observability/traces/{trace_id:str}/light", _TRACES),
    ("span", "GET", "/api/observability/traces/{trace_id:str}/spans/{span_id:str}", _TRACES),
    ("trace_query", "POST", "/api/observability/traces/query", _TRACES),
    ("trace_names", "GET", "/api/observability/discovery/entity-names", _TRACES),
    ("trace_environments", "GET", "/api/observability/discovery/environments", _TRACES),
    ("trace_scores", "POST", "/api/observability/traces/score", _SCORES),
    ("scores", "POST", "/api/scores", _SCORES),
    ("vector_query", "POST", "/api/vector/{store_id:str}/query", _KNOWLEDGE),
    ("vector_upsert", "POST", "/api/vector/{store_id:str}/upsert", _KNOWLEDGE),
    ("vector_indexes", "GET", "/api/vector/{store_id:str}/indexes", _KNOWLEDGE),
    ("vector_index", "GET", "/api/vector/{store_id:str}/indexes/{index:str}", _KNOWLEDGE),
    ("vector_delete", "DELETE", "/api/vector/{store_id:str}/indexes/{index:str}", _KNOWLEDGE),
    ("vector_create", "POST", "/api/vector/{store_id:str}/create-index", _KNOWLEDGE),
    ("schedule", "GET", "/api/schedules/{schedule_id:str}", _SCHEDULES),
    ("schedule_create", "POST", "/api/schedules", _SCHEDULE_CHANGES),
    ("schedule_update", "PATCH", "/api/schedules/{schedule_id:str}", _SCHEDULE_CHANGES),
    ("schedule_delete", "DELETE", "/api/schedules/{schedule_id:str}", _SCHEDULE_CHANGES),
    ("schedule_pause", "POST", "/api/schedules/{schedule_id:str}/pause", _SCHEDULES),
    ("schedule_resume", "POST", "/api/schedules/{schedule_id:str}/resume", _SCHEDULES),
    ("schedule_run", "POST", "/api/schedules/{schedule_id:str}/run", _SCHEDULES),
    ("schedule_triggers", "GET", "/api/schedules/{schedule_id:str}/triggers", _SCHEDULES),
    ("mcp_server", "GET", "/api/mcp/v0/servers/{server_id:str}", _MCP),
    ("mcp_tools", "GET", "/api/mcp/{server_id:str}/tools", _MCP),
    ("mcp_tool", "GET", "/api/mcp/{server_id:str}/tools/{tool_id:str}", _MCP),
    ("mcp_execute", "POST", "/api/mcp/{server_id:str}/tools/{tool_id:str}/execute", _MCP),
    ("mcp_resources", "GET", "/api/mcp/{server_id:str}/resources", _MCP),
    ("mcp_resource", "POST", "/api/mcp/{server_id:str}/resources/read", _MCP),
    ("manifest", "GET", "/api/system/api-schema", _MANIFEST),
)


def find_unsupported(
    method: str, path: str, *, traces: bool = False
) -> UnsupportedOperation | None:
    """Return the error for an operation of Mastra that this server does not support.

    :param method: the HTTP method.
    :param path: the requested path, with ``/api`` in place of the API's prefix.
    :param traces: whether the server stores traces. If so, the server supports the operations on
        traces.
    :returns: the error with the reason; ``None`` if Mastra has no such operation.
    """
    parts = path.split("/")
    for _, other, template, reason in _OPERATIONS:
        if other == method and _matches(template.split("/"), parts):
            return None if traces and reason is _TRACES else UnsupportedOperation(reason)
    return None


def build_documented_handlers() -> Iterator[Any]:
    """Yield a handler for each unsupported operation, for the OpenAPI document."""
    from litestar import route

    for name, method, path, reason in _OPERATIONS:
        methods: Any = [method]
        yield route(
            path,
            operation_id=f"left_out_{name}",
            http_method=methods,
            requires_auth=False,
            response=Any,
            errors=(501,),
        )(_build_handler(name, reason))


def _matches(template: list[str], parts: list[str]) -> bool:
    return len(template) == len(parts) and all(
        name.startswith("{") or name == part for name, part in zip(template, parts, strict=True)
    )


def _build_handler(name: str, reason: str) -> Any:
    async def raise_unsupported() -> None:
        raise UnsupportedOperation(reason)

    raise_unsupported.__name__ = name
    raise_unsupported.__doc__ = f"Not supported. {reason}"
    return raise_unsupported
