"""Operations of the original's that this server does not do: each says so, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from litestar import route

from mastra_server.errors import NotOffered

__all__ = ("ROUTES",)

_INTO_A_RUN = "Messages into a run that goes on are not offered: start another run on the thread."
_NETWORK = "Networks are not offered: give an agent others as tools, Agent(agents={...})."
_LEGACY = "The protocols of earlier versions are not offered: call generate or stream."
_A2A = "The A2A protocol is not offered: call the agent here, or over MCP."
_TRACES = "Traces are not kept here: they go where Telemetry(export=...) sends them."
_KNOWLEDGE = "Vector stores are not offered: search in a tool of your own."
_CONVERSATIONS = "Conversations are not offered: continue by previous_response_id."
_SCORES = "Scores are not offered."

# Name, method, path and reason.
_ROWS = (
    ("network", "POST", "/api/agents/{agent_id:str}/network", _NETWORK),
    ("approve_network", "POST", "/api/agents/{agent_id:str}/approve-network-tool-call", _NETWORK),
    ("decline_network", "POST", "/api/agents/{agent_id:str}/decline-network-tool-call", _NETWORK),
    ("send_message", "POST", "/api/agents/{agent_id:str}/send-message", _INTO_A_RUN),
    ("queue_message", "POST", "/api/agents/{agent_id:str}/queue-message", _INTO_A_RUN),
    ("signals", "POST", "/api/agents/{agent_id:str}/signals", _INTO_A_RUN),
    ("subscribe", "POST", "/api/agents/{agent_id:str}/threads/subscribe", _INTO_A_RUN),
    ("abort", "POST", "/api/agents/{agent_id:str}/threads/abort", _INTO_A_RUN),
    ("generate_legacy", "POST", "/api/agents/{agent_id:str}/generate-legacy", _LEGACY),
    ("stream_legacy", "POST", "/api/agents/{agent_id:str}/stream-legacy", _LEGACY),
    ("a2a", "POST", "/api/a2a/{agent_id:str}", _A2A),
    ("traces", "GET", "/api/observability/traces", _TRACES),
    ("light_traces", "GET", "/api/observability/traces/light", _TRACES),
    ("trace", "GET", "/api/observability/traces/{trace_id:str}", _TRACES),
    ("light_trace", "GET", "/api/observability/traces/{trace_id:str}/light", _TRACES),
    ("span", "GET", "/api/observability/traces/{trace_id:str}/spans/{span_id:str}", _TRACES),
    ("trace_scores", "POST", "/api/observability/traces/score", _SCORES),
    ("scores", "POST", "/api/scores", _SCORES),
    ("vector_query", "POST", "/api/vector/{store_id:str}/query", _KNOWLEDGE),
    ("vector_upsert", "POST", "/api/vector/{store_id:str}/upsert", _KNOWLEDGE),
    ("vector_indexes", "GET", "/api/vector/{store_id:str}/indexes", _KNOWLEDGE),
    ("conversations", "POST", "/api/v1/conversations", _CONVERSATIONS),
    ("conversation", "GET", "/api/v1/conversations/{conversation_id:str}", _CONVERSATIONS),
)


def _routes() -> Iterator[Any]:
    for name, method, path, reason in _ROWS:
        methods: Any = [method]
        yield route(path, http_method=methods, answer=Any, errors=(501,))(_refusing(name, reason))


def _refusing(name: str, reason: str) -> Any:
    async def refuse() -> NoReturn:
        raise NotOffered(reason)

    refuse.__name__ = name
    refuse.__doc__ = f"Not offered. {reason}"
    refuse.__annotations__ = {"return": None}
    return refuse


ROUTES = tuple(_routes())
