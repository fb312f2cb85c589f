"""Routes of agents: list, details, generate, stream, and their tools."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.response.base import ASGIResponse

from mastra_core import Tool
from mastra_core.agents import AgentInput, AgentLike
from mastra_core.errors import NotFound
from mastra_server.agents.ai_sdk_stream import ui_chunks
from mastra_server.agents.live_runs import live_answer, live_run, observed
from mastra_server.agents.request import AgentBody, agent_input
from mastra_server.agents.result import agent_result
from mastra_server.agents.stream import agent_chunks
from mastra_server.agents.suspended_runs import suspended_runs, unclaimed
from mastra_server.agents.tools import ToolBody, executed
from mastra_server.http.describe import describe_agent, describe_tool
from mastra_server.http.request_body import read_body
from mastra_server.http.responses import StreamResponse, json_response
from mastra_server.http.schemas import (
    AgentDetails,
    Generated,
    ListedAgent,
    ListQuery,
    Message,
    ToolDetails,
)
from mastra_server.memory.queries import admit
from mastra_server.workflows.schemas import StartQuery

__all__ = ("ROUTES", "agent_of")

_Request = Request[Any, Any, Any]
# A run is idle when it ends, because no work continues in the background. The rest are old names.
_STREAMS = ("stream", "stream-until-idle", "stream/vnext", "streamVNext")


class _Observe(msgspec.Struct, rename="camel"):
    run_id: str
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0


@get("/api/agents", operation_id="agents_list", query=ListQuery, response=dict[str, ListedAgent])
async def _list(request: _Request) -> ASGIResponse:
    """List all agents, by id."""
    partial = request.query_params.get("partial") == "true"
    agents = request.app.state.mastra.agents.values()
    return json_response(
        {
            agent.id: {"id": agent.id, **describe_agent(agent, partial=partial), "hasDraft": False}
            for agent in agents
        }
    )


@get("/api/agents/{agent_id:str}", operation_id="agents_details", response=AgentDetails)
async def _details(request: _Request) -> ASGIResponse:
    """Get an agent, by its registration key or id."""
    return json_response(describe_agent(agent_of(request)))


@post(
    ["/api/agents/{agent_id:str}/generate", "/api/agents/{agent_id:str}/generate/vnext"],
    operation_id="agents_{path}",
    body=AgentBody,
    response=Generated,
    errors=(402, 403, 422, 429, 502, 503),
)
async def _generate(request: _Request) -> ASGIResponse:
    """Run an agent and respond when the run has ended."""
    agent = agent_of(request)
    run_input = await _wish(request, agent)
    return json_response(await agent_result(agent, run_input, suspended_runs(request)))


@post(
    [f"/api/agents/{{agent_id:str}}/{name}" for name in _STREAMS],
    operation_id="agents_{path}",
    body=AgentBody,
    stream="sse",
    errors=(403, 409, 429),
)
async def _stream(request: _Request) -> StreamResponse:
    """Run an agent and stream what it does."""
    agent = agent_of(request)
    run_input = await _wish(request, agent)
    chunks = agent_chunks(agent, run_input, suspended_runs(request))
    return live_answer(request, agent.id, run_input, chunks)


@post(
    ["/api/agents/{agent_id:str}/stream/ui", "/api/agents/{agent_id:str}/stream/vnext/ui"],
    operation_id="agents_{path}",
    body=AgentBody,
    stream="sse",
    errors=(403, 409, 429),
)
async def _stream_ui(request: _Request) -> StreamResponse:
    """Run an agent and stream the parts of an AI SDK user interface."""
    agent = agent_of(request)
    run_input = await _wish(request, agent)
    chunks = ui_chunks(agent_chunks(agent, run_input, suspended_runs(request)))
    return live_answer(request, agent.id, run_input, chunks, announce=False)


@post(
    "/api/agents/{agent_id:str}/observe", operation_id="agents_observe", body=_Observe, stream="sse"
)
async def _observe(request: _Request) -> StreamResponse:
    """Stream a run that is under way, from an offset on."""
    agent = agent_of(request)
    body = await read_body(request, _Observe)
    return observed(request, agent.id, body.run_id, body.offset)


@post(
    "/api/agents/{agent_id:str}/runs/{run_id:str}/cancel",
    operation_id="agents_cancel",
    response=Message,
)
async def _cancel(request: _Request) -> ASGIResponse:
    """Cancel a streamed run."""
    await live_run(request, agent_of(request).id, request.path_params["run_id"]).abort()
    return json_response({"message": "Agent run cancelled"})


@get(
    "/api/agents/{agent_id:str}/tools/{tool_id:str}",
    operation_id="agents_tool_details",
    response=ToolDetails,
)
async def _tool_details(request: _Request) -> ASGIResponse:
    """Get a tool of an agent."""
    return json_response(describe_tool(_tool(request)))


@post(
    "/api/agents/{agent_id:str}/tools/{tool_id:str}/execute",
    operation_id="agents_tool_execute",
    query=StartQuery,
    body=ToolBody,
    response=Any,
)
async def _tool_execute(request: _Request) -> ASGIResponse:
    """Execute a tool of an agent."""
    return await executed(_tool(request), request)


ROUTES = (
    _list,
    _details,
    _generate,
    _stream,
    _stream_ui,
    _observe,
    _cancel,
    _tool_details,
    _tool_execute,
)


async def _wish(request: _Request, agent: AgentLike) -> AgentInput:
    run_input = await agent_input(request)
    await unclaimed(request, agent, run_input)
    await admit(agent, run_input)
    return run_input


def agent_of(request: _Request) -> AgentLike:
    """Return the agent whose key or id the path names.

    :param request: the request.
    :raises NotFound: when there is no such agent.
    """
    name = request.path_params["agent_id"]
    try:
        agent: AgentLike = request.app.state.mastra.get_agent(name)
    except NotFound:
        raise NotFound(f"Agent with id {name} not found") from None
    return agent


def _tool(request: _Request) -> Tool:
    """Find a tool of the agent by its id; the tool need not be registered."""
    for tool in agent_of(request).info().tools:
        if tool.id == request.path_params["tool_id"]:
            return tool
    raise NotFound("Tool not found")
