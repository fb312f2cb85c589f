"""Routes of agents: list, details, generate, stream, and their tools."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mastra_core import Tool
from mastra_core.agents import AgentInput, AgentLike
from mastra_core.agents.protocol import FrameworkTool
from mastra_core.agents.wrappers.capabilities import list_described_tools
from mastra_core.errors import Conflict, NotFound
from mastra_server.agents.admission import check_thread_access
from mastra_server.agents.cancel_runs import cancel_run
from mastra_server.agents.chat.ai_sdk_stream import UiVersion
from mastra_server.agents.chat.ui_chat import ChatBody, resume_chat, stream_chat
from mastra_server.agents.request import AgentBody, read_run_input
from mastra_server.agents.result import generate_result
from mastra_server.agents.run_streams import observe_live_run, respond_with_stream
from mastra_server.agents.stream import stream_agent
from mastra_server.agents.suspended_runs import get_suspended_runs
from mastra_server.agents.tools import ToolBody, execute_tool
from mastra_server.descriptions.describe import describe_agent, describe_tool
from mastra_server.http.handlers import get, post
from mastra_server.http.request_body import Id, MaybeId, read_body, read_id_param
from mastra_server.http.responses import StreamResponse, json_response, object_response
from mastra_server.http.schemas import (
    AgentDetails,
    ContextQuery,
    Generated,
    ListedAgent,
    ListQuery,
    Message,
    StartQuery,
    ToolDetails,
)

__all__ = ("ROUTES", "get_agent")

_Request = Request[Any, Any, Any]
# A run is idle when it ends, because no work continues in the background. The rest are old names.
_STREAMS = ("stream", "stream-until-idle", "stream/vnext", "streamVNext")


class ChatQuery(ContextQuery):
    """The version of the AI SDK in the browser: ``v5``, or ``v6`` for 6 and newer."""

    version: Literal["v5", "v6"] = "v6"


class _OwnerQuery(ContextQuery):
    """The owner of a run; required if several resources have a run with the same id."""

    resource_id: str = ""


class _Observe(msgspec.Struct, rename="camel"):
    run_id: Id
    resource_id: MaybeId = None
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0


@get("/api/agents", operation_id="agents_list", query=ListQuery, response=dict[str, ListedAgent])
async def _list_agents(request: _Request) -> ASGIResponse:
    """List all agents, by id."""
    partial = request.query_params.get("partial") == "true"
    agents = {agent.id: agent for agent in request.app.state.mastra.agents.values()}

    def build(agent: AgentLike) -> dict[str, Any]:
        return {"id": agent.id, **describe_agent(agent, partial=partial), "hasDraft": False}

    return await object_response(request, agents, build)


@get("/api/agents/{agent_id:str}", operation_id="agents_details", response=AgentDetails)
async def _get_agent_details(request: _Request) -> ASGIResponse:
    """Get an agent, by its registration key or id."""
    return json_response(describe_agent(get_agent(request)))


@post(
    ["/api/agents/{agent_id:str}/generate", "/api/agents/{agent_id:str}/generate/vnext"],
    operation_id="agents_{path}",
    body=AgentBody,
    response=Generated,
    errors=(402, 403, 422, 429, 502, 503),
)
async def _generate(request: _Request) -> ASGIResponse:
    """Run an agent, and respond when the run has ended."""
    agent = get_agent(request)
    run_input = await _read_checked_input(request, agent)
    return json_response(await generate_result(agent, run_input, get_suspended_runs(request)))


@post(
    [f"/api/agents/{{agent_id:str}}/{name}" for name in _STREAMS],
    operation_id="agents_{path}",
    body=AgentBody,
    stream="sse",
    errors=(403, 409, 429),
)
async def _stream(request: _Request) -> StreamResponse:
    """Run an agent, and stream its chunks."""
    agent = get_agent(request)
    run_input = await _read_checked_input(request, agent)
    chunks = stream_agent(agent, run_input, get_suspended_runs(request))
    return await respond_with_stream(request, agent.id, run_input, chunks)


@post(
    ["/api/agents/{agent_id:str}/stream/ui", "/api/agents/{agent_id:str}/stream/vnext/ui"],
    operation_id="agents_{path}",
    query=ChatQuery,
    body=ChatBody,
    stream="sse",
    errors=(403, 409, 429),
)
async def _stream_ui(request: _Request) -> StreamResponse:
    """Run an agent, and stream the parts of an AI SDK user interface."""
    version: UiVersion = "v5" if request.query_params.get("version") == "v5" else "v6"
    return await stream_chat(request, get_agent(request), version)


@get(
    "/api/agents/{agent_id:str}/stream/ui/{chat_id:str}/stream",
    operation_id="agents_resume_ui",
    stream="sse",
    empty="The chat has no active run.",
)
async def _resume_ui(request: _Request) -> ASGIResponse:
    """Stream the active run of a chat."""
    # Litestar reads the return annotation, so it must not name StreamResponse.
    response: Any = resume_chat(request, get_agent(request), request.path_params["chat_id"])
    return response  # type: ignore[no-any-return]  # an ASGI application like ASGIResponse


@post(
    "/api/agents/{agent_id:str}/observe",
    operation_id="agents_observe",
    body=_Observe,
    stream="sse",
    errors=(403, 409),
)
async def _observe_run(request: _Request) -> StreamResponse:
    """Stream an active run; skip the first ``offset`` chunks."""
    agent = get_agent(request)
    body = await read_body(request, _Observe)
    return await observe_live_run(
        request, agent.id, body.run_id, body.offset, resource=body.resource_id
    )


@post(
    "/api/agents/{agent_id:str}/runs/{run_id:str}/cancel",
    operation_id="agents_cancel",
    query=_OwnerQuery,
    response=Message,
    errors=(409,),
)
async def _cancel_run(request: _Request) -> ASGIResponse:
    """Cancel a streamed, suspended or durable run."""
    resource = read_id_param(request, "resourceId")
    await cancel_run(request, get_agent(request), request.path_params["run_id"], resource)
    return json_response({"message": "Agent run cancelled"})


@get(
    "/api/agents/{agent_id:str}/tools/{tool_id:str}",
    operation_id="agents_tool_details",
    response=ToolDetails,
)
async def _get_tool(request: _Request) -> ASGIResponse:
    """Get a tool of an agent."""
    return json_response(describe_tool(_find_described_tool(request)))


@post(
    "/api/agents/{agent_id:str}/tools/{tool_id:str}/execute",
    operation_id="agents_tool_execute",
    query=StartQuery,
    body=ToolBody,
    response=Any,
    errors=(409, 422),
)
async def _execute_tool(request: _Request) -> ASGIResponse:
    """Execute a tool of an agent."""
    tool = _find_described_tool(request)
    if isinstance(tool, FrameworkTool):
        raise Conflict(
            f"The tool {tool.id!r} belongs to the framework of its agent, so only the agent can "
            "call it.",
            "Let the agent call it: POST /api/agents/ID/generate",
        )
    return await execute_tool(tool, request)


ROUTES = (
    _list_agents,
    _get_agent_details,
    _generate,
    _stream,
    _stream_ui,
    _resume_ui,
    _observe_run,
    _cancel_run,
    _get_tool,
    _execute_tool,
)


async def _read_checked_input(request: _Request, agent: AgentLike) -> AgentInput:
    run_input = await read_run_input(request)
    await check_thread_access(agent, run_input)
    return run_input


def get_agent(request: _Request, name: str = "") -> AgentLike:
    """Return the agent that has the given registration key or id.

    :param request: the request.
    :param name: the registration key or id of the agent; by default the name in the path.
    :raises NotFound: when there is no such agent.
    """
    name = name or request.path_params["agent_id"]
    try:
        agent: AgentLike = request.app.state.mastra.get_agent(name)
    except NotFound:
        raise NotFound(f"Agent with id {name} not found") from None
    return agent


def _find_described_tool(request: _Request) -> Tool | FrameworkTool:
    """Find a tool of the agent by its id, even if the tool is not registered."""
    for tool in list_described_tools(get_agent(request)):
        if tool.id == request.path_params["tool_id"]:
            return tool
    raise NotFound("Tool not found")
