"""Routes of A2A: the card of an agent, and its methods."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_server.a2a.json_rpc import A2aError, RpcRequest, build_error, read_version
from mastra_server.agents.routes import get_agent
from mastra_server.http.handlers import get, post
from mastra_server.http.request_body import read_body
from mastra_server.http.responses import json_response

__all__ = ("ROUTES",)

_Request = Request[Any, Any, Any]
_VARY = {"vary": "A2A-Version"}


@get(
    "/api/.well-known/{agent_id:str}/agent-card.json",
    operation_id="a2a_card",
    response=dict[str, Any],
)
async def _get_agent_card(request: _Request) -> ASGIResponse:
    """Get an agent's card in the version of A2A that the header ``A2A-Version`` names."""
    from mastra_server.a2a.agent_card import build_agent_card  # rarely needed

    agent = get_agent(request)
    try:
        card = build_agent_card(request, agent, read_version(request))
    except A2aError as error:
        return json_response(build_error(None, error), 400, _VARY)
    return json_response(card, headers=_VARY)


@post(
    "/api/a2a/{agent_id:str}",
    operation_id="a2a_call",
    body=RpcRequest,
    response=dict[str, Any],
    stream="sse",
    errors=(403, 429),
)
async def _call_method(request: _Request) -> ASGIResponse:
    """Call a method of A2A by JSON-RPC; ``message/stream`` and ``tasks/resubscribe`` stream."""
    from mastra_server.a2a.methods import answer_call  # rarely needed

    agent, rpc = get_agent(request), await read_body(request, RpcRequest)
    try:
        version = read_version(request)
    except A2aError as error:
        return json_response(build_error(rpc, error))
    # Litestar reads the return annotation, so it must not name StreamResponse.
    response: Any = await answer_call(request, agent, rpc, version)
    return response  # type: ignore[no-any-return]  # an ASGI application like ASGIResponse


ROUTES = (_get_agent_card, _call_method)
