"""Wrap an agent as a tool of another agent."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from mastra_core.agents.close_stream import close_at_end
from mastra_core.agents.events import AgentEvent, Finish
from mastra_core.agents.messages import AgentInput, Message
from mastra_core.agents.protocol import AgentLike, AgentOutput, collect
from mastra_core.agents.telemetry.agent_span import stream_traced
from mastra_core.errors import AgentFailed
from mastra_core.logs.log_fields import bind_log_fields
from mastra_core.tools import Tool, ToolContext, tool

__all__ = ("build_agent_tool",)


def build_agent_tool(key: str, agent: AgentLike) -> Tool:
    """Build a tool ``agent-KEY`` that runs an agent.

    The called agent gets the request context, but not the conversation. The tool forwards the
    called agent's events, and adds its tokens to those of the calling run. The result of the tool
    contains the agent's answer and the results of the agent's own tools. The calling model gets the
    answer only.

    :param key: key of the agent in ``Agent(agents=...)``.
    :param agent: the agent to run.
    """

    async def ask(prompt: str, context: ToolContext) -> Any:
        return await _ask_agent(agent, prompt, context)

    description = agent.description or f"Ask the agent {agent.name}."
    return tool(id=f"agent-{key}", description=description, to_model_output=_get_answer)(ask)


async def _ask_agent(agent: AgentLike, prompt: str, context: ToolContext) -> dict[str, Any]:
    run_input = AgentInput(
        messages=(Message.user(prompt),),
        context=dict(context.request_context),
        resource=context.resource,
        run_id=f"{context.run_id}-{context.call_id}",
        caller=context.caller,
        journal=context.journal,
    )
    with bind_log_fields(agent=agent.id):
        output = await collect(_forward_events(agent, run_input, context))
    if output.reason == "suspended":
        from mastra_core.agents.suspended_runs import cancel_called_workflows

        await cancel_called_workflows(agent, run_input.run_id, run_input.resource, output.waiting)
        raise AgentFailed(
            f"The agent {agent.id!r} is called as a tool, so it cannot wait for a decision about "
            "its own tool calls.",
            "Give the tool that needs approval to the calling agent instead.",
        )
    return _build_result(output, run_input, agent)


async def _forward_events(
    agent: AgentLike, run_input: AgentInput, context: ToolContext
) -> AsyncGenerator[AgentEvent]:
    """Run the called agent, and send its events and its tokens to the calling run."""
    journal = run_input.journal
    async with close_at_end(stream_traced(agent, run_input)) as events:
        async for event in events:
            if journal is None or not journal.is_replaying:
                await context.write(event)
            if isinstance(event, Finish):
                context.count_usage(event.usage)
            yield event


def _get_answer(result: dict[str, Any]) -> Any:
    return result["object"] if "object" in result else result["text"]


def _build_result(output: AgentOutput, run_input: AgentInput, agent: AgentLike) -> dict[str, Any]:
    """Return the answer in the form that front ends show."""
    results = [
        {"toolName": each.name, "toolCallId": each.id, "result": each.result}
        for each in output.tool_results
    ]
    answer: dict[str, Any] = {"text": output.text}
    if output.object is not None:
        answer["object"] = output.object
    return {
        **answer,
        "subAgentThreadId": run_input.run_id,
        "subAgentResourceId": run_input.resource or agent.id,
        "subAgentToolResults": results,
    }
