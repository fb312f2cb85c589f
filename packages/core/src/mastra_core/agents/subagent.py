"""An agent as a tool of another one."""

from __future__ import annotations

from typing import Any

from mastra_core.agents.events import AgentEvent, Finish
from mastra_core.agents.messages import AgentInput, Message
from mastra_core.agents.protocol import AgentLike, collect
from mastra_core.errors import AgentFailed
from mastra_core.tools import Tool, ToolContext, tool

__all__ = ("build_agent_tool",)


def build_agent_tool(key: str, agent: AgentLike) -> Tool:
    """A tool ``agent-KEY`` that asks ``agent``.

    Its events are told while it runs, its tokens are counted as the asking run's, and its answer
    is the tool's result. It sees the request context, and nothing of the conversation.
    """

    async def ask(prompt: str, context: ToolContext) -> Any:
        wish = AgentInput(
            messages=(Message.user(prompt),),
            context=dict(context.request_context),
            resource=context.resource,
            run_id=f"{context.run_id}-{context.call_id}",
        )

        async def told() -> Any:
            async for event in agent.stream(wish):
                await context.write(event)
                _count(event, context)
                yield event

        output = await collect(told())
        if output.reason == "suspended":
            raise AgentFailed(
                f"The agent {agent.id!r} waits for a decision, which it cannot as a tool.",
                "Give the tool that asks to the agent that is called.",
            )
        return output.text if output.object is None else output.object

    description = agent.description or f"Ask the agent {agent.name}."
    return tool(id=f"agent-{key}", description=description)(ask)


def _count(event: AgentEvent, context: ToolContext) -> None:
    if isinstance(event, Finish):
        context.count_usage(event.usage)
