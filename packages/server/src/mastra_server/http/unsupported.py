"""Operations of the original's that this server does not do: each says so, and why.

They are no routes: each of those costs every start, so they are looked up where no route is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mastra_server.http.errors import NotOffered

__all__ = ("documented", "refusal")

_SIGNALS = "Signals are not offered, but for messages of users: call send-message."
_NETWORK = "Networks are not offered: give an agent others as tools, Agent(agents={...})."
_LEGACY = "The protocols of earlier versions are not offered: call generate or stream."
_A2A = "The A2A protocol is not offered: call the agent here, or over MCP."
_TRACES = "Traces are not kept here: Server(traces=True) keeps the latest."
_KNOWLEDGE = "Vector stores are not offered: search in a tool of your own."
_CONVERSATIONS = "Conversations are not offered: continue by previous_response_id."
_SCORES = "Scores are not offered."
_MANIFEST = "The manifest of routes is not offered: Server(openapi=True) gives an OpenAPI document."
_MCP = "The application is no MCP server: Server(mcp=True) makes it one."

# Name, method, path and reason.
_ROWS = (
    ("network", "POST", "/api/agents/{agent_id:str}/network", _NETWORK),
    ("approve_network", "POST", "/api/agents/{agent_id:str}/approve-network-tool-call", _NETWORK),
    ("decline_network", "POST", "/api/agents/{agent_id:str}/decline-network-tool-call", _NETWORK),
    ("signals", "POST", "/api/agents/{agent_id:str}/signals", _SIGNALS),
    ("generate_legacy", "POST", "/api/agents/{agent_id:str}/generate-legacy", _LEGACY),
    ("stream_legacy", "POST", "/api/agents/{agent_id:str}/stream-legacy", _LEGACY),
    ("network_messages", "GET", "/api/memory/network/threads/{thread_id:str}/messages", _NETWORK),
    ("network_thread", "DELETE", "/api/memory/network/threads/{thread_id:str}", _NETWORK),
    ("a2a", "POST", "/api/a2a/{agent_id:str}", _A2A),
    ("agent_card", "GET", "/api/.well-known/{agent_id:str}/agent-card.json", _A2A),
    ("traces", "GET", "/api/observability/traces", _TRACES),
    ("light_traces", "GET", "/api/observability/traces/light", _TRACES),
    ("trace", "GET", "/api/observability/traces/{trace_id:str}", _TRACES),
    ("light_trace", "GET", "/api/observability/traces/{trace_id:str}/light", _TRACES),
    ("span", "GET", "/api/observability/traces/{trace_id:str}/spans/{span_id:str}", _TRACES),
    ("trace_query", "POST", "/api/observability/traces/query", _TRACES),
    ("trace_scores", "POST", "/api/observability/traces/score", _SCORES),
    ("scores", "POST", "/api/scores", _SCORES),
    ("vector_query", "POST", "/api/vector/{store_id:str}/query", _KNOWLEDGE),
    ("vector_upsert", "POST", "/api/vector/{store_id:str}/upsert", _KNOWLEDGE),
    ("vector_indexes", "GET", "/api/vector/{store_id:str}/indexes", _KNOWLEDGE),
    ("vector_index", "GET", "/api/vector/{store_id:str}/indexes/{index:str}", _KNOWLEDGE),
    ("vector_delete", "DELETE", "/api/vector/{store_id:str}/indexes/{index:str}", _KNOWLEDGE),
    ("vector_create", "POST", "/api/vector/{store_id:str}/create-index", _KNOWLEDGE),
    ("conversations", "POST", "/api/v1/conversations", _CONVERSATIONS),
    ("conversation", "GET", "/api/v1/conversations/{conversation_id:str}", _CONVERSATIONS),
    ("forget", "DELETE", "/api/v1/conversations/{conversation_id:str}", _CONVERSATIONS),
    ("items", "GET", "/api/v1/conversations/{conversation_id:str}/items", _CONVERSATIONS),
    ("mcp_server", "GET", "/api/mcp/v0/servers/{server_id:str}", _MCP),
    ("mcp_tools", "GET", "/api/mcp/{server_id:str}/tools", _MCP),
    ("mcp_tool", "GET", "/api/mcp/{server_id:str}/tools/{tool_id:str}", _MCP),
    ("mcp_execute", "POST", "/api/mcp/{server_id:str}/tools/{tool_id:str}/execute", _MCP),
    ("mcp_resources", "GET", "/api/mcp/{server_id:str}/resources", _MCP),
    ("manifest", "GET", "/api/system/api-schema", _MANIFEST),
)


def refusal(method: str, path: str, *, traces: bool = False) -> NotOffered | None:
    """Why ``path``, spelled below ``/api``, is not answered; ``None`` where nobody would ask.

    :param traces: they are kept, so that their rows are routes.
    """
    asked = path.split("/")
    for _, known, template, reason in _ROWS:
        if known == method and _fits(template.split("/"), asked):
            return None if traces and reason is _TRACES else NotOffered(reason)
    return None


def documented() -> Iterator[Any]:
    """A handler for each, as the OpenAPI document reads them."""
    from litestar import route

    for name, method, path, reason in _ROWS:
        methods: Any = [method]
        yield route(
            path,
            operation_id=f"left_out_{name}",
            http_method=methods,
            requires_auth=False,
            answer=Any,
            errors=(501,),
        )(_described(name, reason))


def _fits(template: list[str], asked: list[str]) -> bool:
    return len(template) == len(asked) and all(
        part.startswith("{") or part == other for part, other in zip(template, asked, strict=True)
    )


def _described(name: str, reason: str) -> Any:
    async def refuse() -> None:
        raise NotOffered(reason)

    refuse.__name__ = name
    refuse.__doc__ = f"Not offered. {reason}"
    return refuse
