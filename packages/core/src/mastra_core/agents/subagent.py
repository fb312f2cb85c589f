"""Wrap an agent as a tool of another agent."""

from __future__ import annotations

from typing import Any

from mastra_core.agents.events import AgentEvent, Finish
from mastra_core.agents.messages import AgentInput, Message
from mastra_core.agents.protocol import AgentLike, collect
from mastra_core.errors import AgentFailed
from mastra_core.tools import Tool, ToolContext, tool

__all__ = ("build_agent_tool",)


def build_agent_tool(key: str, agent: AgentLike) -> Tool:
    """Build a tool ``agent-KEY`` that runs an agent.

    The tool forwards the agent's events, adds its tokens to those of the calling run, and returns
    its answer. The agent gets the request context, but not the conversation.

    :param key: key of the agent in ``Agent(agents=...)``.
    :param agent: the agent to run.
    """

    async def ask(prompt: str, context: ToolContext) -> Any:
        run_input = AgentInput(
            messages=(Message.user(prompt),),
            context=dict(context.request_context),
            resource=context.resource,
            run_id=f"{context.run_id}-{context.call_id}",
        )

        async def forward_events() -> Any:
            async for event in agent.stream(run_input):
                await context.write(event)
                _count_usage(event, context)
                yield event

        output = await collect(forward_events())
        if output.reason == "suspended":
            raise AgentFailed(
                f"The agent {agent.id!r} needs a decision, but an agent that is called as a tool "
                "cannot wait for one.",
                "Give the tool that needs approval to the calling agent instead.",
            )
        return output.text if output.object is None else output.object

    description = agent.description or f"Ask the agent {agent.name}."
    return tool(id=f"agent-{key}", description=description)(ask)


def _count_usage(event: AgentEvent, context: ToolContext) -> None:
    if isinstance(event, Finish):
        context.count_usage(event.usage)
